package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.MessageConsumer;
import jakarta.jms.Message;
import jakarta.jms.Session;
import java.util.List;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;
import org.junit.jupiter.api.Test;

class VirtualTopicTest extends Jms {
    private ActiveMQTopic virtual() {
        return new ActiveMQTopic("VirtualTopic." + name("V"));
    }

    private ActiveMQQueue consumerQueue(String group) {
        return new ActiveMQQueue("Consumer." + group + ".VirtualTopic." + name("V"));
    }

    @Test
    void each_group_of_consumers_shares_each_message() throws Exception {
        MessageConsumer a = session().createConsumer(consumerQueue("A"));
        MessageConsumer b = session().createConsumer(consumerQueue("B"));
        send(virtual(), numbered("m", 20));
        assertEquals(List.of(numbered("m", 20)), texts(a, 20));
        assertEquals(List.of(numbered("m", 20)), texts(b, 20));
    }

    @Test
    void two_consumers_of_a_group_compete() throws Exception {
        MessageConsumer one = session("jms.prefetchPolicy.all=1").createConsumer(consumerQueue("A"));
        MessageConsumer other = session("jms.prefetchPolicy.all=1").createConsumer(consumerQueue("A"));
        send(virtual(), "1", "2");
        List<String> both = new java.util.ArrayList<>(List.of(nextText(one), nextText(other)));
        both.sort(null);
        assertEquals(List.of("1", "2"), both);
    }

    @Test
    void a_group_that_is_away_finds_its_messages_later() throws Exception {
        session().createConsumer(consumerQueue("A")).close();
        send(virtual(), "1", "2");
        assertEquals(List.of("1", "2"), rest(consumerQueue("A")));
    }

    @Test
    void ordinary_subscribers_of_the_topic_hear_too() throws Exception {
        MessageConsumer topic = session().createConsumer(virtual());
        MessageConsumer queue = session().createConsumer(consumerQueue("A"));
        send(virtual(), "m");
        assertEquals("m", nextText(topic));
        assertEquals("m", nextText(queue));
    }

    @Test
    void a_group_with_a_pattern_hears_from_matching_topics() throws Exception {
        ActiveMQQueue pattern = new ActiveMQQueue("Consumer.A.VirtualTopic." + name("V.>"));
        MessageConsumer consumer = session().createConsumer(pattern);
        send(new ActiveMQTopic("VirtualTopic." + name("V.X")), "x");
        assertEquals("x", nextText(consumer));
    }

    @Test
    void a_transaction_reaches_every_group_or_none() throws Exception {
        MessageConsumer a = session().createConsumer(consumerQueue("A"));
        MessageConsumer b = session().createConsumer(consumerQueue("B"));
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, virtual(), "undone");
        session.rollback();
        send(session, virtual(), "done");
        session.commit();
        assertEquals("done", nextText(a));
        assertEquals("done", nextText(b));
    }

    @Test
    void the_message_says_where_it_was_sent() throws Exception {
        MessageConsumer a = session().createConsumer(consumerQueue("A"));
        send(virtual(), "m");
        Message message = next(a);
        assertEquals(virtual(), ((org.apache.activemq.command.ActiveMQMessage) message).getOriginalDestination());
        assertEquals(consumerQueue("A"), message.getJMSDestination());
    }
}
