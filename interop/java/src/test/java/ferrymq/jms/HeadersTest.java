package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageFormatException;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HeadersTest extends Jms {
    private Message through(Session session, Message message) throws JMSException {
        session.createProducer(queue()).send(message);
        return next(session.createConsumer(queue()));
    }

    @Test
    void all_headers_arrive() throws Exception {
        Session session = session();
        Message message = session.createTextMessage("body");
        message.setJMSCorrelationID("correlation é 😀");
        message.setJMSReplyTo(topic("REPLIES"));
        message.setJMSType("kind");
        MessageProducer producer = session.createProducer(queue());
        long before = System.currentTimeMillis();
        producer.send(message, DeliveryMode.PERSISTENT, 7, 3_600_000);
        Message received = next(session.createConsumer(queue()));
        assertEquals("correlation é 😀", received.getJMSCorrelationID());
        assertEquals(topic("REPLIES"), received.getJMSReplyTo());
        assertEquals("kind", received.getJMSType());
        assertEquals(queue(), received.getJMSDestination());
        assertEquals(DeliveryMode.PERSISTENT, received.getJMSDeliveryMode());
        assertEquals(7, received.getJMSPriority());
        assertEquals(message.getJMSMessageID(), received.getJMSMessageID());
        assertEquals(message.getJMSTimestamp(), received.getJMSTimestamp());
        assertTrue(received.getJMSTimestamp() >= before);
        assertEquals(received.getJMSTimestamp() + 3_600_000, received.getJMSExpiration());
        assertFalse(received.getJMSRedelivered());
    }

    @Test
    void headers_that_nobody_set_are_absent() throws Exception {
        Session session = session();
        Message received = through(session, session.createMessage());
        assertNull(received.getJMSCorrelationID());
        assertNull(received.getJMSReplyTo());
        assertNull(received.getJMSType());
        assertEquals(0, received.getJMSExpiration());
        assertEquals(4, received.getJMSPriority());
        List<?> names = Collections.list(received.getPropertyNames());
        assertTrue(List.of("JMSXDeliveryCount").containsAll(names), names.toString());
    }

    @Test
    void a_correlation_id_of_bytes_arrives() throws Exception {
        Session session = session();
        Message message = session.createMessage();
        message.setJMSCorrelationIDAsBytes("id".getBytes());
        assertArrayEquals("id".getBytes(), through(session, message).getJMSCorrelationIDAsBytes());
    }

    @Test
    void message_ids_are_unique() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        Set<String> ids = new HashSet<>();
        for (int index = 0; index < 100; index++) {
            Message message = session.createMessage();
            producer.send(message);
            ids.add(message.getJMSMessageID());
        }
        assertEquals(100, ids.size());
        assertTrue(ids.stream().allMatch(id -> id.startsWith("ID:")));
    }

    @ParameterizedTest
    @ValueSource(ints = {DeliveryMode.PERSISTENT, DeliveryMode.NON_PERSISTENT})
    void the_mode_of_delivery_arrives(int mode) throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.setDeliveryMode(mode);
        producer.send(session.createMessage());
        assertEquals(mode, next(session.createConsumer(queue())).getJMSDeliveryMode());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4, 9})
    void every_priority_arrives(int priority) throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.setPriority(priority);
        producer.send(session.createMessage());
        assertEquals(priority, next(session.createConsumer(queue())).getJMSPriority());
    }

    @Test
    void an_expired_message_is_never_delivered() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.setTimeToLive(1);
        producer.send(session.createTextMessage("short"));
        long sent = System.currentTimeMillis();
        Await.until("the end of its life", () -> System.currentTimeMillis() > sent + 5);
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_message_that_expires_at_the_consumer_is_not_handed_out() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue());
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.send(session.createTextMessage("short"), DeliveryMode.PERSISTENT, 4, 50);
        long sent = System.currentTimeMillis();
        Await.until("the end of its life", () -> System.currentTimeMillis() > sent + 100);
        send(queue(), "long");
        assertEquals("long", nextText(consumer));
    }

    @Test
    void time_to_live_becomes_an_expiration() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.setTimeToLive(600_000);
        producer.send(session.createMessage());
        Message received = next(session.createConsumer(queue()));
        assertEquals(received.getJMSTimestamp() + 600_000, received.getJMSExpiration());
    }

    @Test
    void properties_of_every_type_arrive() throws Exception {
        Session session = session();
        Message message = session.createMessage();
        message.setBooleanProperty("boolean", true);
        message.setByteProperty("byte", (byte) -1);
        message.setShortProperty("short", Short.MIN_VALUE);
        message.setIntProperty("int", Integer.MIN_VALUE);
        message.setLongProperty("long", Long.MIN_VALUE);
        message.setFloatProperty("float", 1.5f);
        message.setDoubleProperty("double", 2.5);
        message.setStringProperty("string", "Grüße");
        message.setStringProperty("empty", "");
        message.setStringProperty("null", null);
        message.setStringProperty("long string", "y".repeat(40_000));
        Message received = through(session, message);
        assertEquals(true, received.getObjectProperty("boolean"));
        assertEquals((byte) -1, received.getObjectProperty("byte"));
        assertEquals(Short.MIN_VALUE, received.getObjectProperty("short"));
        assertEquals(Integer.MIN_VALUE, received.getObjectProperty("int"));
        assertEquals(Long.MIN_VALUE, received.getObjectProperty("long"));
        assertEquals(1.5f, received.getObjectProperty("float"));
        assertEquals(2.5, received.getObjectProperty("double"));
        assertEquals("Grüße", received.getObjectProperty("string"));
        assertEquals("", received.getObjectProperty("empty"));
        assertNull(received.getObjectProperty("null"));
        assertEquals("y".repeat(40_000), received.getObjectProperty("long string"));
        assertTrue(received.propertyExists("boolean"));
        assertFalse(received.propertyExists("missing"));
        Set<?> names = new HashSet<>(Collections.list(received.getPropertyNames()));
        names.remove("JMSXDeliveryCount");
        assertEquals(11, names.size());
    }

    @Test
    void two_hundred_properties_arrive() throws Exception {
        Session session = session();
        Message message = session.createMessage();
        for (int index = 0; index < 200; index++) {
            message.setIntProperty("p" + index, index);
        }
        Message received = through(session, message);
        for (int index = 0; index < 200; index++) {
            assertEquals(index, received.getIntProperty("p" + index));
        }
    }

    /** The table of JMS 1.1, section 3.5.4: what was written as (row) may be read as (columns). */
    @ParameterizedTest
    @CsvSource({
        "boolean, boolean string", "byte, byte short int long string", "short, short int long string", "int, int long string",
        "long, long string", "float, float double string", "double, double string",
        "string, boolean byte short int long float double string"})
    void properties_convert_where_jms_allows_it(String written, String readable) throws Exception {
        Session session = session();
        Message message = session.createMessage();
        switch (written) {
            case "boolean" -> message.setBooleanProperty("p", true);
            case "byte" -> message.setByteProperty("p", (byte) 1);
            case "short" -> message.setShortProperty("p", (short) 1);
            case "int" -> message.setIntProperty("p", 1);
            case "long" -> message.setLongProperty("p", 1);
            case "float" -> message.setFloatProperty("p", 1);
            case "double" -> message.setDoubleProperty("p", 1);
            default -> message.setStringProperty("p", "1");
        }
        Message received = through(session, message);
        List<String> allowed = List.of(readable.split(" "));
        for (String type : List.of("boolean", "byte", "short", "int", "long", "float", "double", "string")) {
            if (allowed.contains(type)) {
                assertNotNull(read(received, type), type);
            } else {
                assertThrows(MessageFormatException.class, () -> read(received, type), type);
            }
        }
    }

    private static Object read(Message message, String type) throws JMSException {
        return switch (type) {
            case "boolean" -> message.getBooleanProperty("p");
            case "byte" -> message.getByteProperty("p");
            case "short" -> message.getShortProperty("p");
            case "int" -> message.getIntProperty("p");
            case "long" -> message.getLongProperty("p");
            case "float" -> message.getFloatProperty("p");
            case "double" -> message.getDoubleProperty("p");
            default -> message.getStringProperty("p");
        };
    }

    @Test
    void an_object_that_is_no_primitive_is_no_property() throws Exception {
        Message message = session().createMessage();
        assertThrows(MessageFormatException.class, () -> message.setObjectProperty("p", new Object()));
    }

    @Test
    void group_properties_of_jms_arrive() throws Exception {
        Session session = session();
        Message message = session.createMessage();
        message.setStringProperty("JMSXGroupID", "group");
        message.setIntProperty("JMSXGroupSeq", 3);
        Message received = through(session, message);
        assertEquals("group", received.getStringProperty("JMSXGroupID"));
        assertEquals(3, received.getIntProperty("JMSXGroupSeq"));
    }

    @Test
    void the_delivery_count_begins_at_one_and_grows() throws Exception {
        send(queue(), "m");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue());
        Message first = next(consumer);
        assertEquals(1, first.getIntProperty("JMSXDeliveryCount"));
        assertFalse(first.getJMSRedelivered());
        session.recover();
        Message second = next(consumer);
        assertEquals(2, second.getIntProperty("JMSXDeliveryCount"));
        assertTrue(second.getJMSRedelivered());
    }

    @Test
    void what_came_to_another_consumer_before_counts_as_redelivered() throws Exception {
        send(queue(), "m");
        Session session = session(Session.CLIENT_ACKNOWLEDGE);
        next(session.createConsumer(queue()));
        session.close();
        Message again = next(session().createConsumer(queue()));
        assertTrue(again.getJMSRedelivered());
        assertEquals(2, again.getIntProperty("JMSXDeliveryCount"));
    }

    @Test
    void what_was_only_prefetched_does_not_count_as_redelivered() throws Exception {
        send(queue(), "1", "2");
        Session session = session();
        MessageConsumer consumer = session.createConsumer(queue());
        next(consumer);
        consumer.close();
        Message second = next(session().createConsumer(queue()));
        assertEquals("2", text(second));
        assertFalse(second.getJMSRedelivered());
        assertEquals(1, second.getIntProperty("JMSXDeliveryCount"));
    }

    @Test
    void a_transacted_message_names_its_transaction() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        session.createProducer(queue()).send(session.createTextMessage("m"));
        session.commit();
        assertNotNull(next(session().createConsumer(queue())).getStringProperty("JMSXProducerTXID"));
    }

    @Test
    void a_producer_may_leave_out_the_timestamp() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.setDisableMessageTimestamp(true);
        producer.send(session.createMessage());
        assertEquals(0, next(session.createConsumer(queue())).getJMSTimestamp());
    }
}
