package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.Connection;
import jakarta.jms.IllegalStateException;
import jakarta.jms.InvalidDestinationException;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SessionTest extends Jms {
    @ParameterizedTest
    @ValueSource(ints = {Session.SESSION_TRANSACTED, Session.AUTO_ACKNOWLEDGE, Session.CLIENT_ACKNOWLEDGE, Session.DUPS_OK_ACKNOWLEDGE,
            ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE})
    void every_mode_sends_and_receives(int mode) throws Exception {
        Queue queue = queue();
        Session session = session(mode);
        assertEquals(mode, session.getAcknowledgeMode());
        assertEquals(mode == Session.SESSION_TRANSACTED, session.getTransacted());
        send(session, queue, "hello");
        if (session.getTransacted()) {
            session.commit();
        }
        assertEquals("hello", nextText(session.createConsumer(queue)));
    }

    @Test
    void an_unknown_mode_is_refused() throws Exception {
        Connection connection = connection();
        assertThrows(JMSException.class, () -> connection.createSession(false, 99));
    }

    @Test
    void only_a_transacted_session_commits_and_rolls_back() throws Exception {
        Session session = session();
        assertThrows(IllegalStateException.class, session::commit);
        assertThrows(IllegalStateException.class, session::rollback);
    }

    @Test
    void a_transacted_session_does_not_recover() throws Exception {
        assertThrows(IllegalStateException.class, session(Session.SESSION_TRANSACTED)::recover);
    }

    @Test
    void a_closed_session_refuses_everything_and_its_connection_lives_on() throws Exception {
        Connection connection = connection();
        Session session = session(connection);
        MessageProducer producer = session.createProducer(queue());
        session.close();
        session.close();
        assertThrows(IllegalStateException.class, () -> session.createConsumer(queue()));
        assertThrows(IllegalStateException.class, () -> session.createTextMessage("late"));
        assertThrows(IllegalStateException.class, () -> producer.send(producer.getDestination(), null));
        send(session(connection), queue(), "fine");
    }

    @Test
    void closing_a_session_gives_back_what_it_did_not_acknowledge() throws Exception {
        Queue queue = queue();
        send(queue, "1", "2", "3");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        next(consumer).acknowledge();
        next(consumer);
        session.close();
        assertEquals(List.of("2", "3"), rest(queue));
    }

    @Test
    void closing_a_consumer_gives_back_what_was_only_prefetched() throws Exception {
        Queue queue = queue();
        send(queue, "1", "2", "3");
        MessageConsumer consumer = session().createConsumer(queue);
        assertEquals("1", nextText(consumer));
        consumer.close();
        assertEquals(List.of("2", "3"), rest(queue));
    }

    @Test
    void nowhere_is_no_destination() throws Exception {
        Session session = session();
        assertThrows(InvalidDestinationException.class, () -> session.createConsumer(null));
        assertThrows(InvalidDestinationException.class, () -> session.createBrowser(null));
    }

    @Test
    void a_producer_without_destination_sends_anywhere_and_one_with_sends_only_there() throws Exception {
        Session session = session();
        MessageProducer anywhere = session.createProducer(null);
        anywhere.send(queue("A"), session.createTextMessage("a"));
        anywhere.send(queue("B"), session.createTextMessage("b"));
        Exception refusal = assertThrows(Exception.class, () -> anywhere.send(session.createTextMessage("where")));
        assertTrue(refusal instanceof InvalidDestinationException || refusal instanceof UnsupportedOperationException, refusal.toString());
        assertEquals(List.of("a"), rest(queue("A")));
        assertEquals(List.of("b"), rest(queue("B")));
        MessageProducer bound = session.createProducer(queue("A"));
        assertThrows(UnsupportedOperationException.class, () -> bound.send(queue("B"), session.createTextMessage("no")));
    }

    @Test
    void a_producer_without_destination_sends_to_hundreds() throws Exception {
        Session session = session();
        MessageProducer anywhere = session.createProducer(null);
        for (int index = 0; index < 300; index++) {
            anywhere.send(queue("Q" + index), session.createTextMessage("m" + index));
        }
        MessageConsumer all = session.createConsumer(queue("*"));
        Set<String> texts = new TreeSet<>(texts(all, 300));
        assertEquals(300, texts.size());
    }

    @Test
    void a_closed_producer_sends_nothing() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.close();
        assertThrows(IllegalStateException.class, () -> producer.send(session.createTextMessage("late")));
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_closed_consumer_receives_nothing() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue());
        consumer.close();
        assertThrows(IllegalStateException.class, consumer::receiveNoWait);
    }

    @Test
    void a_consumer_with_a_listener_does_not_receive() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue());
        consumer.setMessageListener(message -> { });
        assertThrows(JMSException.class, consumer::receiveNoWait);
    }

    @Test
    void listeners_of_one_session_are_called_one_at_a_time() throws Exception {
        Session session = session();
        List<String> steps = Collections.synchronizedList(new ArrayList<>());
        for (String suffix : List.of("A", "B")) {
            session.createConsumer(queue(suffix)).setMessageListener(message -> {
                steps.add("in");
                Thread.yield();
                steps.add("out");
            });
        }
        send(queue("A"), numbered("a", 20));
        send(queue("B"), numbered("b", 20));
        Await.until("40 messages", () -> steps.size() == 80);
        for (int index = 0; index < 80; index += 2) {
            assertEquals(List.of("in", "out"), steps.subList(index, index + 2));
        }
    }

    @Test
    void listeners_of_two_sessions_are_called_at_the_same_time() throws Exception {
        Connection connection = connection();
        CyclicBarrier both = new CyclicBarrier(2);
        CountDownLatch met = new CountDownLatch(2);
        for (String suffix : List.of("A", "B")) {
            session(connection).createConsumer(queue(suffix)).setMessageListener(message -> {
                try {
                    both.await(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
                    met.countDown();
                } catch (Exception alone) {
                    Thread.currentThread().interrupt();
                }
            });
        }
        send(queue("A"), "a");
        send(queue("B"), "b");
        assertTrue(met.await(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void a_hundred_sessions_share_a_connection() throws Exception {
        Connection connection = connection();
        for (int index = 0; index < 100; index++) {
            send(session(connection), queue(), "m" + index);
        }
        assertEquals(List.of(numbered("m", 100)), rest(queue()));
    }

    @Test
    void a_listener_may_send_within_its_session() throws Exception {
        Session session = session();
        MessageProducer answers = session.createProducer(null);
        session.createConsumer(queue("ASK")).setMessageListener(message -> {
            try {
                answers.send(queue("ANSWER"), session.createTextMessage("re: " + text(message)));
            } catch (JMSException error) {
                throw new RuntimeException(error);
            }
        });
        send(queue("ASK"), "hello");
        assertEquals("re: hello", nextText(session().createConsumer(queue("ANSWER"))));
    }
}
