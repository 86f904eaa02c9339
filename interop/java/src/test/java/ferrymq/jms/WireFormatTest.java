package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.Connection;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WireFormatTest extends Jms {
    @ParameterizedTest
    @ValueSource(strings = {
        "wireFormat.tightEncodingEnabled=false", "wireFormat.cacheEnabled=false",
        "wireFormat.tightEncodingEnabled=false&wireFormat.cacheEnabled=false", "wireFormat.stackTraceEnabled=false", "wireFormat.sizePrefixDisabled=true",
        "wireFormat.cacheSize=128", "wireFormat.version=1", "wireFormat.version=9", "wireFormat.version=10", "wireFormat.version=11",
        "wireFormat.version=12", "wireFormat.version=10&wireFormat.tightEncodingEnabled=false&wireFormat.cacheEnabled=false",
        "wireFormat.tcpNoDelayEnabled=false", "wireFormat.maxInactivityDuration=0", "wireFormat.maxFrameSize=1000000",
        "socketBufferSize=4096", "wireFormat.host=elsewhere"})
    void a_whole_conversation_works(String options) throws Exception {
        Connection connection = connection(options);
        Session session = session(connection, Session.CLIENT_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(queue());
        Message message = session.createTextMessage("Grüße 😀");
        message.setStringProperty("key", "value");
        message.setJMSCorrelationID("id");
        TemporaryQueue replies = session.createTemporaryQueue();
        message.setJMSReplyTo(replies);
        producer.send(message);
        MessageConsumer consumer = session.createConsumer(queue(), "key = 'value'");
        Message received = next(consumer);
        assertEquals("Grüße 😀", text(received));
        assertEquals("id", received.getJMSCorrelationID());
        assertEquals(replies, received.getJMSReplyTo());
        received.acknowledge();
        MessageConsumer replyConsumer = session.createConsumer(replies);
        send(session, received.getJMSReplyTo(), "reply");
        assertEquals("reply", nextText(replyConsumer));
        Session transacted = session(connection, Session.SESSION_TRANSACTED);
        send(transacted, queue("T"), numbered("m", 20));
        transacted.commit();
        assertEquals(List.of(numbered("m", 20)), texts(transacted.createConsumer(queue("T")), 20));
        transacted.commit();
        assertThrows(JMSException.class, () -> session.createConsumer(queue(), "this is ="));
    }

    @ParameterizedTest
    @ValueSource(strings = {"wireFormat.tightEncodingEnabled=false", "wireFormat.cacheEnabled=false", "wireFormat.version=9", "wireFormat.version=1"})
    void clients_of_different_wire_formats_understand_each_other(String options) throws Exception {
        send(session(options), queue("A"), numbered("m", 20));
        assertEquals(List.of(numbered("m", 20)), texts(session().createConsumer(queue("A")), 20));
        send(queue("B"), numbered("m", 20));
        assertEquals(List.of(numbered("m", 20)), texts(session(options).createConsumer(queue("B")), 20));
    }

    @Test
    void more_destinations_than_the_cache_has_places_are_told_apart() throws Exception {
        Session session = session("wireFormat.cacheSize=128");
        MessageProducer producer = session.createProducer(null);
        for (int index = 0; index < 400; index++) {
            producer.send(queue("C" + index), session.createTextMessage("m" + index));
        }
        for (int index = 0; index < 400; index += 13) {
            MessageConsumer consumer = session.createConsumer(queue("C" + index));
            Message message = next(consumer);
            assertEquals("m" + index, text(message));
            assertEquals(queue("C" + index), message.getJMSDestination());
            consumer.close();
        }
    }

    @Test
    void many_short_connections_come_and_go() throws Exception {
        for (int index = 0; index < 100; index++) {
            Connection connection = connection();
            send(session(connection), queue(), "m" + index);
            connection.close();
        }
        assertEquals(List.of(numbered("m", 100)), rest(queue()));
    }
}
