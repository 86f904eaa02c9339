package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.BytesMessage;
import jakarta.jms.Connection;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Destination;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQMessageConsumer;
import org.apache.activemq.advisory.AdvisorySupport;
import org.apache.activemq.advisory.ConsumerEventSource;
import org.apache.activemq.advisory.DestinationSource;
import org.apache.activemq.advisory.ProducerEventSource;
import org.apache.activemq.command.ActiveMQDestination;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQTopic;
import org.apache.activemq.command.ConnectionInfo;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.DataStructure;
import org.apache.activemq.command.DestinationInfo;
import org.apache.activemq.command.ProducerId;
import org.apache.activemq.command.ProducerInfo;
import org.apache.activemq.command.RemoveInfo;
import org.junit.jupiter.api.Test;

class AdvisoryTest extends Jms {
    private MessageConsumer listening(ActiveMQTopic advisories) throws JMSException {
        return session().createConsumer(advisories);
    }

    /** The next advisory whose structure is of this kind and fits. */
    private static <T extends DataStructure> ActiveMQMessage await(MessageConsumer consumer, Class<T> kind, Predicate<T> fits)
            throws JMSException {
        while (true) {
            ActiveMQMessage message = (ActiveMQMessage) next(consumer);
            DataStructure structure = message.getDataStructure();
            if (kind.isInstance(structure) && fits.test(kind.cast(structure))) {
                assertEquals("Advisory", message.getJMSType());
                assertNotNull(message.getStringProperty("originBrokerId"));
                assertNotNull(message.getStringProperty("originBrokerName"));
                return message;
            }
        }
    }

    @Test
    void consumers_of_a_queue_are_announced_and_counted() throws Exception {
        MessageConsumer advisories = listening(AdvisorySupport.getConsumerAdvisoryTopic((ActiveMQDestination) queue()));
        MessageConsumer consumer = session().createConsumer(queue());
        ActiveMQMessage came = await(advisories, ConsumerInfo.class, info -> info.getDestination().equals(queue()));
        assertEquals(1, came.getIntProperty("consumerCount"));
        consumer.close();
        ActiveMQMessage went = await(advisories, RemoveInfo.class, info -> info.isConsumerRemove());
        assertEquals(0, went.getIntProperty("consumerCount"));
    }

    @Test
    void consumers_of_a_topic_are_announced() throws Exception {
        MessageConsumer advisories = listening(AdvisorySupport.getConsumerAdvisoryTopic((ActiveMQDestination) topic()));
        session().createConsumer(topic());
        assertEquals(1, await(advisories, ConsumerInfo.class, info -> true).getIntProperty("consumerCount"));
    }

    @Test
    void consumers_that_are_there_already_are_told_to_a_new_listener() throws Exception {
        session().createConsumer(queue(), "colour = 'red'");
        MessageConsumer advisories = listening(AdvisorySupport.getConsumerAdvisoryTopic((ActiveMQDestination) queue()));
        await(advisories, ConsumerInfo.class, info -> "colour = 'red'".equals(info.getSelector()));
    }

    @Test
    void producers_are_announced_and_counted() throws Exception {
        MessageConsumer advisories = listening(AdvisorySupport.getProducerAdvisoryTopic((ActiveMQDestination) queue()));
        MessageProducer producer = session().createProducer(queue());
        ActiveMQMessage came = await(advisories, ProducerInfo.class, info -> info.getDestination().equals(queue()));
        assertEquals(1, came.getIntProperty("producerCount"));
        producer.close();
        ActiveMQMessage went = await(advisories, RemoveInfo.class, info -> info.isProducerRemove());
        assertEquals(0, went.getIntProperty("producerCount"));
    }

    @Test
    void connections_are_announced_without_their_password() throws Exception {
        MessageConsumer advisories = listening(AdvisorySupport.getConnectionAdvisoryTopic());
        Connection connection = named(name("client"));
        ActiveMQMessage came = await(advisories, ConnectionInfo.class, info -> name("client").equals(info.getClientId()));
        ConnectionInfo info = (ConnectionInfo) came.getDataStructure();
        assertTrue(info.getPassword() == null || info.getPassword().isEmpty());
        connection.close();
        await(advisories, RemoveInfo.class, gone -> info.getConnectionId().equals(gone.getObjectId()));
    }

