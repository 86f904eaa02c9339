package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.ServerSession;
import jakarta.jms.ConnectionConsumer;
import jakarta.jms.Connection;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQMessageConsumer;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.ActiveMQConnection;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueueTest extends Jms {
    @Test
    void messages_come_in_the_order_in_which_they_were_sent() throws Exception {
        send(queue(), numbered("m", 500));
        assertEquals(List.of(numbered("m", 500)), texts(session().createConsumer(queue()), 500));
    }

    @Test
    void non_persistent_messages_come_in_order_too() throws Exception {
        sendNonPersistent(session(), queue(), numbered("m", 500));
        assertEquals(List.of(numbered("m", 500)), texts(session().createConsumer(queue()), 500));
    }

    @Test
    void each_message_goes_to_one_of_several_consumers() throws Exception {
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        List<Set<String>> each = new ArrayList<>();
        List<Session> sessions = new ArrayList<>();
        for (int index = 0; index < 3; index++) {
            Set<String> mine = Collections.synchronizedSet(new HashSet<>());
            each.add(mine);
            Session session = session();
            sessions.add(session);
            session.createConsumer(queue()).setMessageListener(message -> {
                String id = message.toString();
                mine.add(id);
                heard.add(id);
            });
        }
        send(queue(), numbered("m", 90));
        Await.until("90 messages", () -> heard.size() >= 90);
        assertEquals(90, heard.size());
        for (Session session : sessions) {
            session.close();
        }
        assertEquals(90, each.stream().mapToInt(Set::size).sum());
        each.forEach(mine -> assertFalse(mine.isEmpty(), "a consumer got nothing"));
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void receive_with_a_time_limit_gives_up_on_an_empty_queue() throws Exception {
        assertNull(session().createConsumer(queue()).receive(50));
    }

    @Test
    void receive_without_a_limit_waits_for_the_message() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue());
        CompletableFuture<String> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return text(consumer.receive());
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        send(queue(), "at last");
        assertEquals("at last", waiting.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void receive_without_waiting_finds_what_was_prefetched() throws Exception {
        send(queue(), "there");
        MessageConsumer consumer = session().createConsumer(queue());
        Await.until("the message", () -> consumer.receiveNoWait() != null);
        assertNull(consumer.receiveNoWait());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 1000})
    void every_prefetch_receives_all_in_order(int prefetch) throws Exception {
        send(queue(), numbered("m", 100));
        MessageConsumer consumer = session("jms.prefetchPolicy.all=" + prefetch).createConsumer(queue());
        assertEquals(List.of(numbered("m", 100)), texts(consumer, 100));
        assertNull(consumer.receiveNoWait());
    }

    @Test
    void prefetch_zero_takes_only_what_is_asked_for() throws Exception {
        send(queue(), "1", "2", "3");
        MessageConsumer puller = session("jms.prefetchPolicy.all=0").createConsumer(queue());
        assertEquals("1", nextText(puller));
        assertEquals(List.of("2", "3"), rest(queue()));
        assertNull(puller.receiveNoWait());
        assertNull(puller.receive(50));
        send(queue(), "4");
        assertEquals("4", text(puller.receiveNoWait()));
    }

    @Test
    void prefetch_zero_waits_for_a_message_that_comes_later() throws Exception {
        MessageConsumer puller = session("jms.prefetchPolicy.all=0").createConsumer(queue());
        CompletableFuture<String> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return text(puller.receive(Await.PATIENCE_MILLIS));
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        assertNull(session("jms.prefetchPolicy.all=0").createConsumer(queue()).receiveNoWait());
        send(queue(), "later");
        assertEquals("later", waiting.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void prefetch_zero_with_no_limit_waits_until_a_message_comes() throws Exception {
        MessageConsumer puller = session("jms.prefetchPolicy.all=0").createConsumer(queue());
        CompletableFuture<String> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return text(puller.receive());
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        send(queue(), "later");
        assertEquals("later", waiting.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void prefetch_one_leaves_the_rest_to_others() throws Exception {
        MessageConsumer idle = session("jms.prefetchPolicy.all=1").createConsumer(queue());
        send(queue(), "1", "2", "3");
        assertEquals(List.of("2", "3"), rest(queue()));
        assertEquals("1", nextText(idle));
    }

    @Test
    void a_listener_hears_everything_in_order() throws Exception {
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session().createConsumer(queue()).setMessageListener(message -> heard.add(message.toString().isEmpty() ? "" : textOf(message)));
        send(queue(), numbered("m", 200));
        Await.until("200 messages", () -> heard.size() == 200);
        assertEquals(List.of(numbered("m", 200)), heard);
    }

    @Test
    void a_listener_set_later_hears_what_was_prefetched() throws Exception {
        send(queue(), "1", "2", "3");
        MessageConsumer consumer = session().createConsumer(queue());
        assertEquals("1", nextText(consumer));
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        consumer.setMessageListener(message -> heard.add(textOf(message)));
        Await.until("two messages", () -> heard.size() == 2);
        assertEquals(List.of("2", "3"), heard);
    }

    @Test
    void optimised_acknowledgement_loses_and_repeats_nothing() throws Exception {
        send(queue(), numbered("m", 300));
        Connection connection = connection("jms.optimizeAcknowledge=true", "jms.prefetchPolicy.queuePrefetch=20");
        MessageConsumer consumer = session(connection).createConsumer(queue());
        assertEquals(Arrays.asList(numbered("m", 300)).subList(0, 250), texts(consumer, 250));
        connection.close();
        assertEquals(Arrays.asList(numbered("m", 300)).subList(250, 300), rest(queue()));
    }

    @Test
    void asynchronous_sends_arrive_all_and_in_order() throws Exception {
        send(session("jms.useAsyncSend=true"), queue(), numbered("m", 1000));
        assertEquals(List.of(numbered("m", 1000)), texts(session().createConsumer(queue()), 1000));
    }

    @Test
    void always_synchronous_sends_arrive_too() throws Exception {
        sendNonPersistent(session("jms.alwaysSyncSend=true"), queue(), numbered("m", 50));
        assertEquals(List.of(numbered("m", 50)), texts(session().createConsumer(queue()), 50));
    }

    @Test
    void a_producer_window_lets_everything_through() throws Exception {
        Session session = session("jms.useAsyncSend=true", "jms.producerWindowSize=4096");
        MessageProducer producer = session.createProducer(queue());
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        String body = "x".repeat(1000);
        for (int index = 0; index < 300; index++) {
            producer.send(session.createTextMessage(body));
        }
        assertEquals(300, texts(session().createConsumer(queue()), 300).size());
    }

    @Test
    void an_exclusive_consumer_gets_everything_and_the_next_one_takes_over() throws Exception {
        Queue exclusive = new ActiveMQQueue(name("Q") + "?consumer.exclusive=true");
        MessageConsumer first = session().createConsumer(exclusive);
        MessageConsumer second = session().createConsumer(exclusive);
        send(queue(), numbered("m", 20));
        assertEquals(List.of(numbered("m", 20)), texts(first, 20));
        assertNull(second.receiveNoWait());
        first.close();
        send(queue(), "after");
        assertEquals("after", nextText(second));
    }

    @Test
    void an_exclusive_consumer_goes_before_ordinary_ones() throws Exception {
        MessageConsumer ordinary = session().createConsumer(queue());
        MessageConsumer exclusive = session("jms.exclusiveConsumer=true").createConsumer(queue());
        send(queue(), numbered("m", 10));
        assertEquals(List.of(numbered("m", 10)), texts(exclusive, 10));
        assertNull(ordinary.receiveNoWait());
    }

    @Test
    void the_consumer_of_higher_priority_gets_messages_while_it_has_room() throws Exception {
        MessageConsumer low = session().createConsumer(new ActiveMQQueue(name("Q") + "?consumer.priority=1"));
        MessageConsumer high = session().createConsumer(new ActiveMQQueue(name("Q") + "?consumer.priority=10"));
        send(queue(), numbered("m", 10));
        assertEquals(List.of(numbered("m", 10)), texts(high, 10));
        assertNull(low.receiveNoWait());
    }

    @Test
    void the_consumer_of_lower_priority_gets_what_the_higher_has_no_room_for() throws Exception {
        MessageConsumer low = session().createConsumer(new ActiveMQQueue(name("Q") + "?consumer.priority=1"));
        session().createConsumer(new ActiveMQQueue(name("Q") + "?consumer.priority=10&consumer.prefetchSize=2"));
        send(queue(), "1", "2", "3", "4");
        assertEquals(List.of("3", "4"), texts(low, 2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"EU.*", "EU.>", "*.BERLIN", ">"})
    void a_pattern_receives_from_queues_that_exist_and_that_come(String pattern) throws Exception {
        send(queue("EU.BERLIN"), "before");
        MessageConsumer consumer = session().createConsumer(queue(pattern));
        assertEquals("before", nextText(consumer));
        send(queue("EU.BERLIN"), "after");
        assertEquals("after", nextText(consumer));
        send(queue("AS.BERLIN"), "new");
        if (!pattern.startsWith("EU")) {
            assertEquals("new", nextText(consumer));
        } else {
            assertEquals(List.of("new"), rest(queue("AS.BERLIN")));
        }
    }

    @Test
    void a_pattern_of_one_level_skips_deeper_queues() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue("EU.*"));
        send(queue("EU.DE.BERLIN"), "deep");
        send(queue("EU.PARIS"), "here");
        assertEquals("here", nextText(consumer));
        assertEquals(List.of("deep"), rest(queue("EU.DE.BERLIN")));
    }

    @Test
    void a_message_to_a_composite_goes_to_each_part() throws Exception {
        MessageConsumer topic = session().createConsumer(topic("C"));
        send(new ActiveMQQueue(name("A") + "," + name("B") + ",topic://" + name("C")), "all");
        assertEquals(List.of("all"), rest(queue("A")));
        assertEquals(List.of("all"), rest(queue("B")));
        assertEquals("all", nextText(topic));
    }

    @Test
    void a_message_to_a_composite_names_it_beside_the_part_that_it_came_to() throws Exception {
        ActiveMQQueue composite = new ActiveMQQueue(name("A") + "," + name("B") + ",topic://" + name("C"));
        MessageConsumer topic = session().createConsumer(topic("C"));
        Session session = session();
        for (boolean transacted : new boolean[] {false, true}) {
            Session sender = transacted ? session(Session.SESSION_TRANSACTED) : session;
            send(sender, composite, "all");
            if (transacted) {
                sender.commit();
            }
            for (String part : List.of("A", "B")) {
                MessageConsumer consumer = session.createConsumer(queue(part));
                ActiveMQMessage copy = (ActiveMQMessage) next(consumer);
                assertEquals(queue(part), copy.getJMSDestination());
                assertEquals(composite, copy.getOriginalDestination());
                consumer.close();
            }
            ActiveMQMessage published = (ActiveMQMessage) next(topic);
            assertEquals(topic("C"), published.getJMSDestination());
            assertEquals(composite, published.getOriginalDestination());
        }
    }

    @Test
    void a_consumer_of_a_composite_receives_from_each_part() throws Exception {
        MessageConsumer consumer = session().createConsumer(new ActiveMQQueue(name("A") + "," + name("B")));
        send(queue("A"), "a");
        assertEquals("a", nextText(consumer));
        send(queue("B"), "b");
        assertEquals("b", nextText(consumer));
    }

    @Test
    void options_in_the_name_reach_the_consumer_and_not_the_queue() throws Exception {
        send(queue(), "1", "2");
        MessageConsumer consumer = session().createConsumer(session().createQueue(name("Q") + "?consumer.prefetchSize=1&consumer.dispatchAsync=false"));
        assertEquals(List.of("2"), rest(queue()));
        Message first = next(consumer);
        assertEquals("1", text(first));
        assertEquals(name("Q"), ((Queue) first.getJMSDestination()).getQueueName());
        assertEquals(1, ((ActiveMQMessageConsumer) consumer).getPrefetchNumber());
    }

    @Test
    void a_selector_in_the_name_selects() throws Exception {
        Session session = session();
        MessageConsumer consumer = session.createConsumer(new ActiveMQQueue(name("Q") + "?consumer.selector=colour%20%3D%20'red'"));
        MessageProducer producer = session.createProducer(queue());
        for (String colour : List.of("blue", "red")) {
            Message message = session.createTextMessage(colour);
            message.setStringProperty("colour", colour);
            producer.send(message);
        }
        assertEquals("red", nextText(consumer));
    }

    @Test
    void a_message_stays_until_somebody_takes_it() throws Exception {
        send(queue(), "patient");
        assertEquals(List.of("patient"), rest(queue()));
    }

    @Test
    void a_queue_can_be_destroyed_and_is_empty_afterwards() throws Exception {
        send(queue(), "doomed");
        connection().destroyDestination((ActiveMQQueue) queue());
        assertEquals(List.of(), rest(queue()));
    }

    private static String textOf(Message message) {
        try {
            return text(message);
        } catch (Exception error) {
            throw new RuntimeException(error);
        }
    }

    @Test
    void a_connection_consumer_feeds_the_sessions_of_a_pool() throws Exception {
        ActiveMQConnection connection = connection();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        Session session = session(connection);
        session.setMessageListener(message -> heard.add(textOf(message)));
        ServerSession one = new ServerSession() {
            @Override
            public Session getSession() {
                return session;
            }

            @Override
            public void start() {
                session.run();
            }
        };
        ConnectionConsumer consumer = connection.createConnectionConsumer(queue(), null, () -> one, 5);
        send(queue(), numbered("m", 30));
        Await.until("30 messages", () -> heard.size() == 30);
        consumer.close();
        assertEquals(List.of(numbered("m", 30)), heard);
        assertEquals(List.of(), rest(queue()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"jms.optimizedAckScheduledAckInterval=50", "jms.optimizeAcknowledgeTimeOut=10"})
    void optimised_acknowledgements_that_are_due_leave_without_more_messages(String option) throws Exception {
        send(queue(), "1", "2", "3");
        ActiveMQConnection connection = connection("jms.optimizeAcknowledge=true", option);
        MessageConsumer consumer = session(connection).createConsumer(queue());
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        connection.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void priorities_are_put_in_order_by_a_client_that_supports_them() throws Exception {
        Session session = session("jms.messagePrioritySupported=true");
        MessageProducer producer = session.createProducer(queue());
        MessageConsumer consumer = session.createConsumer(queue());
        for (int priority : new int[] {1, 9, 4}) {
            producer.send(session.createTextMessage("p" + priority), DeliveryMode.PERSISTENT, priority, 0);
        }
        Set<String> all = new HashSet<>(texts(consumer, 3));
        assertEquals(Set.of("p1", "p4", "p9"), all);
    }

    @Test
    void pulling_consumers_compete_for_messages_that_come_later() throws Exception {
        List<CompletableFuture<String>> waiting = new ArrayList<>();
        for (int index = 0; index < 4; index++) {
            MessageConsumer puller = session("jms.prefetchPolicy.all=0").createConsumer(queue());
            waiting.add(CompletableFuture.supplyAsync(() -> {
                try {
                    return text(puller.receive());
                } catch (Exception error) {
                    throw new RuntimeException(error);
                }
            }));
        }
        send(queue(), numbered("m", 4));
        Set<String> got = new HashSet<>();
        for (CompletableFuture<String> one : waiting) {
            got.add(one.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        }
        assertEquals(Set.of(numbered("m", 4)), got);
    }
}
