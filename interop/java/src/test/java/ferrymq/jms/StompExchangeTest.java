package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.BytesMessage;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import jakarta.jms.TextMessage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class StompExchangeTest extends Jms {
    private Stomp stomp() throws IOException {
        return closing(new Stomp(broker().stompPort));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void a_stomp_text_is_a_jms_text_message() throws Exception {
        stomp().send("/queue/" + name("Q"), utf8("Grüße"));
        assertEquals("Grüße", nextText(session().createConsumer(queue())));
    }

    @Test
    void a_stomp_body_with_a_length_is_a_jms_bytes_message() throws Exception {
        stomp().send("/queue/" + name("Q"), new byte[] {1, 0, 2}, "content-length:3");
        BytesMessage message = (BytesMessage) next(session().createConsumer(queue()));
        assertEquals(3, message.getBodyLength());
        message.readByte();
        assertEquals(0, message.readByte());
    }

    @Test
    void a_stomp_client_may_say_that_a_body_with_a_length_is_text() throws Exception {
        stomp().send("/queue/" + name("Q"), utf8("text"), "content-length:4", "amq-msg-type:text");
        assertEquals("text", nextText(session().createConsumer(queue())));
    }

    @Test
    void stomp_headers_are_jms_headers_and_properties() throws Exception {
        stomp().send("/queue/" + name("Q"), utf8("m"), "correlation-id:corr", "reply-to:/topic/" + name("R"), "type:kind", "priority:7",
                "persistent:true", "colour:red", "number:42");
        Message message = next(session().createConsumer(queue()));
        assertEquals("corr", message.getJMSCorrelationID());
        assertEquals(topic("R"), message.getJMSReplyTo());
        assertEquals("kind", message.getJMSType());
        assertEquals(7, message.getJMSPriority());
        assertEquals(DeliveryMode.PERSISTENT, message.getJMSDeliveryMode());
        assertEquals("red", message.getStringProperty("colour"));
        assertEquals("42", message.getStringProperty("number"));
        assertEquals(queue(), message.getJMSDestination());
        assertNotNull(message.getJMSMessageID());
        assertTrue(message.getJMSTimestamp() > 0);
    }

    @Test
    void a_stomp_message_without_persistent_is_non_persistent() throws Exception {
        stomp().send("/queue/" + name("Q"), utf8("m"));
        assertEquals(DeliveryMode.NON_PERSISTENT, next(session().createConsumer(queue())).getJMSDeliveryMode());
    }

    @Test
    void a_jms_text_message_is_a_stomp_text() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/queue/" + name("Q"), "id:1", "ack:auto");
        send(queue(), "Grüße 😀");
        Stomp.Frame frame = stomp.message();
        assertEquals("Grüße 😀", frame.text());
        assertEquals("/queue/" + name("Q"), frame.header("destination"));
        assertEquals("1", frame.header("subscription"));
    }

    @Test
    void a_jms_bytes_message_is_a_stomp_body_with_a_length() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/queue/" + name("Q"), "id:1", "ack:auto");
        Session session = session();
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(new byte[] {1, 0, 2});
        session.createProducer(queue()).send(message);
        Stomp.Frame frame = stomp.message();
        assertEquals("3", frame.header("content-length"));
        assertArrayEquals(new byte[] {1, 0, 2}, frame.body());
    }

    @Test
    void compressed_jms_messages_reach_stomp_as_they_were_written() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/queue/" + name("Q"), "id:1", "ack:auto");
        Session session = session("jms.useCompression=true");
        send(session, queue(), "text".repeat(1000));
        assertEquals("text".repeat(1000), stomp.message().text());
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(utf8("bytes".repeat(1000)));
        session.createProducer(queue()).send(bytes);
        assertEquals("bytes".repeat(1000), stomp.message().text());
    }

    @Test
    void jms_headers_and_properties_are_stomp_headers() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/queue/" + name("Q"), "id:1", "ack:auto");
        Session session = session();
        TextMessage message = session.createTextMessage("m");
        message.setJMSCorrelationID("corr");
        message.setJMSReplyTo(queue("R"));
        message.setJMSType("kind");
        message.setStringProperty("colour", "red: dark");
        message.setIntProperty("number", 42);
        message.setBooleanProperty("yes", true);
        message.setDoubleProperty("price", 1.5);
        MessageProducer producer = session.createProducer(queue());
        producer.send(message, DeliveryMode.PERSISTENT, 7, 600_000);
        Stomp.Frame frame = stomp.message();
        assertEquals("corr", frame.header("correlation-id"));
        assertEquals("/queue/" + name("R"), frame.header("reply-to"));
        assertEquals("kind", frame.header("type"));
        assertEquals("red: dark", frame.header("colour"));
        assertEquals("42", frame.header("number"));
        assertEquals("true", frame.header("yes"));
        assertEquals("1.5", frame.header("price"));
        assertEquals("7", frame.header("priority"));
        assertEquals("true", frame.header("persistent"));
        assertEquals("" + message.getJMSTimestamp(), frame.header("timestamp"));
        assertEquals("" + message.getJMSExpiration(), frame.header("expires"));
    }

    @Test
    void a_request_of_jms_is_answered_over_stomp() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/queue/" + name("SERVICE"), "id:1", "ack:auto");
        Session session = session();
        TemporaryQueue replies = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(replies);
        TextMessage request = session.createTextMessage("question");
        request.setJMSReplyTo(replies);
        session.createProducer(queue("SERVICE")).send(request);
        Stomp.Frame frame = stomp.message();
        assertTrue(frame.header("reply-to").startsWith("/remote-temp-queue/"), frame.header("reply-to"));
        stomp.send(frame.header("reply-to"), utf8("answer"));
        assertEquals("answer", nextText(consumer));
    }

    @Test
    void a_request_of_stomp_is_answered_by_jms() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/temp-queue/replies", "id:1", "ack:auto");
        stomp.send("/queue/" + name("SERVICE"), utf8("question"), "reply-to:/temp-queue/replies");
        Session session = session("jms.watchTopicAdvisories=false");
        Message request = next(session.createConsumer(queue("SERVICE")));
        send(session, request.getJMSReplyTo(), "answer");
        assertEquals("answer", stomp.message().text());
    }

    @Test
    void a_topic_joins_both() throws Exception {
        Stomp stomp = stomp();
        stomp.subscribe("/topic/" + name("T"), "id:1", "ack:auto");
        MessageConsumer consumer = session().createConsumer(topic());
        send(topic(), "from jms");
        assertEquals("from jms", stomp.message().text());
        assertEquals("from jms", nextText(consumer));
        Stomp other = stomp();
        other.send("/topic/" + name("T"), utf8("from stomp"));
        assertEquals("from stomp", stomp.message().text());
        assertEquals("from stomp", nextText(consumer));
    }

    @Test
    void a_selector_of_jms_sees_stomp_headers_and_the_other_way_round() throws Exception {
        Stomp stomp = stomp();
        MessageConsumer red = session().createConsumer(queue(), "colour = 'red'");
        stomp.send("/queue/" + name("Q"), utf8("b"), "colour:blue");
        stomp.send("/queue/" + name("Q"), utf8("r"), "colour:red");
        assertEquals("r", nextText(red));
        Stomp selective = stomp();
        selective.subscribe("/queue/" + name("N"), "id:1", "ack:auto", "selector:number > 5");
        Session session = session();
        for (int number : new int[] {3, 7}) {
            TextMessage message = session.createTextMessage("n" + number);
            message.setIntProperty("number", number);
            session.createProducer(queue("N")).send(message);
        }
        assertEquals("n7", selective.message().text());
    }

    @Test
    void stomp_shares_a_virtual_topic_with_jms() throws Exception {
        MessageConsumer consumer = session().createConsumer(new org.apache.activemq.command.ActiveMQQueue("Consumer.A.VirtualTopic." + name("V")));
        stomp().send("/topic/VirtualTopic." + name("V"), utf8("m"));
        assertEquals("m", nextText(consumer));
    }
}
