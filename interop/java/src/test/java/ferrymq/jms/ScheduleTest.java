package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TemporaryQueue;
import jakarta.jms.TextMessage;
import java.util.ArrayList;
import java.util.List;
import org.apache.activemq.ScheduledMessage;
import org.apache.activemq.command.ActiveMQTopic;
import org.junit.jupiter.api.Test;

class ScheduleTest extends Jms {
    private static final ActiveMQTopic MANAGEMENT = new ActiveMQTopic(ScheduledMessage.AMQ_SCHEDULER_MANAGEMENT_DESTINATION);

    private TextMessage delayed(Session session, String text, long millis) throws JMSException {
        TextMessage message = session.createTextMessage(text);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, millis);
        message.setStringProperty("mark", name("mark"));
        return message;
    }

    @Test
    void a_delayed_message_comes_after_its_delay() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        MessageConsumer consumer = session.createConsumer(queue());
        long sent = System.currentTimeMillis();
        producer.send(delayed(session, "late", 1500));
        producer.send(session.createTextMessage("at once"));
        assertEquals("at once", nextText(consumer));
        Message late = next(consumer);
        assertEquals("late", text(late));
        assertTrue(System.currentTimeMillis() - sent >= 1000, "it came too early");
        assertNotNull(late.getStringProperty("scheduledJobId"));
    }

    @Test
    void a_shorter_delay_goes_first() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.send(delayed(session, "second", 3000));
        producer.send(delayed(session, "first", 1000));
        assertEquals(List.of("first", "second"), texts(session.createConsumer(queue()), 2));
    }

    @Test
    void a_delayed_message_reaches_a_topic_and_a_durable_subscription() throws Exception {
        MessageConsumer durable = session(named(name("client"))).createDurableSubscriber(topic(), "sub");
        MessageConsumer consumer = session().createConsumer(topic());
        Session session = session();
        session.createProducer(topic()).send(delayed(session, "late", 1000));
        assertEquals("late", nextText(consumer));
        assertEquals("late", nextText(durable));
    }

    @Test
    void a_repeated_message_comes_as_often_as_it_says() throws Exception {
        Session session = session();
        TextMessage message = delayed(session, "again", 1000);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_PERIOD, 1000);
        message.setIntProperty(ScheduledMessage.AMQ_SCHEDULED_REPEAT, 2);
        session.createProducer(queue()).send(message);
        assertEquals(List.of("again", "again", "again"), texts(session.createConsumer(queue()), 3));
    }

    @Test
    void what_the_message_carries_arrives() throws Exception {
        Session session = session();
        TextMessage message = delayed(session, "late", 1000);
        message.setIntProperty("number", 7);
        message.setJMSCorrelationID("correlation");
        message.setJMSReplyTo(queue("REPLY"));
        session.createProducer(queue()).send(message);
        Message late = next(session.createConsumer(queue()));
        assertEquals(7, late.getIntProperty("number"));
        assertEquals("correlation", late.getJMSCorrelationID());
        assertEquals(queue("REPLY"), late.getJMSReplyTo());
    }

    @Test
    void a_delayed_message_of_a_rolled_back_transaction_never_comes() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(queue());
        producer.send(delayed(session, "undone", 1000));
        session.rollback();
        producer.send(delayed(session, "done", 2000));
        session.commit();
        assertEquals("done", nextText(session().createConsumer(queue())));
    }

    @Test
    void a_delayed_message_survives_a_crash_of_the_broker() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(url(own)));
        session.createProducer(queue()).send(delayed(session, "late", 3000));
        own.restart();
        assertEquals("late", nextText(session(connected(url(own))).createConsumer(queue())));
    }

    private static List<Message> scheduled(Session session) throws JMSException {
        TemporaryQueue replies = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(replies);
        Message request = session.createMessage();
        request.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION, ScheduledMessage.AMQ_SCHEDULER_ACTION_BROWSE);
        request.setJMSReplyTo(replies);
        session.createProducer(MANAGEMENT).send(request);
        send(session, queueOf(replies), "<end>");
        List<Message> messages = new ArrayList<>();
        while (true) {
            Message message = next(consumer);
            if (message instanceof TextMessage text && text.getText().equals("<end>")) {
                consumer.close();
                return messages;
            }
            messages.add(message);
        }
    }

    private static jakarta.jms.Destination queueOf(TemporaryQueue replies) {
        return replies;
    }

    private static void act(Session session, String action, String jobId) throws JMSException {
        Message request = session.createMessage();
        request.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION, action);
        if (jobId != null) {
            request.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_ID, jobId);
        }
        session.createProducer(MANAGEMENT).send(request);
    }

    @Test
    void what_is_scheduled_can_be_browsed_and_removed() throws Exception {
        Broker own = closing(Broker.own());
        Session session = session(connected(url(own)));
        MessageProducer producer = session.createProducer(queue());
        producer.send(delayed(session, "1", 3_600_000));
        producer.send(delayed(session, "2", 3_600_000));
        List<Message> both = scheduled(session);
        assertEquals(2, both.size());
        act(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVE, both.get(0).getStringProperty("scheduledJobId"));
        Await.until("one left", () -> scheduled(session).size() == 1);
        act(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVEALL, null);
        Await.until("none left", () -> scheduled(session).isEmpty());
    }

    @Test
    void a_calendar_entry_comes_at_the_next_minute() throws Exception {
        Session session = session();
        TextMessage message = session.createTextMessage("on the minute");
        message.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_CRON, "* * * * *");
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, 0);
        message.setIntProperty(ScheduledMessage.AMQ_SCHEDULED_REPEAT, 0);
        session.createProducer(queue()).send(message);
        Message received = session.createConsumer(queue()).receive(75_000);
        assertEquals("on the minute", text(received));
    }

    @Test
    void a_schedule_over_stomp_is_heard_by_jms() throws Exception {
        try (Stomp stomp = new Stomp(broker().stompPort)) {
            stomp.send("/queue/" + name("Q"), "late".getBytes(), "AMQ_SCHEDULED_DELAY:1000");
        }
        assertEquals("late", nextText(session().createConsumer(queue())));
    }
}
