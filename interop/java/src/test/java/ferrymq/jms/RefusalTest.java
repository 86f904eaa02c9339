package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.InvalidClientIDException;
import jakarta.jms.InvalidDestinationException;
import jakarta.jms.InvalidSelectorException;
import jakarta.jms.JMSException;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQQueue;
import org.junit.jupiter.api.Test;

/** Each refusal of the broker arrives as the class that JMS names, and the connection lives on. */
class RefusalTest extends Jms {
    @Test
    void a_bad_selector_is_an_invalid_selector() throws Exception {
        Session session = session();
        InvalidSelectorException refusal = assertThrows(InvalidSelectorException.class, () -> session.createConsumer(queue(), "a ="));
        assertNotNull(refusal.getMessage());
        send(session, queue(), "alive");
    }

    @Test
    void a_client_id_that_is_taken_is_an_invalid_client_id() throws Exception {
        named(name("id"));
        assertThrows(InvalidClientIDException.class, () -> named(name("id")));
    }

    @Test
    void removing_what_nobody_subscribed_is_an_invalid_destination() throws Exception {
        Session session = session(named(name("id")));
        assertThrows(InvalidDestinationException.class, () -> session.unsubscribe("nothing"));
        send(session, queue(), "alive");
    }

    @Test
    void destroying_a_queue_in_use_is_refused() throws Exception {
        ActiveMQConnection connection = connection();
        session().createConsumer(queue());
        JMSException refusal = assertThrows(JMSException.class, () -> connection.destroyDestination((ActiveMQDestination) queue()));
        assertTrue(refusal.getMessage().contains("active subscription"), refusal.getMessage());
        send(session(connection), queue(), "alive");
    }

    @Test
    void sending_to_a_temporary_queue_that_is_gone_is_refused_by_the_broker() throws Exception {
        ActiveMQConnection owner = connection("jms.watchTopicAdvisories=false");
        Session session = session(owner);
        TemporaryQueue queue = session.createTemporaryQueue();
        queue.delete();
        JMSException refusal = assertThrows(JMSException.class, () -> send(session, queue, "late"));
        assertTrue(refusal.getMessage().contains(queue.getQueueName()), refusal.toString());
        send(session, queue(), "alive");
    }

    @Test
    void a_refused_asynchronous_send_reaches_the_exception_listener() throws Exception {
        ActiveMQConnection connection = connection("jms.useAsyncSend=true", "jms.watchTopicAdvisories=false");
        CompletableFuture<JMSException> told = new CompletableFuture<>();
        connection.setExceptionListener(told::complete);
        Session session = session(connection);
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageProducer producer = session.createProducer(queue);
        queue.delete();
        producer.send(session.createTextMessage("late"));
        assertNotNull(told.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void an_option_that_does_not_exist_is_refused_by_the_client() throws Exception {
        Session session = session();
        assertThrows(JMSException.class, () -> session.createConsumer(new ActiveMQQueue(name("Q") + "?consumer.nonsense=1")));
        send(session, queue(), "alive");
    }

    @Test
    void a_frame_beyond_the_broker_limit_ends_only_its_connection() throws Exception {
        Session innocent = session();
        Session guilty = session();
        jakarta.jms.BytesMessage message = guilty.createBytesMessage();
        message.writeBytes(new byte[101 * 1024 * 1024]);
        assertThrows(JMSException.class, () -> guilty.createProducer(queue()).send(message));
        send(innocent, queue(), "alive");
        assertEquals("alive", nextText(innocent.createConsumer(queue())));
    }
}
