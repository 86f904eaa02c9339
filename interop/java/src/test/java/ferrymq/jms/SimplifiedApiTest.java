package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSConsumer;
import jakarta.jms.JMSContext;
import jakarta.jms.JMSProducer;
import jakarta.jms.Message;
import jakarta.jms.TextMessage;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The simplified interface of JMS 2.0, as far as the clients have it. */
class SimplifiedApiTest extends Jms {
    private JMSContext context(int mode) {
        return closing(new ActiveMQConnectionFactory(url()).createContext(mode));
    }

    private JMSContext context() {
        return context(JMSContext.AUTO_ACKNOWLEDGE);
    }

    @ParameterizedTest
    @ValueSource(ints = {JMSContext.AUTO_ACKNOWLEDGE, JMSContext.CLIENT_ACKNOWLEDGE, JMSContext.DUPS_OK_ACKNOWLEDGE, JMSContext.SESSION_TRANSACTED})
    void a_context_of_each_mode_sends_and_receives(int mode) throws Exception {
        JMSContext context = context(mode);
        context.createProducer().send(queue(), "hello");
        if (mode == JMSContext.SESSION_TRANSACTED) {
            context.commit();
        }
        JMSConsumer consumer = context.createConsumer(queue());
        assertEquals("hello", text(consumer.receive(Await.PATIENCE_MILLIS)));
    }

    @Test
    void a_producer_sets_headers_and_properties_in_a_chain() throws Exception {
        JMSContext context = context();
        context.createProducer().setDeliveryMode(DeliveryMode.NON_PERSISTENT).setPriority(8).setTimeToLive(60_000)
                .setJMSCorrelationID("id").setJMSType("type").setProperty("number", 7).send(queue(), "hello");
        Message message = context.createConsumer(queue()).receive(Await.PATIENCE_MILLIS);
        assertEquals(DeliveryMode.NON_PERSISTENT, message.getJMSDeliveryMode());
        assertEquals(8, message.getJMSPriority());
        assertEquals("id", message.getJMSCorrelationID());
        assertEquals("type", message.getJMSType());
        assertEquals(7, message.getIntProperty("number"));
        assertTrue(message.getJMSExpiration() > 0);
    }

    @Test
    void bodies_go_and_come_without_message_objects() throws Exception {
        JMSContext context = context();
        JMSProducer producer = context.createProducer();
        producer.send(queue(), "text");
        producer.send(queue(), new byte[] {1, 2});
        producer.send(queue(), Map.of("key", "value"));
        JMSConsumer consumer = context.createConsumer(queue());
        assertEquals("text", consumer.receive(Await.PATIENCE_MILLIS).getBody(String.class));
        assertArrayEquals(new byte[] {1, 2}, consumer.receive(Await.PATIENCE_MILLIS).getBody(byte[].class));
        assertEquals("value", consumer.receive(Await.PATIENCE_MILLIS).getBody(Map.class).get("key"));
    }

    @Test
    void a_transacted_context_commits_and_rolls_back() throws Exception {
        JMSContext context = context(JMSContext.SESSION_TRANSACTED);
        context.createProducer().send(queue(), "undone");
        context.rollback();
        context.createProducer().send(queue(), "done");
        context.commit();
        assertEquals(List.of("done"), rest(queue()));
    }

    @Test
    void a_context_acknowledges_what_it_received() throws Exception {
        send(queue(), "1", "2", "3");
        JMSContext context = context(JMSContext.CLIENT_ACKNOWLEDGE);
        JMSConsumer consumer = context.createConsumer(queue());
        consumer.receive(Await.PATIENCE_MILLIS);
        consumer.receive(Await.PATIENCE_MILLIS);
        context.acknowledge();
        context.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void a_context_of_a_context_shares_its_connection() throws Exception {
        JMSContext one = context();
        JMSContext other = closing(one.createContext(JMSContext.AUTO_ACKNOWLEDGE));
        assertEquals(one.getClientID(), other.getClientID());
        one.createProducer().send(queue(), "m");
        assertEquals("m", text(other.createConsumer(queue()).receive(Await.PATIENCE_MILLIS)));
    }

    @Test
    void a_listener_hears() {
        JMSContext context = context();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        context.createConsumer(queue()).setMessageListener(message -> heard.add(((TextMessage) message).toString()));
        context.createProducer().send(queue(), "m");
        Await.until("the message", () -> heard.size() == 1);
    }

    @Test
    void a_durable_consumer_of_a_context_waits_for_its_return() throws Exception {
        for (int round = 0; round < 2; round++) {
            try (JMSContext context = new ActiveMQConnectionFactory(url()).createContext()) {
                context.setClientID(name("client"));
                JMSConsumer consumer = context.createDurableConsumer(topic(), "sub");
                if (round == 1) {
                    assertEquals("while away", text(consumer.receive(Await.PATIENCE_MILLIS)));
                    consumer.close();
                    context.unsubscribe("sub");
                }
            }
            if (round == 0) {
                send(topic(), "while away");
            }
        }
    }

    @Test
    void a_context_browses() throws Exception {
        send(queue(), "1", "2");
        assertEquals(2, Collections.list(context().createBrowser(queue()).getEnumeration()).size());
    }

    @Test
    void a_context_makes_temporary_destinations() throws Exception {
        JMSContext context = context();
        jakarta.jms.TemporaryQueue replies = context.createTemporaryQueue();
        context.createProducer().send(replies, "reply");
        assertEquals("reply", text(context.createConsumer(replies).receive(Await.PATIENCE_MILLIS)));
    }
}