    @Test
    void new_queues_and_topics_are_announced() throws Exception {
        MessageConsumer queues = listening(AdvisorySupport.QUEUE_ADVISORY_TOPIC);
        MessageConsumer topics = listening(AdvisorySupport.TOPIC_ADVISORY_TOPIC);
        send(queue(), "first use");
        session().createConsumer(topic());
        await(queues, DestinationInfo.class, info -> info.isAddOperation() && info.getDestination().equals(queue()));
        await(topics, DestinationInfo.class, info -> info.isAddOperation() && info.getDestination().equals(topic()));
    }

    @Test
    void removed_queues_are_announced() throws Exception {
        send(queue(), "first use");
        MessageConsumer queues = listening(AdvisorySupport.QUEUE_ADVISORY_TOPIC);
        connection().destroyDestination((ActiveMQDestination) queue());
        await(queues, DestinationInfo.class, info -> info.isRemoveOperation() && info.getDestination().equals(queue()));
    }

    @Test
    void temporary_queues_are_announced_and_their_end_too() throws Exception {
        MessageConsumer advisories = listening(AdvisorySupport.TEMP_QUEUE_ADVISORY_TOPIC);
        TemporaryQueue queue = session().createTemporaryQueue();
        await(advisories, DestinationInfo.class, info -> info.isAddOperation() && info.getDestination().equals(queue));
        queue.delete();
        await(advisories, DestinationInfo.class, info -> info.isRemoveOperation() && info.getDestination().equals(queue));
    }

    @Test
    void the_destination_source_knows_queues_and_topics() throws Exception {
        send(queue("OLD"), "m");
        ActiveMQConnection connection = connection();
        DestinationSource source = connection.getDestinationSource();
        Await.until("the old queue", () -> source.getQueues().contains(queue("OLD")));
        send(queue("NEW"), "m");
        session().createConsumer(topic());
        Await.until("the new ones", () -> source.getQueues().contains(queue("NEW")) && source.getTopics().contains(topic()));
        connection.destroyDestination((ActiveMQDestination) queue("OLD"));
        Await.until("one less", () -> !source.getQueues().contains(queue("OLD")));
    }

    @Test
    void the_consumer_event_source_counts() throws Exception {
        ConsumerEventSource source = new ConsumerEventSource(connection(), (Destination) topic());
        int[] count = new int[1];
        source.setConsumerListener(event -> count[0] = event.getConsumerCount());
        source.start();
        MessageConsumer one = session().createConsumer(topic());
        MessageConsumer other = session().createConsumer(topic());
        Await.until("two consumers", () -> count[0] == 2);
        one.close();
        Await.until("one consumer", () -> count[0] == 1);
        other.close();
        source.stop();
    }

    @Test
    void the_producer_event_source_counts() throws Exception {
        ProducerEventSource source = new ProducerEventSource(connection(), (Destination) topic());
        int[] count = new int[1];
        source.setProducerListener(event -> count[0] = event.getProducerCount());
        source.start();
        MessageProducer one = session().createProducer(topic());
        Await.until("one producer", () -> count[0] == 1);
        one.close();
        Await.until("no producer", () -> count[0] == 0);
        source.stop();
    }

    @Test
    void expired_messages_are_announced() throws Exception {
        MessageConsumer advisories = listening(AdvisorySupport.getExpiredMessageTopic((ActiveMQDestination) queue()));
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        jakarta.jms.Message message = session.createTextMessage("short");
        producer.send(message, DeliveryMode.PERSISTENT, 4, 1);
        long sent = System.currentTimeMillis();
        Await.until("the end of its life", () -> System.currentTimeMillis() > sent + 5);
        rest(queue());
        ActiveMQMessage advisory = (ActiveMQMessage) next(advisories);
        assertEquals("Advisory", advisory.getJMSType());
        assertEquals(message.getJMSMessageID(), advisory.getStringProperty("orignalMessageId"));
    }

