package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TransactionTest extends Jms {
    private Session transacted(String... options) throws JMSException {
        return session(Session.SESSION_TRANSACTED, options);
    }

    @Test
    void what_is_sent_appears_at_the_commit() throws Exception {
        Session session = transacted();
        send(session, queue(), "1", "2", "3");
        assertEquals(List.of(), rest(queue()));
        session.commit();
        assertEquals(List.of("1", "2", "3"), rest(queue()));
    }

    @Test
    void what_is_sent_and_rolled_back_never_appears() throws Exception {
        Session session = transacted();
        send(session, queue(), "undone");
        session.rollback();
        send(session, queue(), "done");
        session.commit();
        assertEquals(List.of("done"), rest(queue()));
    }

    @Test
    void what_is_received_and_committed_is_gone() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = transacted();
        texts(session.createConsumer(queue()), 2);
        session.commit();
        session.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void what_is_received_and_rolled_back_comes_again_in_order_with_a_higher_count() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = transacted();
        MessageConsumer consumer = session.createConsumer(queue());
        for (int count = 1; count <= 3; count++) {
            for (String text : List.of("1", "2")) {
                Message message = next(consumer);
                assertEquals(text, text(message));
                assertEquals(count, message.getIntProperty("JMSXDeliveryCount"));
                assertEquals(count > 1, message.getJMSRedelivered());
            }
            session.rollback();
        }
        assertEquals(List.of("1", "2", "3"), texts(consumer, 3));
        session.commit();
        session.close();
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void what_was_rolled_back_goes_to_another_consumer_with_its_count() throws Exception {
        send(queue(), "m");
        Session session = transacted();
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        session.rollback();
        session.close();
        Message again = next(session().createConsumer(queue()));
        assertTrue(again.getJMSRedelivered());
        assertEquals(2, again.getIntProperty("JMSXDeliveryCount"));
    }

    @Test
    void receiving_and_sending_are_one_unit() throws Exception {
        send(queue("IN"), "work");
        Session session = transacted();
        MessageConsumer in = session.createConsumer(queue("IN"));
        assertEquals("work", nextText(in));
        send(session, queue("OUT"), "half done");
        session.rollback();
        assertEquals("work", nextText(in));
        send(session, queue("OUT"), "done");
        session.commit();
        session.close();
        assertEquals(List.of(), rest(queue("IN")));
        assertEquals(List.of("done"), rest(queue("OUT")));
    }

    @Test
    void a_transaction_covers_several_destinations() throws Exception {
        MessageConsumer topic = session().createConsumer(topic());
        Session session = transacted();
        send(session, queue("A"), "a");
        send(session, queue("B"), "b");
        send(session, topic(), "t");
        session.commit();
        assertEquals(List.of("a"), rest(queue("A")));
        assertEquals(List.of("b"), rest(queue("B")));
        assertEquals("t", nextText(topic));
    }

    @Test
    void a_topic_hears_nothing_of_what_is_rolled_back() throws Exception {
        MessageConsumer topic = session().createConsumer(topic());
        Session session = transacted();
        send(session, topic(), "undone");
        session.rollback();
        send(session, topic(), "done");
        session.commit();
        assertEquals("done", nextText(topic));
    }

    @Test
    void closing_a_session_without_commit_rolls_back() throws Exception {
        send(queue("IN"), "in");
        Session session = transacted();
        next(session.createConsumer(queue("IN")));
        send(session, queue("OUT"), "out");
        session.close();
        assertEquals(List.of("in"), rest(queue("IN")));
        assertEquals(List.of(), rest(queue("OUT")));
    }

    @Test
    void closing_a_connection_without_commit_rolls_back() throws Exception {
        send(queue("IN"), "in");
        Connection connection = connection();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        next(session.createConsumer(queue("IN")));
        send(session, queue("OUT"), "out");
        connection.close();
        assertEquals(List.of("in"), rest(queue("IN")));
        assertEquals(List.of(), rest(queue("OUT")));
    }

    @Test
    void the_end_of_the_socket_rolls_back() throws Exception {
        send(queue("IN"), "in");
        ActiveMQConnection connection = connection();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        next(session.createConsumer(queue("IN")));
        send(session, queue("OUT"), "out");
        cut(connection);
        assertEquals("in", nextText(session().createConsumer(queue("IN"))));
        assertEquals(List.of(), rest(queue("OUT")));
    }

    @Test
    void closing_a_consumer_before_the_commit_keeps_its_acknowledgements() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = transacted();
        MessageConsumer consumer = session.createConsumer(queue());
        texts(consumer, 2);
        consumer.close();
        session.commit();
        session.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void closing_a_consumer_before_the_rollback_gives_everything_back() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = transacted();
        MessageConsumer consumer = session.createConsumer(queue());
        texts(consumer, 2);
        consumer.close();
        session.rollback();
        session.close();
        assertEquals(List.of("1", "2", "3"), rest(queue()));
    }

    @Test
    void an_empty_transaction_commits_and_rolls_back() throws Exception {
        Session session = transacted();
        session.commit();
        session.rollback();
        send(session, queue(), "m");
        session.commit();
        assertEquals(List.of("m"), rest(queue()));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5})
    void a_transaction_may_receive_far_more_than_the_prefetch(int prefetch) throws Exception {
        send(queue(), numbered("m", 60));
        Session session = transacted("jms.prefetchPolicy.all=" + prefetch);
        MessageConsumer consumer = session.createConsumer(queue());
        assertEquals(List.of(numbered("m", 60)), texts(consumer, 60));
        session.rollback();
        assertEquals(List.of(numbered("m", 60)), texts(consumer, 60));
        session.commit();
        session.close();
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_large_transaction_is_one_unit() throws Exception {
        Session session = transacted();
        send(session, queue(), numbered("m", 5000));
        assertEquals(List.of(), rest(queue()));
        session.commit();
        assertEquals(List.of(numbered("m", 5000)), texts(session().createConsumer(queue()), 5000));
    }

    @Test
    void two_sessions_of_one_connection_have_transactions_of_their_own() throws Exception {
        Connection connection = connection();
        Session one = session(connection, Session.SESSION_TRANSACTED);
        Session other = session(connection, Session.SESSION_TRANSACTED);
        send(one, queue(), "one");
        send(other, queue(), "other");
        one.rollback();
        other.commit();
        assertEquals(List.of("other"), rest(queue()));
    }

    @Test
    void a_message_in_an_open_transaction_is_not_given_to_others() throws Exception {
        send(queue(), "taken", "free");
        Session session = transacted("jms.prefetchPolicy.all=1");
        assertEquals("taken", nextText(session.createConsumer(queue())));
        List<String> others = rest(queue());
        assertFalse(others.contains("taken"), others.toString());
    }

    @Test
    void a_listener_may_commit() throws Exception {
        send(queue(), numbered("m", 20));
        Session session = transacted();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session.createConsumer(queue()).setMessageListener(message -> {
            try {
                heard.add(text(message));
                session.commit();
            } catch (JMSException error) {
                throw new RuntimeException(error);
            }
        });
        Await.until("20 messages", () -> heard.size() == 20);
        assertEquals(List.of(numbered("m", 20)), heard);
    }

    @Test
    void a_listener_may_roll_back_once() throws Exception {
        send(queue(), "1", "2");
        Session session = transacted();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session.createConsumer(queue()).setMessageListener(message -> {
            try {
                heard.add(text(message));
                if (heard.size() == 1) {
                    session.rollback();
                } else {
                    session.commit();
                }
            } catch (JMSException error) {
                throw new RuntimeException(error);
            }
        });
        Await.until("3 calls", () -> heard.size() == 3);
        assertEquals(List.of("1", "1", "2"), heard);
    }

    @Test
    void individual_acknowledgement_within_a_transaction_of_another_session_is_apart() throws Exception {
        send(queue(), "1", "2");
        Connection connection = connection("jms.prefetchPolicy.all=1");
        Session individual = session(connection, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = individual.createConsumer(queue());
        next(consumer).acknowledge();
        Session session = session(connection, Session.SESSION_TRANSACTED);
        send(session, queue(), "3");
        session.rollback();
        individual.close();
        assertEquals(List.of("2"), rest(queue()));
    }

    @Test
    void what_was_committed_survives_a_crash_and_what_was_not_does_not() throws Exception {
        Broker own = closing(Broker.own());
        Connection connection = connected(url(own));
        Session session = session(connection, Session.SESSION_TRANSACTED);
        send(session, queue(), "1", "2");
        session.commit();
        send(session, queue(), "3");
        own.restart();
        assertEquals(List.of("1", "2"), rest(own, queue()));
    }

    @Test
    void asynchronous_sends_are_in_the_transaction() throws Exception {
        Session session = transacted("jms.useAsyncSend=true");
        send(session, queue(), numbered("m", 200));
        session.rollback();
        send(session, queue(), numbered("n", 200));
        session.commit();
        assertEquals(Arrays.asList(numbered("n", 200)), rest(queue()));
    }

    @Test
    void one_producer_serves_many_transactions() throws Exception {
        Session session = transacted();
        Queue queue = queue();
        MessageProducer producer = session.createProducer(queue);
        List<String> expected = new ArrayList<>();
        for (int index = 0; index < 50; index++) {
            producer.send(session.createTextMessage("m" + index));
            if (index % 3 == 0) {
                session.rollback();
            } else {
                session.commit();
                expected.add("m" + index);
            }
        }
        assertEquals(expected, rest(queue));
    }

    /** Two sessions of one connection; nobody waits for the answer to a send in a transaction. */
    @Test
    void a_refused_message_fails_its_own_transaction_alone() throws Exception {
        ActiveMQConnection connection = connection("jms.watchTopicAdvisories=false");
        Session spoilt = session(connection, Session.SESSION_TRANSACTED);
        Session whole = session(connection, Session.SESSION_TRANSACTED);
        TemporaryQueue gone = spoilt.createTemporaryQueue();
        MessageProducer lost = spoilt.createProducer(gone);
        gone.delete();
        send(whole, queue(), "whole");
        send(spoilt, queue(), "spoilt");
        lost.send(spoilt.createTextMessage("lost"));
        assertThrows(JMSException.class, spoilt::commit);
        whole.commit();
        assertEquals(List.of("whole"), rest(queue()));
    }

    @Test
    void individual_acknowledgement_in_a_transaction_follows_it() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = transacted("jms.transactedIndividualAck=true");
        MessageConsumer consumer = session.createConsumer(queue());
        texts(consumer, 2);
        session.rollback();
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        session.commit();
        session.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void what_is_sent_with_a_time_to_live_expires_after_the_commit_too() throws Exception {
        Session session = transacted();
        MessageProducer producer = session.createProducer(queue());
        producer.setTimeToLive(1);
        producer.send(session.createTextMessage("short"));
        long sent = System.currentTimeMillis();
        Await.until("the end of its life", () -> System.currentTimeMillis() > sent + 5);
        session.commit();
        assertEquals(List.of(), rest(queue()));
    }
}
