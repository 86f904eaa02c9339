package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.RedeliveryPolicy;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.junit.jupiter.api.Test;

class RedeliveryTest extends Jms {
    private static final ActiveMQQueue DEAD = new ActiveMQQueue("ActiveMQ.DLQ");

    /** The dead letter with this text; every other test's stay where they are. */
    private Message deadLetter(String mark) throws JMSException {
        return next(session("jms.prefetchPolicy.all=1").createConsumer(DEAD, "mark = '" + mark + "'"));
    }

    private Message marked(Session session) throws JMSException {
        TextMessage message = session.createTextMessage("poison");
        message.setStringProperty("mark", name("mark"));
        message.setJMSCorrelationID("kept");
        return message;
    }

    @Test
    void the_default_is_six_redeliveries() throws Exception {
        assertEquals(6, connection().getRedeliveryPolicy().getMaximumRedeliveries());
    }

    @Test
    void after_its_last_redelivery_a_message_is_a_dead_letter() throws Exception {
        Session sender = session();
        Message message = marked(sender);
        sender.createProducer(queue()).send(message);
        Session session = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=2");
        MessageConsumer consumer = session.createConsumer(queue());
        for (int count = 1; count <= 3; count++) {
            assertEquals(count, next(consumer).getIntProperty("JMSXDeliveryCount"));
            session.rollback();
        }
        assertNull(consumer.receiveNoWait());
        Message dead = deadLetter(name("mark"));
        assertEquals("poison", text(dead));
        assertEquals("kept", dead.getJMSCorrelationID());
        assertEquals(message.getJMSMessageID(), dead.getJMSMessageID());
        assertEquals(queue(), ((ActiveMQMessage) dead).getOriginalDestination());
        String cause = dead.getStringProperty("dlqDeliveryFailureCause");
        assertTrue(cause.contains("exceeds redelivery policy limit"), cause);
        session.close();
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void zero_redeliveries_make_a_dead_letter_of_the_first_rollback() throws Exception {
        Session sender = session();
        sender.createProducer(queue()).send(marked(sender));
        Session session = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=0");
        next(session.createConsumer(queue()));
        session.rollback();
        assertEquals("poison", text(deadLetter(name("mark"))));
    }

    @Test
    void unlimited_redeliveries_never_make_a_dead_letter() throws Exception {
        send(queue(), "again and again");
        Session session = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=-1");
        MessageConsumer consumer = session.createConsumer(queue());
        for (int count = 1; count <= 30; count++) {
            assertEquals(count, next(consumer).getIntProperty("JMSXDeliveryCount"));
            session.rollback();
        }
        assertEquals("again and again", nextText(consumer));
    }

    @Test
    void a_listener_that_always_throws_makes_a_dead_letter_and_hears_the_next() throws Exception {
        Session sender = session();
        MessageProducer producer = sender.createProducer(queue());
        producer.send(marked(sender));
        producer.send(sender.createTextMessage("good"));
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session("jms.redeliveryPolicy.maximumRedeliveries=2").createConsumer(queue()).setMessageListener(message -> {
            try {
                heard.add(text(message));
                if (text(message).equals("poison")) {
                    throw new IllegalArgumentException("poisonous");
                }
            } catch (JMSException error) {
                throw new RuntimeException(error);
            }
        });
        Await.until("the good one", () -> heard.contains("good"));
        assertEquals(List.of("poison", "poison", "poison", "good"), heard);
        assertEquals("poison", text(deadLetter(name("mark"))));
    }

    @Test
    void recover_counts_like_rollback() throws Exception {
        Session sender = session();
        sender.createProducer(queue()).send(marked(sender));
        Session session = session(Session.CLIENT_ACKNOWLEDGE, "jms.redeliveryPolicy.maximumRedeliveries=1");
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        session.recover();
        next(consumer);
        session.recover();
        assertEquals("poison", text(deadLetter(name("mark"))));
    }

    @Test
    void a_policy_for_one_queue_leaves_others_alone() throws Exception {
        ActiveMQConnection connection = connection("jms.redeliveryPolicy.maximumRedeliveries=-1");
        RedeliveryPolicy strict = new RedeliveryPolicy();
        strict.setMaximumRedeliveries(0);
        strict.setInitialRedeliveryDelay(0);
        connection.getRedeliveryPolicyMap().put((ActiveMQQueue) queue("STRICT"), strict);
        Session session = session(connection, Session.SESSION_TRANSACTED);
        Session sender = session();
        sender.createProducer(queue("STRICT")).send(marked(sender));
        send(queue("LAX"), "again");
        MessageConsumer lax = session.createConsumer(queue("LAX"));
        next(session.createConsumer(queue("STRICT")));
        next(lax);
        session.rollback();
        assertEquals("again", nextText(lax));
        assertEquals("poison", text(deadLetter(name("mark"))));
    }

    @Test
    void a_delay_keeps_the_order_of_what_was_rolled_back() throws Exception {
        send(queue(), "1", "2", "3");
        Session session = session(connected(broker().url() + "?jms.redeliveryPolicy.initialRedeliveryDelay=100"), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue());
        texts(consumer, 2);
        session.rollback();
        assertEquals(List.of("1", "2", "3"), texts(consumer, 3));
    }

    @Test
    void redelivery_that_does_not_block_lets_later_messages_pass() throws Exception {
        send(queue(), "1", "2");
        Session session = session(connected(broker().url() + "?jms.nonBlockingRedelivery=true&jms.redeliveryPolicy.initialRedeliveryDelay=500"),
                Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(queue());
        assertEquals("1", nextText(consumer));
        session.rollback();
        assertEquals("2", nextText(consumer));
        session.commit();
        assertEquals("1", nextText(consumer));
        session.commit();
    }

    @Test
    void an_expired_message_is_a_dead_letter_that_lives_forever() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.send(marked(session), DeliveryMode.PERSISTENT, 4, 1);
        long sent = System.currentTimeMillis();
        Await.until("the end of its life", () -> System.currentTimeMillis() > sent + 5);
        rest(queue());
        Message dead = deadLetter(name("mark"));
        assertEquals(0, dead.getJMSExpiration());
        assertTrue(dead.getLongProperty("originalExpiration") > 0);
        assertEquals(queue(), ((ActiveMQMessage) dead).getOriginalDestination());
    }

    @Test
    void a_non_persistent_message_that_is_poison_is_no_dead_letter() throws Exception {
        Session sender = session();
        MessageProducer producer = sender.createProducer(queue());
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        producer.send(marked(sender));
        producer.setDeliveryMode(DeliveryMode.PERSISTENT);
        Session session = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=0");
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        session.rollback();
        session.close();
        TextMessage later = (TextMessage) marked(sender);
        later.setText("persistent poison");
        producer.send(later);
        Session again = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=0");
        next(again.createConsumer(queue()));
        again.rollback();
        assertEquals("persistent poison", text(deadLetter(name("mark"))));
    }

    @Test
    void a_dead_letter_of_a_composite_names_the_part_where_it_died() throws Exception {
        Session sender = session();
        sender.createProducer(new ActiveMQQueue(name("A") + "," + name("B"))).send(marked(sender));
        Session session = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=0");
        next(session.createConsumer(queue("B")));
        session.rollback();
        assertEquals(queue("B"), ((ActiveMQMessage) deadLetter(name("mark"))).getOriginalDestination());
    }

    @Test
    void a_message_poisoned_in_a_durable_subscription_is_a_dead_letter() throws Exception {
        Session session = session(named(name("client"), "jms.redeliveryPolicy.maximumRedeliveries=0"), Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub");
        Session sender = session();
        sender.createProducer(topic()).send(marked(sender));
        next(consumer);
        session.rollback();
        Message dead = deadLetter(name("mark"));
        assertEquals(topic(), ((ActiveMQMessage) dead).getOriginalDestination());
    }

    @Test
    void the_dead_letter_queue_is_a_queue_like_any_other() throws Exception {
        Session session = session();
        Message message = marked(session);
        session.createProducer(DEAD).send(message);
        Session reader = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=-1");
        MessageConsumer consumer = reader.createConsumer(DEAD, "mark = '" + name("mark") + "'");
        next(consumer);
        reader.rollback();
        assertEquals("poison", nextText(consumer));
        reader.commit();
    }
}