    @Test
    void dead_letters_are_announced() throws Exception {
        MessageConsumer advisories = session().createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.MessageDLQd.Queue." + name("Q")));
        send(queue(), "poison");
        Session session = session(Session.SESSION_TRANSACTED, "jms.redeliveryPolicy.maximumRedeliveries=0");
        next(session.createConsumer(queue()));
        session.rollback();
        assertEquals("Advisory", next(advisories).getJMSType());
    }

    /** Sends 15 messages of 100 KiB that are not persistent, more than the queue takes at a time; who it was. */
    private CompletableFuture<ProducerId> filling(Broker broker) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                Session session = session(connected(url(broker)));
                MessageProducer producer = session.createProducer(queue());
                producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
                BytesMessage message = session.createBytesMessage();
                message.writeBytes(new byte[100 * 1024]);
                for (int index = 0; index < 15; index++) {
                    producer.send(message);
                }
                return ((ActiveMQMessage) message).getMessageId().getProducerId();
            } catch (JMSException error) {
                throw new IllegalStateException(error);
            }
        });
    }

    /** Takes them, so that it can end. */
    private ProducerId filled(Broker broker, CompletableFuture<ProducerId> filling) throws Exception {
        MessageConsumer consumer = session(connected(url(broker))).createConsumer(queue());
        for (int index = 0; index < 15; index++) {
            next(consumer);
        }
        return filling.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Test
    void a_full_queue_is_announced() throws Exception {
        Broker limited = closing(Broker.own("limited"));
        ActiveMQTopic topic = AdvisorySupport.getFullAdvisoryTopic((ActiveMQDestination) queue());
        MessageConsumer advisories = session(connected(url(limited))).createConsumer(topic);
        CompletableFuture<ProducerId> filling = filling(limited);
        ActiveMQMessage told = (ActiveMQMessage) next(advisories);
        filled(limited, filling);
        assertEquals("Advisory", told.getJMSType());
        assertNotNull(told.getStringProperty("usageName"));
        assertTrue(told.getLongProperty("usageCount") >= 1024 * 1024, told.toString());
    }

    @Test
    void a_producer_that_fills_a_queue_is_announced() throws Exception {
        Broker limited = closing(Broker.own("limited"));
        ActiveMQTopic topic = AdvisorySupport.getFastProducerAdvisoryTopic((ActiveMQDestination) queue());
        MessageConsumer advisories = session(connected(url(limited))).createConsumer(topic);
        CompletableFuture<ProducerId> filling = filling(limited);
        ActiveMQMessage told = await(advisories, ProducerInfo.class, info -> info.getDestination().equals(queue()));
        ProducerId producer = filled(limited, filling);
        assertEquals(producer, ((ProducerInfo) told.getDataStructure()).getProducerId());
        assertEquals(producer.toString(), told.getStringProperty("producerId"));
    }

    @Test
    void a_consumer_that_falls_behind_its_topic_is_announced() throws Exception {
        Broker limited = closing(Broker.own("limited"));
        ActiveMQTopic topic = AdvisorySupport.getSlowConsumerAdvisoryTopic((ActiveMQDestination) topic());
        MessageConsumer advisories = session(connected(url(limited))).createConsumer(topic);
        ActiveMQMessageConsumer slow = (ActiveMQMessageConsumer)
                session(connected(url(limited, "jms.prefetchPolicy.topicPrefetch=2"))).createConsumer(topic());
        sendNonPersistent(session(connected(url(limited))), topic(), numbered("m", 10));
        ActiveMQMessage told = await(advisories, ConsumerInfo.class, info -> info.getConsumerId().equals(slow.getConsumerId()));
        assertEquals(slow.getConsumerId().toString(), told.getStringProperty("consumerId"));
        assertEquals(List.of(numbered("m", 10)), texts(slow, 10));
    }

    @Test
    void an_application_may_listen_to_every_advisory_of_a_kind() throws Exception {
        MessageConsumer advisories = session().createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.Consumer.Queue.>"));
        session().createConsumer(queue());
        await(advisories, ConsumerInfo.class, info -> info.getDestination().equals(queue()));
    }
}
