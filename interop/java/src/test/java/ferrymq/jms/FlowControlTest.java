package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.BytesMessage;
import jakarta.jms.Connection;
import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.ResourceAllocationException;
import jakarta.jms.Session;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.advisory.AdvisorySupport;
import org.apache.activemq.command.ActiveMQDestination;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FlowControlTest extends Jms {
    private static final int LENGTH = 100 * 1024;

    /** Sends numbered messages of 100 KiB. */
    private void flood(Session session, int mode, int count) throws Exception {
        MessageProducer producer = session.createProducer(queue());
        producer.setDeliveryMode(mode);
        for (int index = 0; index < count; index++) {
            producer.send(large(session, index));
        }
    }

    private static BytesMessage large(Session session, int number) throws JMSException {
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(new byte[LENGTH]);
        message.setIntProperty("number", number);
        return message;
    }

    private MessageProducer nonPersistent(Session session) throws JMSException {
        MessageProducer producer = session.createProducer(queue());
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        return producer;
    }

    /** What a look at the queue shows. */
    private int depth(Broker broker) throws JMSException {
        Connection connection = connected(url(broker));
        int depth = Collections.list(session(connection).createBrowser(queue()).getEnumeration()).size();
        connection.close();
        return depth;
    }

    /** Sends until the broker refuses it; how many it took. */
    private static int fill(Session session, MessageProducer producer) throws JMSException {
        int taken = 0;
        while (true) {
            try {
                producer.send(large(session, taken));
                taken++;
            } catch (ResourceAllocationException refused) {
                return taken;
            }
        }
    }

    /** 1 MiB holds ten messages; the producer sends 600. */
    @ParameterizedTest
    @ValueSource(strings = {"jms.producerWindowSize=0", "jms.producerWindowSize=262144", "jms.alwaysSyncSend=true"})
    void a_producer_at_the_limit_waits_until_a_consumer_makes_room(String option) throws Exception {
        Broker limited = closing(Broker.own("limited"));
        MessageConsumer full = session(connected(url(limited)))
                .createConsumer(AdvisorySupport.getFullAdvisoryTopic((ActiveMQDestination) queue()));
        CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
            try {
                flood(session(connected(url(limited, option))), DeliveryMode.NON_PERSISTENT, 600);
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        try {
            next(full);
            // Others go on meanwhile.
            Session other = session(connected(url(limited)));
            MessageConsumer others = other.createConsumer(queue("OTHER"));
            for (int round = 0; round < 50; round++) {
                send(other, queue("OTHER"), "free");
                assertEquals("free", nextText(others));
            }
            int depth = depth(limited);
            assertTrue(depth < 30, "" + depth);
            assertFalse(flood.isDone());
            MessageConsumer consumer = session(connected(url(limited, "jms.prefetchPolicy.all=5"))).createConsumer(queue());
            for (int index = 0; index < 600; index++) {
                assertEquals(index, next(consumer).getIntProperty("number"));
            }
            flood.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        } finally {
            // A producer that still waits could not be closed.
            limited.kill();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"refusing", "patient"})
    void a_producer_that_shall_not_wait_is_refused_until_there_is_room(String settings) throws Exception {
        Broker refusing = closing(Broker.own(settings));
        Session session = session(connected(url(refusing, "jms.alwaysSyncSend=true")));
        MessageProducer producer = nonPersistent(session);
        int taken = fill(session, producer);
        assertTrue(taken >= 8 && taken <= 12, "" + taken);
        Session other = session(connected(url(refusing, "jms.prefetchPolicy.all=1")));
        MessageConsumer consumer = other.createConsumer(queue());
        assertEquals(0, next(consumer).getIntProperty("number"));
        Await.until("room", () -> {
            try {
                producer.send(large(session, taken));
                return true;
            } catch (ResourceAllocationException stillFull) {
                return false;
            }
        });
        for (int index = 1; index <= taken; index++) {
            assertEquals(index, next(consumer).getIntProperty("number"));
        }
    }

    @Test
    void a_refused_message_that_nobody_waits_for_is_told_to_the_exception_listener() throws Exception {
        Broker refusing = closing(Broker.own("refusing"));
        Session waiting = session(connected(url(refusing, "jms.alwaysSyncSend=true")));
        int taken = fill(waiting, nonPersistent(waiting));
        ActiveMQConnection connection = connected(url(refusing));
        CompletableFuture<JMSException> told = new CompletableFuture<>();
        connection.setExceptionListener(told::complete);
        Session session = session(connection);
        nonPersistent(session).send(large(session, -1));
        assertInstanceOf(ResourceAllocationException.class, told.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        // The connection lives on.
        MessageConsumer consumer = session.createConsumer(queue());
        for (int index = 0; index < taken; index++) {
            assertEquals(index, next(consumer).getIntProperty("number"));
        }
    }

    @Test
    void a_stomp_producer_that_shall_not_wait_gets_an_error() throws Exception {
        Broker refusing = closing(Broker.own("refusing"));
        Session waiting = session(connected(url(refusing, "jms.alwaysSyncSend=true")));
        fill(waiting, nonPersistent(waiting));
        Stomp stomp = closing(new Stomp(refusing.stompPort));
        AssertionError refused =
                assertThrows(AssertionError.class, () -> stomp.send("/queue/" + name("Q"), "one more".getBytes(StandardCharsets.UTF_8)));
        assertTrue(refused.getMessage().contains("got ERROR"), refused.getMessage());
        assertTrue(refused.getMessage().contains("Memory Limit reached"), refused.getMessage());
    }

    @Test
    void a_transaction_of_which_a_message_was_refused_is_not_committed() throws Exception {
        Broker refusing = closing(Broker.own("refusing"));
        Session waiting = session(connected(url(refusing, "jms.alwaysSyncSend=true")));
        fill(waiting, nonPersistent(waiting));
        Session session = session(connected(url(refusing)), Session.SESSION_TRANSACTED);
        send(session, queue("OTHER"), "with it");
        nonPersistent(session).send(large(session, -1));
        assertThrows(JMSException.class, session::commit);
        assertEquals(List.of(), rest(refusing, queue("OTHER")));
        // The session goes on.
        send(session, queue("OTHER"), "the next one");
        session.commit();
        assertEquals(List.of("the next one"), rest(refusing, queue("OTHER")));
    }

    @Test
    void more_persistent_messages_than_memory_wait_in_order() throws Exception {
        Broker own = closing(Broker.own());
        flood(session(connected(url(own))), DeliveryMode.PERSISTENT, 600);
        MessageConsumer consumer = session(connected(url(own))).createConsumer(queue());
        for (int index = 0; index < 600; index++) {
            Message message = next(consumer);
            assertEquals(index, message.getIntProperty("number"));
            assertEquals(LENGTH, ((BytesMessage) message).getBodyLength());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"jms.producerWindowSize=0", "jms.producerWindowSize=1048576", "jms.alwaysSyncSend=true"})
    void a_fast_producer_of_non_persistent_messages_is_slowed_to_its_consumer(String option) throws Exception {
        CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
            try {
                flood(session(option), DeliveryMode.NON_PERSISTENT, 600);
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        MessageConsumer consumer = session("jms.prefetchPolicy.all=10").createConsumer(queue());
        for (int index = 0; index < 600; index++) {
            assertEquals(index, next(consumer).getIntProperty("number"));
        }
        flood.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Test
    void a_producer_held_back_on_one_queue_leaves_other_connections_alone() throws Exception {
        CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
            try {
                flood(session(), DeliveryMode.NON_PERSISTENT, 600);
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        });
        for (int round = 0; round < 20; round++) {
            send(queue("OTHER"), "free");
            assertEquals(List.of("free"), rest(queue("OTHER")));
        }
        MessageConsumer consumer = session().createConsumer(queue());
        for (int index = 0; index < 600; index++) {
            next(consumer);
        }
        flood.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Test
    void a_consumer_that_takes_its_time_loses_nothing_of_a_queue() throws Exception {
        MessageConsumer slow = session(Session.CLIENT_ACKNOWLEDGE, "jms.prefetchPolicy.all=5").createConsumer(queue());
        send(queue(), numbered("m", 1000));
        for (int index = 0; index < 1000; index++) {
            Message message = next(slow);
            assertEquals("m" + index, text(message));
            if (index % 7 == 0) {
                message.acknowledge();
            }
        }
    }
}
