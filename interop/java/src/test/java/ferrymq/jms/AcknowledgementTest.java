package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQSession;
import org.junit.jupiter.api.Test;

class AcknowledgementTest extends Jms {
    @Test
    void automatic_acknowledgement_takes_what_was_received() throws Exception {
        send(queue(), "1", "2", "3");
        Connection connection = connection();
        assertEquals(List.of("1", "2"), texts(session(connection).createConsumer(queue()), 2));
        connection.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void lazy_acknowledgement_takes_what_was_received_before_an_orderly_close() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = session(Session.DUPS_OK_ACKNOWLEDGE);
        assertEquals(List.of("1", "2"), texts(session.createConsumer(queue()), 2));
        session.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void an_acknowledgement_by_the_client_covers_all_it_received_before() throws Exception {
        send(queue(), "1", "2", "3", "4");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        texts(consumer, 2);
        next(consumer).acknowledge();
        next(consumer);
        session.close();
        assertEquals(List.of("4"), rest(queue()));
    }

    @Test
    void an_acknowledgement_by_the_client_covers_all_consumers_of_its_session() throws Exception {
        send(queue("A"), "a");
        send(queue("B"), "b");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer one = session.createConsumer(queue("A"));
        MessageConsumer other = session.createConsumer(queue("B"));
        next(one);
        next(other).acknowledge();
        session.close();
        assertEquals(List.of(), rest(queue("A")));
        assertEquals(List.of(), rest(queue("B")));
    }

    @Test
    void recover_delivers_again_in_order() throws Exception {
        send(queue(), "1", "2", "3", "4");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer).acknowledge();
        assertEquals(List.of("2", "3"), texts(consumer, 2));
        session.recover();
        List<String> again = new ArrayList<>();
        for (int index = 0; index < 3; index++) {
            Message message = next(consumer);
            assertEquals(index < 2, message.getJMSRedelivered());
            again.add(text(message));
            message.acknowledge();
        }
        assertEquals(List.of("2", "3", "4"), again);
        session.close();
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void individual_acknowledgement_takes_that_message_alone() throws Exception {
        send(queue(), "1", "2", "3", "4");
        Session session = session(ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        next(consumer).acknowledge();
        next(consumer);
        next(consumer).acknowledge();
        session.close();
        assertEquals(List.of("1", "3"), rest(queue()));
    }

    @Test
    void individual_acknowledgement_in_reverse_order_takes_everything() throws Exception {
        send(queue(), numbered("m", 50));
        Session session = session(ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        List<Message> received = new ArrayList<>();
        for (int index = 0; index < 50; index++) {
            received.add(next(consumer));
        }
        Collections.reverse(received);
        for (Message message : received) {
            message.acknowledge();
        }
        session.close();
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void individual_acknowledgement_of_every_second_message_still_gets_more() throws Exception {
        send(queue(), numbered("m", 60));
        ActiveMQConnection connection = connection("jms.prefetchPolicy.all=10");
        List<Throwable> errors = Collections.synchronizedList(new ArrayList<>());
        connection.setExceptionListener(errors::add);
        Session session = session(connection, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        for (int index = 0; index < 60; index++) {
            Message message = next(consumer);
            if (index % 2 == 0) {
                message.acknowledge();
            }
        }
        connection.close();
        assertEquals(List.of(), errors);
        assertEquals(30, rest(queue()).size());
    }

    @Test
    void individual_acknowledgement_recovers_what_is_left() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = session(ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        next(consumer).acknowledge();
        next(consumer);
        session.recover();
        Message first = next(consumer);
        assertEquals("1", text(first));
        assertTrue(first.getJMSRedelivered());
        assertEquals("3", nextText(consumer));
    }

    @Test
    void with_a_prefetch_of_one_a_client_that_acknowledges_late_still_gets_more() throws Exception {
        send(queue(), numbered("m", 20));
        Session session = session(Session.CLIENT_ACKNOWLEDGE, "jms.prefetchPolicy.all=1");
        MessageConsumer consumer = session.createConsumer(queue());
        Message last = null;
        for (int index = 0; index < 20; index++) {
            last = next(consumer);
            assertEquals("m" + index, text(last));
        }
        last.acknowledge();
        session.close();
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void with_prefetch_zero_an_acknowledgement_by_the_client_works_the_same() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = session(Session.CLIENT_ACKNOWLEDGE, "jms.prefetchPolicy.all=0");
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        next(consumer).acknowledge();
        next(consumer);
        session.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void a_listener_that_throws_gets_the_message_again() throws Exception {
        send(queue(), "once", "after");
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session().createConsumer(queue()).setMessageListener(message -> {
            try {
                heard.add(text(message));
                if (heard.size() == 1) {
                    throw new IllegalArgumentException("not now");
                }
            } catch (jakarta.jms.JMSException error) {
                throw new RuntimeException(error);
            }
        });
        Await.until("three calls", () -> heard.size() == 3);
        assertEquals(List.of("once", "once", "after"), heard);
    }

    @Test
    void what_was_not_acknowledged_comes_back_when_the_socket_ends() throws Exception {
        Queue queue = queue();
        send(queue, "1", "2");
        ActiveMQConnection connection = connection();
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue);
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        MessageConsumer other = session().createConsumer(queue);
        cut(connection);
        Message again = next(other);
        assertEquals("1", text(again));
        assertTrue(again.getJMSRedelivered());
        assertEquals("2", nextText(other));
    }

    @Test
    void synchronous_acknowledgements_work_too() throws Exception {
        send(queue(), numbered("m", 20));
        Connection connection = connection("jms.sendAcksAsync=false");
        texts(session(connection).createConsumer(queue()), 15);
        connection.close();
        assertEquals(5, rest(queue()).size());
    }

    @Test
    void an_acknowledgement_survives_a_crash_of_the_broker() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(url(own, "jms.sendAcksAsync=false")), Session.CLIENT_ACKNOWLEDGE);
        send(session, queue(), "1", "2", "3");
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        next(consumer).acknowledge();
        next(consumer);
        session.createConsumer(topic("SYNC")).close();
        own.restart();
        assertEquals(List.of("3"), rest(own, queue()));
    }
}
