package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.BytesMessage;
import jakarta.jms.JMSException;
import jakarta.jms.MapMessage;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageEOFException;
import jakarta.jms.MessageFormatException;
import jakarta.jms.MessageNotReadableException;
import jakarta.jms.MessageNotWriteableException;
import jakarta.jms.MessageProducer;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Session;
import jakarta.jms.StreamMessage;
import jakarta.jms.TextMessage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MessageTypesTest extends Jms {
    private Session session;

    @SuppressWarnings("unchecked")
    private <T extends Message> T through(T message) throws JMSException {
        session.createProducer(queue()).send(message);
        MessageConsumer consumer = session.createConsumer(queue());
        T received = (T) next(consumer);
        consumer.close();
        return received;
    }

    private Session open() throws JMSException {
        session = session();
        return session;
    }

    static List<String> bodies() {
        return List.of("", "plain", "Grüße, Größe", "日本語", "astral: 😀𝄞", "nul: \u0000 inside", "lines\r\n\t", "x".repeat(70_000), "é".repeat(40_000));
    }

    @ParameterizedTest
    @MethodSource("bodies")
    void a_text_comes_as_it_was_written(String body) throws Exception {
        assertEquals(body, through(open().createTextMessage(body)).getText());
    }

    @Test
    void a_text_message_without_text_has_none() throws Exception {
        assertNull(through(open().createTextMessage()).getText());
    }

    @Test
    void a_plain_message_has_properties_alone() throws Exception {
        Message message = open().createMessage();
        message.setIntProperty("count", 7);
        Message received = through(message);
        assertEquals(7, received.getIntProperty("count"));
        assertFalse(received instanceof TextMessage || received instanceof BytesMessage);
    }

    @Test
    void bytes_come_as_they_were_written() throws Exception {
        byte[] body = new byte[100_000];
        new Random(1).nextBytes(body);
        BytesMessage message = open().createBytesMessage();
        message.writeBytes(body);
        BytesMessage received = through(message);
        byte[] read = new byte[(int) received.getBodyLength()];
        assertEquals(body.length, received.readBytes(read));
        assertArrayEquals(body, read);
        assertEquals(-1, received.readBytes(read));
    }

    @Test
    void an_empty_bytes_message_is_empty() throws Exception {
        BytesMessage received = through(open().createBytesMessage());
        assertEquals(0, received.getBodyLength());
        assertThrows(MessageEOFException.class, received::readByte);
    }

    @Test
    void bytes_carry_every_primitive() throws Exception {
        BytesMessage message = open().createBytesMessage();
        message.writeBoolean(true);
        message.writeByte((byte) -7);
        message.writeChar('é');
        message.writeShort(Short.MIN_VALUE);
        message.writeInt(Integer.MAX_VALUE);
        message.writeLong(Long.MIN_VALUE);
        message.writeFloat(1.5f);
        message.writeDouble(-2.25);
        message.writeUTF("Grüße");
        message.writeObject(42);
        BytesMessage received = through(message);
        assertTrue(received.readBoolean());
        assertEquals(-7, received.readByte());
        assertEquals('é', received.readChar());
        assertEquals(Short.MIN_VALUE, received.readShort());
        assertEquals(Integer.MAX_VALUE, received.readInt());
        assertEquals(Long.MIN_VALUE, received.readLong());
        assertEquals(1.5f, received.readFloat());
        assertEquals(-2.25, received.readDouble());
        assertEquals("Grüße", received.readUTF());
        assertEquals(42, received.readInt());
        received.reset();
        assertTrue(received.readBoolean());
    }

    private static Map<String, Object> values() {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("boolean", true);
        values.put("byte", (byte) -7);
        values.put("char", 'é');
        values.put("short", Short.MIN_VALUE);
        values.put("int", Integer.MIN_VALUE);
        values.put("long", Long.MAX_VALUE);
        values.put("float", Float.MIN_VALUE);
        values.put("double", Double.MAX_VALUE);
        values.put("string", "Grüße");
        values.put("long string", "x".repeat(70_000));
        values.put("null", null);
        return values;
    }

    @Test
    void a_map_carries_every_type() throws Exception {
        MapMessage message = open().createMapMessage();
        for (Map.Entry<String, Object> entry : values().entrySet()) {
            message.setObject(entry.getKey(), entry.getValue());
        }
        message.setBytes("bytes", new byte[] {1, 2, 3}, 1, 2);
        MapMessage received = through(message);
        for (Map.Entry<String, Object> entry : values().entrySet()) {
            assertEquals(entry.getValue(), received.getObject(entry.getKey()), entry.getKey());
            assertTrue(received.itemExists(entry.getKey()));
        }
        assertArrayEquals(new byte[] {2, 3}, received.getBytes("bytes"));
        assertFalse(received.itemExists("missing"));
        assertEquals(values().size() + 1, Collections.list(received.getMapNames()).size());
    }

    @Test
    void a_map_may_hold_maps_and_lists() throws Exception {
        MapMessage message = open().createMapMessage();
        message.setObject("list", Arrays.asList(1, "two", 3L));
        message.setObject("map", Map.of("inner", List.of("deep")));
        MapMessage received = through(message);
        assertEquals("[1, two, 3]", received.getObject("list").toString());
        assertEquals("{inner=[deep]}", received.getObject("map").toString());
    }

    @Test
    void an_empty_map_is_empty() throws Exception {
        assertFalse(through(open().createMapMessage()).getMapNames().hasMoreElements());
    }

    @Test
    void a_stream_carries_every_type_in_order() throws Exception {
        StreamMessage message = open().createStreamMessage();
        for (Object value : values().values()) {
            message.writeObject(value);
        }
        message.writeBytes(new byte[] {4, 5});
        StreamMessage received = through(message);
        for (Map.Entry<String, Object> entry : values().entrySet()) {
            assertEquals(entry.getValue(), received.readObject(), entry.getKey());
        }
        byte[] bytes = new byte[10];
        assertEquals(2, received.readBytes(bytes));
        assertEquals(-1, received.readBytes(bytes));
        assertThrows(MessageEOFException.class, received::readObject);
    }

    @Test
    void a_stream_converts_where_it_may() throws Exception {
        StreamMessage message = open().createStreamMessage();
        message.writeInt(5);
        message.writeString("6");
        message.writeBoolean(true);
        StreamMessage received = through(message);
        assertEquals(5L, received.readLong());
        assertEquals(6, received.readInt());
        assertThrows(MessageFormatException.class, received::readInt);
        assertTrue(received.readBoolean());
    }

    @Test
    void an_object_comes_back_as_equal() throws Exception {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(url());
        factory.setTrustAllPackages(true);
        ActiveMQConnection connection = (ActiveMQConnection) closing(factory.createConnection());
        connection.start();
        session = session(connection);
        ArrayList<Object> object = new ArrayList<>(List.of("one", 2, new java.util.Date(3)));
        assertEquals(object, through(session.createObjectMessage(object)).getObject());
        ObjectMessage empty = through(session.createObjectMessage());
        assertNull(empty.getObject());
    }

    @Test
    void an_object_of_a_class_that_nobody_trusts_still_passes_the_broker() throws Exception {
        ObjectMessage received = through(open().createObjectMessage(new java.util.Date(3)));
        assertThrows(JMSException.class, received::getObject);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 1023, 65_535, 65_536, 1_000_000})
    void compressed_bodies_of_any_size_come_whole(int length) throws Exception {
        session = session("jms.useCompression=true");
        String body = "abcdefghij".repeat(length / 10 + 1).substring(0, length);
        assertEquals(body, through(session.createTextMessage(body)).getText());
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(body.getBytes());
        BytesMessage received = through(bytes);
        byte[] read = new byte[length];
        received.readBytes(read);
        assertEquals(body, new String(read));
    }

    @Test
    void every_kind_may_be_compressed() throws Exception {
        session = session("jms.useCompression=true");
        MapMessage map = session.createMapMessage();
        map.setString("key", "value".repeat(100));
        assertEquals("value".repeat(100), through(map).getString("key"));
        StreamMessage stream = session.createStreamMessage();
        stream.writeString("value".repeat(100));
        assertEquals("value".repeat(100), through(stream).readString());
    }

    @Test
    void twenty_megabytes_come_whole() throws Exception {
        session = session();
        byte[] body = new byte[20 * 1024 * 1024];
        new Random(20).nextBytes(body);
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(body);
        BytesMessage received = through(message);
        byte[] read = new byte[body.length];
        assertEquals(body.length, received.readBytes(read));
        assertArrayEquals(body, read);
    }

    @Test
    void twenty_megabytes_of_text_come_compressed() throws Exception {
        session = session("jms.useCompression=true");
        String body = "0123456789".repeat(2 * 1024 * 1024);
        assertEquals(body, through(session.createTextMessage(body)).getText());
    }

    @Test
    void what_was_received_is_read_only_until_it_is_cleared() throws Exception {
        TextMessage text = open().createTextMessage("body");
        text.setStringProperty("key", "value");
        TextMessage received = through(text);
        assertThrows(MessageNotWriteableException.class, () -> received.setText("other"));
        assertThrows(MessageNotWriteableException.class, () -> received.setStringProperty("key", "other"));
        received.clearBody();
        assertNull(received.getText());
        assertEquals("value", received.getStringProperty("key"));
        received.clearProperties();
        received.setStringProperty("key", "other");
        assertEquals("other", received.getStringProperty("key"));
        BytesMessage bytes = through(session.createBytesMessage());
        assertThrows(MessageNotWriteableException.class, () -> bytes.writeInt(1));
        BytesMessage fresh = session.createBytesMessage();
        assertThrows(MessageNotReadableException.class, fresh::readInt);
    }

    @Test
    void a_received_message_can_be_sent_on() throws Exception {
        TextMessage message = open().createTextMessage("travels");
        message.setStringProperty("key", "value");
        TextMessage received = through(message);
        String first = received.getJMSMessageID();
        session.createProducer(queue("NEXT")).send(received);
        TextMessage again = (TextMessage) next(session.createConsumer(queue("NEXT")));
        assertEquals("travels", again.getText());
        assertEquals("value", again.getStringProperty("key"));
        assertNotEquals(first, again.getJMSMessageID());
        assertEquals(queue("NEXT"), again.getJMSDestination());
    }

    @Test
    void one_message_object_can_be_sent_many_times() throws Exception {
        TextMessage message = open().createTextMessage();
        MessageProducer producer = session.createProducer(queue());
        MessageConsumer consumer = session.createConsumer(queue());
        for (String text : numbered("m", 10)) {
            message.setText(text);
            producer.send(message);
        }
        assertEquals(List.of(numbered("m", 10)), texts(consumer, 10));
    }
}
