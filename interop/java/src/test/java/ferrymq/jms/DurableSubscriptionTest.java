package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.InvalidDestinationException;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import jakarta.jms.Topic;
import jakarta.jms.TopicSubscriber;
import java.util.List;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.junit.jupiter.api.Test;

class DurableSubscriptionTest extends Jms {
    /** Subscribes and goes away again. */
    private void subscribed(Topic topic, String selector) throws JMSException {
        Connection connection = named(name("client"));
        session(connection).createDurableSubscriber(topic, "sub", selector, false);
        connection.close();
    }

    private TopicSubscriber back(Topic topic, String selector) throws JMSException {
        return session(named(name("client"))).createDurableSubscriber(topic, "sub", selector, false);
    }

    private void sendColours(String... colours) throws JMSException {
        Session session = session();
        MessageProducer producer = session.createProducer(topic());
        for (String colour : colours) {
            Message message = session.createTextMessage(colour);
            message.setStringProperty("colour", colour);
            producer.send(message);
        }
    }

    @Test
    void what_was_sent_while_away_comes_on_return() throws Exception {
        subscribed(topic(), null);
        send(topic(), numbered("m", 50));
        assertEquals(List.of(numbered("m", 50)), texts(back(topic(), null), 50));
    }

    @Test
    void non_persistent_messages_wait_too() throws Exception {
        subscribed(topic(), null);
        sendNonPersistent(session(), topic(), "1");
        send(topic(), "2");
        assertEquals("2", untilText(back(topic(), null), "2"));
    }

    private static String untilText(MessageConsumer consumer, String wanted) throws JMSException {
        String text = nextText(consumer);
        return text.equals(wanted) ? text : nextText(consumer);
    }

    @Test
    void what_was_acknowledged_does_not_come_again() throws Exception {
        subscribed(topic(), null);
        send(topic(), "1", "2", "3");
        Connection connection = named(name("client"));
        assertEquals("1", nextText(session(connection).createDurableSubscriber(topic(), "sub")));
        connection.close();
        assertEquals(List.of("2", "3"), texts(back(topic(), null), 2));
    }

    @Test
    void what_was_received_and_not_acknowledged_comes_again_as_redelivered() throws Exception {
        subscribed(topic(), null);
        send(topic(), "1", "2");
        Connection connection = named(name("client"));
        MessageConsumer consumer = session(connection, Session.CLIENT_ACKNOWLEDGE).createDurableSubscriber(topic(), "sub");
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        connection.close();
        MessageConsumer again = back(topic(), null);
        Message first = next(again);
        assertEquals("1", text(first));
        assertTrue(first.getJMSRedelivered());
        assertEquals("2", nextText(again));
    }

    @Test
    void while_connected_it_hears_at_once() throws Exception {
        TopicSubscriber subscriber = back(topic(), null);
        send(topic(), "live");
        assertEquals("live", nextText(subscriber));
        assertEquals(topic(), subscriber.getTopic());
        assertFalse(subscriber.getNoLocal());
    }

    @Test
    void two_subscriptions_of_one_client_are_independent() throws Exception {
        Session session = session(named(name("client")));
        MessageConsumer one = session.createDurableSubscriber(topic(), "one");
        MessageConsumer other = session.createDurableSubscriber(topic(), "other");
        send(topic(), "m");
        assertEquals("m", nextText(one));
        assertEquals("m", nextText(other));
    }

    @Test
    void the_same_name_of_two_clients_is_two_subscriptions() throws Exception {
        MessageConsumer one = session(named(name("one"))).createDurableSubscriber(topic(), "sub");
        MessageConsumer other = session(named(name("other"))).createDurableSubscriber(topic(), "sub");
        send(topic(), "m");
        assertEquals("m", nextText(one));
        assertEquals("m", nextText(other));
    }

    @Test
    void a_subscription_in_use_refuses_a_second_subscriber() throws Exception {
        Connection connection = named(name("client"));
        MessageConsumer first = session(connection).createDurableSubscriber(topic(), "sub");
        JMSException refusal = assertThrows(JMSException.class, () -> session(connection).createDurableSubscriber(topic(), "sub"));
        assertTrue(refusal.getMessage().contains("in use"), refusal.getMessage());
        send(topic(), "still");
        assertEquals("still", nextText(first));
    }

    @Test
    void a_subscription_in_use_cannot_be_removed() throws Exception {
        Session session = session(named(name("client")));
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub");
        JMSException refusal = assertThrows(JMSException.class, () -> session.unsubscribe("sub"));
        assertTrue(refusal.getMessage().contains("in use"), refusal.getMessage());
        send(topic(), "still");
        assertEquals("still", nextText(consumer));
    }

    @Test
    void unsubscribing_forgets_what_waits() throws Exception {
        subscribed(topic(), null);
        send(topic(), "forgotten");
        Connection connection = named(name("client"));
        session(connection).unsubscribe("sub");
        connection.close();
        MessageConsumer consumer = back(topic(), null);
        send(topic(), "new");
        assertEquals("new", nextText(consumer));
    }

