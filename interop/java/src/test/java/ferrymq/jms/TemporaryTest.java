package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.Connection;
import jakarta.jms.Destination;
import jakarta.jms.InvalidDestinationException;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.QueueRequestor;
import jakarta.jms.QueueSession;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import jakarta.jms.TemporaryTopic;
import jakarta.jms.TextMessage;
import jakarta.jms.TopicRequestor;
import jakarta.jms.TopicSession;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.command.ActiveMQTempQueue;
import org.apache.activemq.command.ConsumerId;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.SessionId;
import org.junit.jupiter.api.Test;

class TemporaryTest extends Jms {
    /** Answers what comes to a destination with "re: …" and the same correlation id. */
    private void responder(Destination destination) throws JMSException {
        Session session = session();
        MessageProducer producer = session.createProducer(null);
        session.createConsumer(destination).setMessageListener(message -> {
            try {
                TextMessage reply = session.createTextMessage("re: " + text(message));
                reply.setJMSCorrelationID(message.getJMSCorrelationID());
                producer.send(message.getJMSReplyTo(), reply);
            } catch (JMSException error) {
                throw new RuntimeException(error);
            }
        });
    }

    private static String ask(Session session, Queue service, Destination replyTo, MessageConsumer replies, String text) throws JMSException {
        TextMessage request = session.createTextMessage(text);
        request.setJMSReplyTo(replyTo);
        request.setJMSCorrelationID("about " + text);
        session.createProducer(service).send(request);
        Message reply = next(replies);
        assertEquals("about " + text, reply.getJMSCorrelationID());
        return text(reply);
    }

    /** A connection learns by an advisory which temporary destinations there are, a moment after it was made. */
    private static void sendOnceKnown(Session session, Destination temporary, String text) {
        Await.until("a known destination", () -> {
            try {
                send(session, temporary, text);
                return true;
            } catch (InvalidDestinationException unknown) {
                return false;
            }
        });
    }

    @Test
    void a_request_is_answered_at_a_temporary_queue() throws Exception {
        responder(queue());
        Session session = session();
        TemporaryQueue replyTo = session.createTemporaryQueue();
        MessageConsumer replies = session.createConsumer(replyTo);
        for (String text : numbered("q", 20)) {
            assertEquals("re: " + text, ask(session, queue(), replyTo, replies, text));
        }
    }

    @Test
    void a_request_is_answered_at_a_temporary_topic() throws Exception {
        responder(queue());
        Session session = session();
        TemporaryTopic replyTo = session.createTemporaryTopic();
        MessageConsumer replies = session.createConsumer(replyTo);
        assertEquals("re: hello", ask(session, queue(), replyTo, replies, "hello"));
    }

    @Test
    void the_queue_requestor_of_jms_works() throws Exception {
        responder(queue());
        QueueSession session = connection().createQueueSession(false, Session.AUTO_ACKNOWLEDGE);
        QueueRequestor requestor = new QueueRequestor(session, queue());
        assertEquals("re: hello", text(requestor.request(session.createTextMessage("hello"))));
        requestor.close();
    }

    @Test
    void the_topic_requestor_of_jms_works() throws Exception {
        responder(topic());
        TopicSession session = connection().createTopicSession(false, Session.AUTO_ACKNOWLEDGE);
        TopicRequestor requestor = new TopicRequestor(session, topic());
        assertEquals("re: hello", text(requestor.request(session.createTextMessage("hello"))));
        requestor.close();
    }

    @Test
    void every_temporary_destination_has_its_own_name() throws Exception {
        Session session = session();
        Set<String> names = new HashSet<>();
        for (int index = 0; index < 50; index++) {
            names.add(session.createTemporaryQueue().getQueueName());
        }
        assertEquals(50, names.size());
    }

    @Test
    void a_temporary_topic_fans_out() throws Exception {
        Connection connection = connection();
        TemporaryTopic topic = session(connection).createTemporaryTopic();
        MessageConsumer one = session(connection).createConsumer(topic);
        MessageConsumer other = session(connection).createConsumer(topic);
        send(session(connection), topic, "m");
        assertEquals("m", nextText(one));
        assertEquals("m", nextText(other));
    }

