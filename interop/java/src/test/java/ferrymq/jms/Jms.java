package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Destination;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import jakarta.jms.Topic;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;

/** What every area's tests have: a broker, connections that end with the test, names of their own. */
abstract class Jms {
    /** Redelivers without waiting; what else a test wants of its connection goes behind. */
    static final String PROMPT = "jms.redeliveryPolicy.initialRedeliveryDelay=0&jms.redeliveryPolicy.redeliveryDelay=0&jms.closeTimeout=5000";

    private final List<AutoCloseable> open = new ArrayList<>();
    private String prefix;

    @BeforeEach
    final void nameDestinations(TestInfo info) {
        String area = getClass().getSimpleName().replaceFirst("Test$", "").toUpperCase();
        prefix = area + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    @AfterEach
    final void closeAll() throws Exception {
        for (int index = open.size() - 1; index >= 0; index--) {
            open.get(index).close();
        }
    }

    Broker broker() {
        return Broker.shared();
    }

    /** Closes it when the test ends, the last one first. */
    final <T extends AutoCloseable> T closing(T closeable) {
        open.add(closeable);
        return closeable;
    }

    // ---- names ----

    /** A name that no other test has. */
    final String name(String suffix) {
        return prefix + "." + suffix;
    }

    final Queue queue() {
        return queue("Q");
    }

    final Queue queue(String suffix) {
        return new ActiveMQQueue(name(suffix));
    }

    final Topic topic() {
        return topic("T");
    }

    final Topic topic(String suffix) {
        return new ActiveMQTopic(name(suffix));
    }

    // ---- connections and sessions ----

    final String url(String... options) {
        return url(broker(), options);
    }

    static String url(Broker broker, String... options) {
        return broker.url() + "?" + PROMPT + (options.length == 0 ? "" : "&" + String.join("&", options));
    }

    final ActiveMQConnection connection(String... options) throws JMSException {
        return connected(url(options));
    }

    /** A started connection. */
    final ActiveMQConnection connected(String url) throws JMSException {
        ActiveMQConnection connection = (ActiveMQConnection) new ActiveMQConnectionFactory(url).createConnection();
        open.add(() -> close(connection));
        connection.start();
        return connection;
    }

    /** A started connection with a client id. */
    final ActiveMQConnection named(String clientId, String... options) throws JMSException {
        ActiveMQConnection connection = (ActiveMQConnection) new ActiveMQConnectionFactory(url(options)).createConnection();
        open.add(() -> close(connection));
        connection.setClientID(clientId);
        connection.start();
        return connection;
    }

    /** A session on a connection of its own. */
    final Session session(String... options) throws JMSException {
        return session(Session.AUTO_ACKNOWLEDGE, options);
    }

    final Session session(int mode, String... options) throws JMSException {
        return session(connection(options), mode);
    }

    static Session session(Connection connection) throws JMSException {
        return session(connection, Session.AUTO_ACKNOWLEDGE);
    }

    static Session session(Connection connection, int mode) throws JMSException {
        return connection.createSession(mode == Session.SESSION_TRANSACTED, mode);
    }

    /** Ends the socket of a connection without a goodbye, as soon as it has one. */
    static void cut(ActiveMQConnection connection) {
        Await.until("a socket", () -> {
            java.net.Socket socket = connection.getTransport().narrow(java.net.Socket.class);
            if (socket == null) {
                return false;
            }
            socket.close();
            return true;
        });
    }

    // ---- messages ----

    /** Sends persistent text messages from a connection of its own. */
    final void send(Destination destination, String... texts) throws JMSException {
        Connection connection = connected(url());
        send(session(connection), destination, texts);
        connection.close();
    }

    static void send(Session session, Destination destination, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(destination);
        for (String text : texts) {
            producer.send(session.createTextMessage(text));
        }
        producer.close();
    }

    static void sendNonPersistent(Session session, Destination destination, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(destination);
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        for (String text : texts) {
            producer.send(session.createTextMessage(text));
        }
        producer.close();
    }

    /** The next message; there must be one. */
    static Message next(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(Await.PATIENCE_MILLIS);
        assertNotNull(message, "no message came");
        return message;
    }

    static String text(Message message) throws JMSException {
        return ((TextMessage) message).getText();
    }

    static String nextText(MessageConsumer consumer) throws JMSException {
        return text(next(consumer));
    }

    static List<String> texts(MessageConsumer consumer, int count) throws JMSException {
        List<String> texts = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            texts.add(nextText(consumer));
        }
        return texts;
    }

    /** What a queue still has for a new consumer, in order: all that comes before a message sent now. Takes it. */
    final List<String> rest(Queue queue) throws JMSException {
        return rest(broker(), queue);
    }

    final List<String> rest(Broker broker, Queue queue) throws JMSException {
        Connection connection = connected(url(broker));
        Session session = session(connection);
        send(session, queue, "<end>");
        List<String> rest = untilEnd(session.createConsumer(queue));
        connection.close();
        return rest;
    }

    /** What comes before the message "&lt;end&gt;". */
    static List<String> untilEnd(MessageConsumer consumer) throws JMSException {
        List<String> texts = new ArrayList<>();
        while (true) {
            String text = nextText(consumer);
            if (text.equals("<end>")) {
                return texts;
            }
            texts.add(text);
        }
    }

    /** "PREFIX0", "PREFIX1", … */
    static String[] numbered(String prefix, int count) {
        String[] texts = new String[count];
        Arrays.setAll(texts, index -> prefix + index);
        return texts;
    }

    private static void close(Connection connection) {
        try {
            connection.close();
        } catch (JMSException alreadyGone) {
            // A test that killed the broker has nothing left to close.
        }
    }
}
