package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.Connection;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.Topic;
import java.util.ArrayList;
import java.util.List;
import org.apache.activemq.command.ActiveMQTopic;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TopicTest extends Jms {
    @Test
    void every_subscriber_gets_every_message_in_order() throws Exception {
        List<MessageConsumer> consumers = new ArrayList<>();
        for (int index = 0; index < 5; index++) {
            consumers.add(session().createConsumer(topic()));
        }
        send(topic(), numbered("m", 200));
        for (MessageConsumer consumer : consumers) {
            assertEquals(List.of(numbered("m", 200)), texts(consumer, 200));
        }
    }

    @Test
    void subscribers_of_one_session_each_get_every_message() throws Exception {
        Session session = session();
        MessageConsumer one = session.createConsumer(topic());
        MessageConsumer other = session.createConsumer(topic());
        send(topic(), "m");
        assertEquals("m", nextText(one));
        assertEquals("m", nextText(other));
    }

    @Test
    void what_was_sent_before_subscribing_does_not_come() throws Exception {
        send(topic(), "early");
        MessageConsumer consumer = session().createConsumer(topic());
        send(topic(), "late");
        assertEquals("late", nextText(consumer));
    }

    @Test
    void nothing_comes_after_unsubscribing() throws Exception {
        Session session = session();
        MessageConsumer stays = session.createConsumer(topic());
        MessageConsumer goes = session.createConsumer(topic());
        goes.close();
        send(topic(), "m");
        assertEquals("m", nextText(stays));
    }

    @Test
    void a_topic_and_a_queue_of_the_same_name_are_strangers() throws Exception {
        MessageConsumer topic = session().createConsumer(topic("SAME"));
        send(queue("SAME"), "to the queue");
        send(topic("SAME"), "to the topic");
        assertEquals("to the topic", nextText(topic));
        assertEquals(List.of("to the queue"), rest(queue("SAME")));
    }

    @Test
    void no_local_keeps_what_the_own_connection_sends() throws Exception {
        Connection connection = connection();
        MessageConsumer others = session(connection).createConsumer(topic(), null, true);
        MessageConsumer all = session(connection).createConsumer(topic());
        send(session(connection), topic(), "own");
        send(topic(), "foreign");
        assertEquals(List.of("own", "foreign"), texts(all, 2));
        assertEquals("foreign", nextText(others));
    }

    @Test
    void no_local_in_the_name_does_the_same() throws Exception {
        Connection connection = connection();
        MessageConsumer others = session(connection).createConsumer(new ActiveMQTopic(name("T") + "?consumer.noLocal=true"));
        send(session(connection), topic(), "own");
        send(topic(), "foreign");
        assertEquals("foreign", nextText(others));
    }

    @ParameterizedTest
    @CsvSource({"STOCK.*, true, false, false", "STOCK.>, true, true, true", "*.IBM, true, false, false", "STOCK.*.NYSE, false, true, false"})
    void a_pattern_covers_levels(String pattern, boolean level, boolean deeper, boolean itself) throws Exception {
        MessageConsumer consumer = session().createConsumer(topic(pattern));
        send(topic("STOCK.IBM"), "level");
        send(topic("STOCK.IBM.NYSE"), "deeper");
        send(topic("STOCK"), "itself");
        List<String> expected = new ArrayList<>();
        if (level) {
            expected.add("level");
        }
        if (deeper) {
            expected.add("deeper");
        }
        if (itself) {
            expected.add("itself");
        }
        send(new ActiveMQTopic(name("STOCK.IBM") + "," + name("STOCK.IBM.NYSE")), "<end>");
        assertEquals(expected, untilEnd(consumer));
    }

    @Test
    void a_subscriber_of_a_pattern_learns_which_topic_it_was() throws Exception {
        MessageConsumer consumer = session().createConsumer(topic(">"));
        send(topic("A.B"), "m");
        assertEquals(topic("A.B"), next(consumer).getJMSDestination());
    }

    @Test
    void two_patterns_of_one_session_each_get_the_message() throws Exception {
        Session session = session();
        MessageConsumer one = session.createConsumer(topic("A.*"));
        MessageConsumer other = session.createConsumer(topic("*.B"));
        send(topic("A.B"), "m");
        assertEquals("m", nextText(one));
        assertEquals("m", nextText(other));
    }

    @Test
    void a_composite_publishes_and_subscribes() throws Exception {
        Topic both = new ActiveMQTopic(name("A") + "," + name("B"));
        MessageConsumer consumer = session().createConsumer(both);
        send(topic("A"), "a");
        send(topic("B"), "b");
        assertEquals(List.of("a", "b"), texts(consumer, 2));
        send(both, "both");
        assertEquals(List.of("both", "both"), texts(consumer, 2));
    }

    @Test
    void a_selector_narrows_a_subscription() throws Exception {
        Session session = session();
        MessageConsumer red = session.createConsumer(topic(), "colour = 'red'");
        MessageProducer producer = session.createProducer(topic());
        for (String colour : List.of("blue", "red", "green", "red")) {
            Message message = session.createTextMessage(colour);
            message.setStringProperty("colour", colour);
            producer.send(message);
        }
        assertEquals(List.of("red", "red"), texts(red, 2));
    }

    @Test
    void a_retroactive_subscriber_is_served_from_then_on() throws Exception {
        MessageConsumer consumer = session().createConsumer(new ActiveMQTopic(name("T") + "?consumer.retroactive=true"));
        send(topic(), "m");
        assertEquals("m", nextText(consumer));
    }

    @Test
    void a_small_prefetch_gets_everything_from_a_topic_too() throws Exception {
        MessageConsumer consumer = session("jms.prefetchPolicy.all=1").createConsumer(topic());
        send(topic(), numbered("m", 50));
        assertEquals(List.of(numbered("m", 50)), texts(consumer, 50));
    }

    @Test
    void prefetch_zero_pulls_from_a_topic() throws Exception {
        MessageConsumer consumer = session("jms.prefetchPolicy.all=0").createConsumer(topic());
        send(topic(), "1", "2");
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        assertNull(consumer.receiveNoWait());
    }

    @Test
    void client_acknowledgement_works_on_a_topic() throws Exception {
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(topic());
        send(topic(), "1", "2");
        Message first = next(consumer);
        next(consumer);
        session.recover();
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        first.acknowledge();
    }

    @Test
    void ten_thousand_small_messages_reach_two_subscribers() throws Exception {
        MessageConsumer one = session().createConsumer(topic());
        MessageConsumer other = session().createConsumer(topic());
        sendNonPersistent(session("jms.useAsyncSend=true"), topic(), numbered("m", 10_000));
        assertEquals(List.of(numbered("m", 10_000)), texts(one, 10_000));
        assertEquals(List.of(numbered("m", 10_000)), texts(other, 10_000));
    }
}
