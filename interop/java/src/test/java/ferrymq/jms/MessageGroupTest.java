package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MessageGroupTest extends Jms {
    private void sendGroup(String group, int sequence, String... texts) throws JMSException {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        for (String text : texts) {
            Message message = session.createTextMessage(text);
            message.setStringProperty("JMSXGroupID", group);
            if (sequence != 0) {
                message.setIntProperty("JMSXGroupSeq", sequence);
            }
            producer.send(message);
        }
    }

    @Test
    void a_group_goes_to_one_consumer_in_order() throws Exception {
        Session one = session();
        Session other = session();
        List<MessageConsumer> consumers = List.of(one.createConsumer(queue()), other.createConsumer(queue()));
        sendGroup("g", 0, numbered("m", 50));
        MessageConsumer[] owner = new MessageConsumer[1];
        Await.until("the first", () -> {
            for (MessageConsumer consumer : consumers) {
                if (consumer.receiveNoWait() != null) {
                    owner[0] = consumer;
                    return true;
                }
            }
            return false;
        });
        for (int index = 1; index < 50; index++) {
            assertEquals("m" + index, nextText(owner[0]));
        }
    }

    @Test
    void many_groups_spread_over_consumers_and_each_stays_whole() throws Exception {
        Map<String, List<Integer>> owners = new HashMap<>();
        Map<String, List<String>> texts = new HashMap<>();
        List<Session> sessions = new ArrayList<>();
        int[] total = new int[1];
        for (int index = 0; index < 3; index++) {
            int number = index;
            Session session = session();
            sessions.add(session);
            session.createConsumer(queue()).setMessageListener(message -> {
                try {
                    synchronized (owners) {
                        String group = message.getStringProperty("JMSXGroupID");
                        owners.computeIfAbsent(group, key -> new ArrayList<>()).add(number);
                        texts.computeIfAbsent(group, key -> new ArrayList<>()).add(text(message));
                        total[0]++;
                    }
                } catch (JMSException error) {
                    throw new RuntimeException(error);
                }
            });
        }
        for (int round = 0; round < 10; round++) {
            for (int group = 0; group < 9; group++) {
                sendGroup("g" + group, 0, "m" + round);
            }
        }
        Await.until("90 messages", () -> {
            synchronized (owners) {
                return total[0] == 90;
            }
        });
        owners.forEach((group, numbers) -> assertEquals(1, numbers.stream().distinct().count(), group));
        texts.forEach((group, list) -> assertEquals(List.of(numbered("m", 10)), list, group));
        assertEquals(3, owners.values().stream().map(numbers -> numbers.get(0)).distinct().count());
    }

    @Test
    void the_first_message_tells_its_consumer_that_the_group_is_new_to_it() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue());
        sendGroup("g", 0, "1", "2");
        assertTrue(next(consumer).getBooleanProperty("JMSXGroupFirstForConsumer"));
        assertFalse(next(consumer).getBooleanProperty("JMSXGroupFirstForConsumer"));
    }

    @Test
    void a_group_moves_when_its_consumer_leaves() throws Exception {
        MessageConsumer first = session().createConsumer(queue());
        sendGroup("g", 0, "1");
        assertEquals("1", nextText(first));
        MessageConsumer second = session().createConsumer(queue());
        sendGroup("g", 0, "2");
        assertEquals("2", nextText(first));
        first.close();
        sendGroup("g", 0, "3");
        Message moved = next(second);
        assertEquals("3", text(moved));
        assertTrue(moved.getBooleanProperty("JMSXGroupFirstForConsumer"));
    }

    @Test
    void closing_a_group_frees_it_for_others() throws Exception {
        MessageConsumer first = session().createConsumer(queue());
        sendGroup("g", 0, "1");
        assertTrue(next(first).getBooleanProperty("JMSXGroupFirstForConsumer"));
        sendGroup("g", -1, "last");
        assertEquals("last", nextText(first));
        sendGroup("g", 0, "again");
        Message again = next(first);
        assertEquals("again", text(again));
        assertTrue(again.getBooleanProperty("JMSXGroupFirstForConsumer"));
    }

    /** A consumer that has one message in its hands, not acknowledged, and room for one more. */
    private MessageConsumer busy(Message[] held, int sequence) throws JMSException {
        Session session = session(Session.CLIENT_ACKNOWLEDGE, "jms.prefetchPolicy.all=1");
        MessageConsumer consumer = session.createConsumer(queue());
        sendGroup("g", sequence, "1");
        held[0] = next(consumer);
        assertEquals("1", text(held[0]));
        // What it told the broker before has come there when this is answered.
        session.createTemporaryQueue().delete();
        return consumer;
    }

    @Test
    void a_closed_group_goes_to_whoever_has_room() throws Exception {
        Message[] held = new Message[1];
        MessageConsumer owner = busy(held, 0);
        MessageConsumer other = session().createConsumer(queue());
        sendGroup("g", -1, "last");
        sendGroup("g", 0, "again");
        Message again = next(other);
        assertEquals("again", text(again));
        assertTrue(again.getBooleanProperty("JMSXGroupFirstForConsumer"));
        assertEquals("last", nextText(owner));
        held[0].acknowledge();
        sendGroup("g", 0, "and again");
        assertEquals("and again", nextText(other));
    }

    @Test
    void a_first_message_takes_its_group_along_to_whoever_has_room() throws Exception {
        Message[] held = new Message[1];
        MessageConsumer owner = busy(held, 1);
        MessageConsumer other = session().createConsumer(queue());
        sendGroup("g", 2, "2");
        sendGroup("g", 1, "first");
        Message first = next(other);
        assertEquals("first", text(first));
        assertTrue(first.getBooleanProperty("JMSXGroupFirstForConsumer"));
        assertEquals("2", nextText(owner));
        held[0].acknowledge();
        sendGroup("g", 2, "second");
        Message second = next(other);
        assertEquals("second", text(second));
        assertFalse(second.getBooleanProperty("JMSXGroupFirstForConsumer"));
    }

    @Test
    void a_group_that_nobody_has_may_begin_with_any_number() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue());
        sendGroup("g", 7, "seven");
        sendGroup("g", 3, "three");
        Message first = next(consumer);
        assertEquals("seven", text(first));
        assertEquals(7, first.getIntProperty("JMSXGroupSeq"));
        assertTrue(first.getBooleanProperty("JMSXGroupFirstForConsumer"));
        assertFalse(next(consumer).getBooleanProperty("JMSXGroupFirstForConsumer"));
    }

    @Test
    void messages_without_a_group_go_around_a_busy_owner() throws Exception {
        Session one = session(Session.CLIENT_ACKNOWLEDGE, "jms.prefetchPolicy.all=1");
        MessageConsumer owner = one.createConsumer(queue());
        sendGroup("g", 0, "1");
        assertEquals("1", nextText(owner));
        MessageConsumer other = session().createConsumer(queue());
        send(queue(), numbered("free", 4));
        List<String> seen = new ArrayList<>();
        seen.add(nextText(other));
        assertTrue(seen.get(0).startsWith("free"));
    }

    @Test
    void a_group_whose_owner_has_no_room_waits_for_it() throws Exception {
        Session one = session(Session.CLIENT_ACKNOWLEDGE, "jms.prefetchPolicy.all=1");
        MessageConsumer owner = one.createConsumer(queue());
        sendGroup("g", 0, "1");
        Message first = next(owner);
        assertEquals("1", text(first));
        MessageConsumer other = session().createConsumer(queue());
        sendGroup("g", 0, "2", "3", "4");
        send(queue(), "free", "free");
        assertEquals("free", nextText(other));
        first.acknowledge();
        for (String text : List.of("2", "3", "4")) {
            Message message = next(owner);
            assertEquals(text, text(message));
            message.acknowledge();
        }
    }

    @Test
    void a_transaction_that_rolls_back_keeps_its_group() throws Exception {
        Session one = session(Session.SESSION_TRANSACTED);
        MessageConsumer owner = one.createConsumer(queue());
        sendGroup("g", 0, "1", "2");
        texts(owner, 2);
        session().createConsumer(queue());
        one.rollback();
        assertEquals(List.of("1", "2"), texts(owner, 2));
        one.commit();
    }
}
