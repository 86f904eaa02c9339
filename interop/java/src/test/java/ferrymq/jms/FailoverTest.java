package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import jakarta.jms.TransactionRolledBackException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQConnection;
import org.junit.jupiter.api.Test;

class FailoverTest extends Jms {
    private static String failover(Broker broker, String... options) {
        return "failover:(" + broker.url() + ")?initialReconnectDelay=20&maxReconnectDelay=100&" + PROMPT
                + (options.length == 0 ? "" : "&" + String.join("&", options));
    }

    @Test
    void a_producer_sends_on_through_a_crash_and_nothing_is_lost_or_doubled() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own)));
        MessageProducer producer = session.createProducer(queue());
        for (int index = 0; index < 300; index++) {
            if (index == 150) {
                own.kill();
                CompletableFuture.runAsync(own::start);
            }
            producer.send(session.createTextMessage("m" + index));
        }
        assertEquals(List.of(numbered("m", 300)), rest(own, queue()));
    }

    @Test
    void a_consumer_receives_on_through_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own)), Session.AUTO_ACKNOWLEDGE);
        send(session, queue(), numbered("m", 100));
        MessageConsumer consumer = session.createConsumer(queue());
        List<String> heard = new ArrayList<>(texts(consumer, 50));
        own.restart();
        while (!heard.contains("m99")) {
            String text = nextText(consumer);
            if (!heard.contains(text)) {
                heard.add(text);
            }
        }
        assertEquals(List.of(numbered("m", 100)), heard);
    }

    @Test
    void a_listener_hears_on_through_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        Connection connection = connected(failover(own));
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session(connection).createConsumer(queue()).setMessageListener(message -> {
            try {
                heard.add(text(message));
            } catch (JMSException error) {
                throw new RuntimeException(error);
            }
        });
        send(session(connection), queue(), "before");
        Await.until("the first", () -> heard.contains("before"));
        own.restart();
        send(session(connection), queue(), "after");
        Await.until("the second", () -> heard.contains("after"));
    }

    @Test
    void a_transaction_over_a_crash_is_replayed_or_rolled_back_as_a_whole() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own)), Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(queue());
        List<String> committed = new ArrayList<>();
        for (int round = 0; round < 6; round++) {
            boolean done = false;
            while (!done) {
                try {
                    for (int index = 0; index < 5; index++) {
                        producer.send(session.createTextMessage("r" + round + "m" + index));
                        if (round == 3 && index == 2 && committed.size() == 15) {
                            own.restart();
                        }
                    }
                    session.commit();
                    done = true;
                } catch (TransactionRolledBackException again) {
                    assertEquals(3, round);
                }
            }
            for (int index = 0; index < 5; index++) {
                committed.add("r" + round + "m" + index);
            }
        }
        assertEquals(committed, rest(own, queue()));
    }

    @Test
    void what_only_sent_beside_an_idle_consumer_is_committed_over_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own)), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue("requests"));
        send(session, queue("requests"), "first");
        session.commit();
        assertEquals("first", nextText(consumer));
        session.commit();
        send(session, queue(), "second");
        own.restart();
        session.commit();
        assertEquals(List.of("second"), rest(own, queue()));
    }

    @Test
    void a_transacted_consumer_gets_everything_once_committed() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own)), Session.SESSION_TRANSACTED);
        send(session, queue(), numbered("m", 30));
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue());
        List<String> committed = new ArrayList<>();
        boolean crashed = false;
        while (committed.size() < 30) {
            List<String> batch = new ArrayList<>();
            try {
                for (int index = 0; index < 5; index++) {
                    batch.add(nextText(consumer));
                }
                if (committed.size() == 15 && !crashed) {
                    crashed = true;
                    own.restart();
                }
                session.commit();
                committed.addAll(batch);
            } catch (TransactionRolledBackException again) {
                assertTrue(crashed);
            }
        }
        assertEquals(List.of(numbered("m", 30)), committed);
        session.close();
        assertEquals(List.of(), rest(own, queue()));
    }

    @Test
    void a_durable_subscriber_hears_on_through_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        ActiveMQConnection connection = connected(failover(own, "jms.clientID=" + name("client")));
        Session session = session(connection);
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub");
        send(session, topic(), "before");
        assertEquals("before", nextText(consumer));
        own.restart();
        send(session, topic(), "after");
        assertEquals("after", nextText(consumer));
    }

    @Test
    void temporary_queues_are_made_again() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own)));
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        own.restart();
        send(session, queue, "still mine");
        assertEquals("still mine", nextText(consumer));
    }

    @Test
    void only_the_socket_breaks_and_the_session_goes_on() throws Exception {
        Session session = session(connected("failover:(" + broker().url() + ")?initialReconnectDelay=20&" + PROMPT), Session.CLIENT_ACKNOWLEDGE);
        send(session, queue(), "1", "2", "3");
        MessageConsumer consumer = session.createConsumer(queue());
        assertEquals("1", nextText(consumer));
        ActiveMQConnection connection = ((org.apache.activemq.ActiveMQSession) session).getConnection();
        cut(connection);
        send(session, queue(), "4");
        List<String> rest = new ArrayList<>();
        while (!rest.contains("4")) {
            rest.add(nextText(consumer));
        }
        assertTrue(rest.containsAll(List.of("2", "3", "4")), rest.toString());
    }

    @Test
    void a_client_that_starts_before_the_broker_waits_for_it() throws Exception {
        Broker own = closing(Broker.own());
        own.stop();
        CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> {
            try {
                Session session = session(connected(failover(own)));
                send(session, queue(), "patient");
                return nextText(session.createConsumer(queue()));
            } catch (JMSException error) {
                return error.toString();
            }
        });
        own.start();
        assertEquals("patient", answer.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void a_pulling_consumer_goes_on_after_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(failover(own, "jms.prefetchPolicy.all=0")));
        MessageConsumer consumer = session.createConsumer(queue());
        CompletableFuture<String> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return text(consumer.receive());
            } catch (JMSException error) {
                return error.toString();
            }
        });
        own.restart();
        send(session(connected(url(own))), queue(), "late");
        assertEquals("late", waiting.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void what_was_stored_survives_an_orderly_restart() throws Exception {
        Broker own = closing(Broker.own());
        send(session(connected(url(own))), queue(), numbered("m", 100));
        own.stop();
        own.start();
        assertEquals(List.of(numbered("m", 100)), rest(own, queue()));
    }

    @Test
    void sends_over_a_socket_that_keeps_breaking_arrive_once_each() throws Exception {
        ActiveMQConnection connection = connected("failover:(" + broker().url() + ")?initialReconnectDelay=10&maxReconnectDelay=20&" + PROMPT);
        Session session = session(connection);
        MessageProducer producer = session.createProducer(queue());
        for (int index = 0; index < 200; index++) {
            if (index % 20 == 19) {
                cut(connection);
            }
            producer.send(session.createTextMessage("m" + index));
        }
        assertEquals(List.of(numbered("m", 200)), rest(queue()));
    }

    @Test
    void transactions_over_a_socket_that_keeps_breaking_are_committed_once_or_rolled_back() throws Exception {
        ActiveMQConnection connection = connected("failover:(" + broker().url() + ")?initialReconnectDelay=10&maxReconnectDelay=20&" + PROMPT);
        Session session = session(connection, Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(queue());
        List<String> committed = new ArrayList<>();
        for (int round = 0; round < 20; round++) {
            try {
                producer.send(session.createTextMessage("a" + round));
                if (round % 3 == 0) {
                    cut(connection);
                }
                producer.send(session.createTextMessage("b" + round));
                session.commit();
                committed.add("a" + round);
                committed.add("b" + round);
            } catch (TransactionRolledBackException undone) {
                assertEquals(0, round % 3);
            }
        }
        assertEquals(committed, rest(queue()));
    }

    @Test
    void the_client_goes_to_another_broker_of_its_list() throws Exception {
        Broker first = closing(Broker.own());
        Broker second = closing(Broker.own());
        Session session = session(connected("failover:(" + first.url() + "," + second.url() + ")?randomize=false&initialReconnectDelay=20&" + PROMPT));
        MessageConsumer consumer = session.createConsumer(queue());
        send(session, queue(), "at the first");
        assertEquals("at the first", nextText(consumer));
        first.kill();
        send(session, queue(), "at the second");
        assertEquals("at the second", nextText(consumer));
    }

    @Test
    void a_consumer_hears_everything_over_a_socket_that_breaks() throws Exception {
        ActiveMQConnection connection = connected("failover:(" + broker().url() + ")?initialReconnectDelay=10&" + PROMPT);
        Session session = session(connection);
        MessageConsumer consumer = session.createConsumer(queue());
        send(session, queue(), numbered("m", 40));
        List<String> heard = new ArrayList<>();
        while (!heard.contains("m39")) {
            String text = nextText(consumer);
            if (!heard.contains(text)) {
                heard.add(text);
            }
            if (text.equals("m10") || text.equals("m25")) {
                cut(connection);
            }
        }
        assertEquals(List.of(numbered("m", 40)), heard);
    }
}
