package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.BytesMessage;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
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
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(new byte[LENGTH]);
            message.setIntProperty("number", index);
            producer.send(message);
        }
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