    @Test
    void another_connection_may_send_and_may_not_receive() throws Exception {
        Connection owner = connection();
        TemporaryQueue queue = session(owner).createTemporaryQueue();
        assertThrows(InvalidDestinationException.class, () -> session().createConsumer(queue));
        sendOnceKnown(session(), queue, "from elsewhere");
        assertEquals("from elsewhere", nextText(session(owner).createConsumer(queue)));
    }

    @Test
    void the_reply_arrives_as_what_it_was_when_its_address_travelled() throws Exception {
        Session session = session();
        TemporaryQueue replyTo = session.createTemporaryQueue();
        Message message = session.createMessage();
        message.setJMSReplyTo(replyTo);
        session.createProducer(queue()).send(message);
        Destination seen = next(session().createConsumer(queue())).getJMSReplyTo();
        assertInstanceOf(TemporaryQueue.class, seen);
        assertEquals(replyTo, seen);
    }

    @Test
    void a_deleted_temporary_queue_takes_no_more_messages() throws Exception {
        Connection other = connection();
        TemporaryQueue queue = session().createTemporaryQueue();
        sendOnceKnown(session(other), queue, "in time");
        queue.delete();
        Await.until("the refusal", () -> {
            try {
                send(session(other), queue, "too late");
                return false;
            } catch (JMSException gone) {
                return true;
            }
        });
    }

    @Test
    void a_temporary_queue_that_is_gone_may_be_deleted_again() throws Exception {
        TemporaryQueue temporary = session().createTemporaryQueue();
        temporary.delete();
        temporary.delete();
    }

    @Test
    void a_temporary_queue_that_somebody_consumes_cannot_be_deleted() throws Exception {
        Session session = session();
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        assertThrows(JMSException.class, queue::delete);
        consumer.close();
        queue.delete();
    }

    @Test
    void temporary_destinations_end_with_their_connection() throws Exception {
        Connection owner = connection();
        TemporaryQueue queue = session(owner).createTemporaryQueue();
        Connection other = connection();
        sendOnceKnown(session(other), queue, "in time");
        owner.close();
        Await.until("the refusal", () -> {
            try {
                send(session(other), queue, "too late");
                return false;
            } catch (JMSException gone) {
                return true;
            }
        });
    }

    @Test
    void temporary_destinations_end_with_the_socket_of_their_connection() throws Exception {
        ActiveMQConnection owner = connection();
        TemporaryQueue queue = session(owner).createTemporaryQueue();
        Connection other = connection();
        sendOnceKnown(session(other), queue, "in time");
        cut(owner);
        Await.until("the refusal", () -> {
            try {
                send(session(other), queue, "too late");
                return false;
            } catch (JMSException gone) {
                return true;
            }
        });
    }

    @Test
    void without_watching_advisories_the_broker_itself_refuses_what_is_gone() throws Exception {
        Connection owner = connection();
        TemporaryQueue queue = session(owner).createTemporaryQueue();
        owner.close();
        Session other = session("jms.watchTopicAdvisories=false");
        assertThrows(JMSException.class, () -> send(other, queue, "too late"));
    }

    @Test
    void the_broker_itself_refuses_a_consumer_of_another_connection() throws Exception {
        TemporaryQueue queue = session().createTemporaryQueue();
        ActiveMQConnection other = connection("jms.watchTopicAdvisories=false");
        session(other);
        // The client would not ask.
        SessionId ofAdvisories = new SessionId(other.getConnectionInfo().getConnectionId(), -1);
        ConsumerInfo subscription = new ConsumerInfo(new ConsumerId(ofAdvisories, 100));
        subscription.setDestination(new ActiveMQTempQueue(((ActiveMQTempQueue) queue).getPhysicalName()));
        JMSException refusal = assertThrows(InvalidDestinationException.class, () -> other.syncSendPacket(subscription));
        assertTrue(refusal.getMessage().contains("created by another connection is not permitted"), refusal.getMessage());
    }

    @Test
    void transactions_cover_temporary_queues() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        send(session, queue, "undone");
        session.rollback();
        send(session, queue, "done");
        session.commit();
        assertEquals("done", nextText(consumer));
        session.commit();
    }

    @Test
    void a_reply_waits_at_a_temporary_queue_for_its_receiver() throws Exception {
        Connection owner = connection();
        TemporaryQueue queue = session(owner).createTemporaryQueue();
        Session other = session();
        sendOnceKnown(other, queue, "1");
        send(other, queue, "2", "3");
        assertEquals(List.of("1", "2", "3"), texts(session(owner).createConsumer(queue), 3));
    }
}
