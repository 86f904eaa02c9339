package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.Topic;
import java.util.List;
import org.apache.activemq.command.ActiveMQTopic;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Against a broker whose topics keep their last three messages. */
class RetroactiveTest extends Jms {
    private static Broker keeping;

    @BeforeAll
    static void start() {
        keeping = Broker.own("keeping");
    }

    @AfterAll
    static void end() {
        keeping.close();
    }

    @Override
    Broker broker() {
        return keeping;
    }

    private Topic retroactive(String suffix) {
        return new ActiveMQTopic(name(suffix) + "?consumer.retroactive=true");
    }

    @Test
    void the_last_messages_come_before_new_ones() throws Exception {
        send(topic(), numbered("m", 5));
        MessageConsumer consumer = session().createConsumer(retroactive("T"));
        send(topic(), "new");
        assertEquals(List.of("m2", "m3", "m4", "new"), texts(consumer, 4));
    }

    @Test
    void who_does_not_ask_gets_new_ones_only() throws Exception {
        send(topic(), numbered("m", 5));
        MessageConsumer consumer = session().createConsumer(topic());
        send(topic(), "new");
        assertEquals("new", nextText(consumer));
    }

    @Test
    void everybody_who_asks_gets_them() throws Exception {
        send(topic(), "1");
        Session session = session();
        for (int round = 0; round < 3; round++) {
            MessageConsumer consumer = session.createConsumer(retroactive("T"));
            assertEquals("1", nextText(consumer));
            consumer.close();
        }
    }

    @Test
    void what_is_not_persistent_is_kept_as_well() throws Exception {
        sendNonPersistent(session(), topic(), "light");
        Message message = next(session().createConsumer(retroactive("T")));
        assertEquals("light", text(message));
        assertEquals(DeliveryMode.NON_PERSISTENT, message.getJMSDeliveryMode());
        assertFalse(message.getJMSRedelivered());
    }

    @Test
    void a_selector_chooses_among_them() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(topic());
        for (int n = 0; n < 3; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        MessageConsumer consumer = session.createConsumer(retroactive("T"), "n <> 1");
        send(session, topic(), "without a number");
        assertEquals(List.of("m0", "m2"), texts(consumer, 2));
    }

    @Test
    void a_pattern_gets_those_of_all_its_topics() throws Exception {
        send(topic("T.a"), "a");
        send(topic("T.b"), "b");
        MessageConsumer consumer = session().createConsumer(retroactive("T.*"));
        assertEquals(List.of("a", "b"), texts(consumer, 2).stream().sorted().toList());
    }

    @Test
    void a_small_prefetch_gets_them_one_by_one() throws Exception {
        send(topic(), numbered("m", 3));
        assertEquals(List.of("m0", "m1", "m2"), texts(oneByOne(), 3));
    }

    private MessageConsumer oneByOne() throws JMSException {
        return session("jms.prefetchPolicy.all=1").createConsumer(retroactive("T"));
    }

    @Test
    void a_new_durable_subscription_gets_them_first() throws Exception {
        send(topic(), numbered("m", 5));
        Session session = session(named(name("client")));
        MessageConsumer consumer = session.createDurableSubscriber(retroactive("T"), "sub");
        send(topic(), "new");
        assertEquals(List.of("m2", "m3", "m4", "new"), texts(consumer, 4));
        consumer.close();
        session.unsubscribe("sub");
    }

    @Test
    void a_new_durable_subscription_that_does_not_ask_gets_none() throws Exception {
        send(topic(), numbered("m", 5));
        Session session = session(named(name("client")));
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub");
        send(topic(), "new");
        assertEquals("new", nextText(consumer));
        consumer.close();
        session.unsubscribe("sub");
    }

    @Test
    void acknowledged_ones_come_again_to_the_next_subscriber() throws Exception {
        MessageConsumer listening = session().createConsumer(topic());
        send(topic(), "1");
        assertEquals("1", nextText(listening));
        assertEquals("1", nextText(session().createConsumer(retroactive("T"))));
    }
}