    @Test
    void an_unknown_subscription_cannot_be_removed() throws Exception {
        Session session = session(named(name("client")));
        assertThrows(InvalidDestinationException.class, () -> session.unsubscribe("never"));
    }

    @Test
    void without_a_client_id_there_is_no_durable_subscription() throws Exception {
        ActiveMQConnection connection = (ActiveMQConnection) closing(new ActiveMQConnectionFactory(url()).createConnection());
        Session session = session(connection);
        assertThrows(JMSException.class, () -> session.createDurableSubscriber(topic(), "sub"));
    }

    @Test
    void a_selector_keeps_only_what_it_selects_while_away() throws Exception {
        subscribed(topic(), "colour = 'red'");
        sendColours("blue", "red", "green", "red");
        MessageConsumer consumer = back(topic(), "colour = 'red'");
        assertEquals(List.of("red", "red"), texts(consumer, 2));
        sendColours("blue", "red");
        assertEquals("red", nextText(consumer));
    }

    @Test
    void another_selector_makes_a_new_subscription() throws Exception {
        subscribed(topic(), "colour = 'red'");
        sendColours("red");
        MessageConsumer consumer = back(topic(), "colour = 'blue'");
        sendColours("red", "blue");
        assertEquals("blue", nextText(consumer));
    }

    @Test
    void another_topic_makes_a_new_subscription() throws Exception {
        subscribed(topic(), null);
        send(topic(), "old");
        MessageConsumer consumer = back(topic("OTHER"), null);
        send(topic(), "old again");
        send(topic("OTHER"), "new");
        assertEquals("new", nextText(consumer));
    }

    @Test
    void a_pattern_waits_for_all_its_topics_even_new_ones() throws Exception {
        subscribed(topic("P.>"), null);
        send(topic("P.A"), "a");
        send(topic("P.B.C"), "c");
        MessageConsumer consumer = back(topic("P.>"), null);
        assertEquals(List.of("a", "c"), texts(consumer, 2));
        send(topic("P.NEW"), "new");
        assertEquals("new", nextText(consumer));
    }

    @Test
    void no_local_holds_for_a_durable_subscription() throws Exception {
        Connection connection = named(name("client"));
        MessageConsumer consumer = session(connection).createDurableSubscriber(topic(), "sub", null, true);
        send(session(connection), topic(), "own");
        send(topic(), "foreign");
        assertEquals("foreign", nextText(consumer));
    }

    @Test
    void no_local_keeps_what_a_later_connection_of_the_same_client_sends_before_it_subscribes() throws Exception {
        Connection first = named(name("client"));
        session(first).createDurableSubscriber(topic(), "sub", "kind = 'a'", true);
        first.close();
        Connection second = named(name("client"));
        Session session = session(second);
        TextMessage message = session.createTextMessage("of another time");
        message.setStringProperty("kind", "a");
        session.createProducer(topic()).send(message);
        second.close();
        MessageConsumer consumer = session(named(name("client"))).createDurableSubscriber(topic(), "sub", "kind = 'a'", true);
        assertEquals("of another time", nextText(consumer));
    }

    @Test
    void a_transacted_subscriber_that_rolls_back_gets_it_again() throws Exception {
        subscribed(topic(), null);
        send(topic(), "1", "2");
        Session session = session(named(name("client")), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub");
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        session.rollback();
        assertEquals(List.of("1", "2"), texts(consumer, 2));
        session.commit();
        send(topic(), "3");
        assertEquals("3", nextText(consumer));
    }

    @Test
    void small_prefetch_delivers_a_long_backlog_in_order() throws Exception {
        subscribed(topic(), null);
        send(topic(), numbered("m", 300));
        MessageConsumer consumer = session(named(name("client"), "jms.prefetchPolicy.durableTopicPrefetch=5"))
                .createDurableSubscriber(topic(), "sub");
        assertEquals(List.of(numbered("m", 300)), texts(consumer, 300));
    }

    @Test
    void optimised_durable_acknowledgement_loses_nothing() throws Exception {
        subscribed(topic(), null);
        send(topic(), numbered("m", 200));
        Connection connection = named(name("client"), "jms.optimizeAcknowledge=true");
        MessageConsumer consumer = session(connection).createDurableSubscriber(topic(), "sub");
        texts(consumer, 150);
        connection.close();
        assertEquals("m150", nextText(back(topic(), null)));
    }

    @Test
    void subscription_and_backlog_survive_a_crash_of_the_broker() throws Exception {
        Broker own = closing(Broker.own());
        Connection connection = connected(url(own, "jms.clientID=" + name("client")));
        session(connection).createDurableSubscriber(topic(), "sub", "colour IS NULL", false);
        connection.close();
        send(session(connected(url(own))), topic(), numbered("m", 20));
        own.restart();
        Session session = session(connected(url(own, "jms.clientID=" + name("client"))));
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub", "colour IS NULL", false);
        assertEquals(List.of(numbered("m", 20)), texts(consumer, 20));
        consumer.close();
        session.unsubscribe("sub");
    }
}
