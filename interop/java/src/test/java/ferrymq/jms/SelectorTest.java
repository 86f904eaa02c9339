package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.DeliveryMode;
import jakarta.jms.InvalidSelectorException;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SelectorTest extends Jms {
    /** Which of the sample and the end mark a consumer with this selector gets. */
    private boolean selects(String selector) throws JMSException {
        Session session = session();
        MessageConsumer consumer = session.createConsumer(queue(), "(" + selector + ") OR mark = TRUE");
        MessageProducer producer = session.createProducer(queue());
        Message sample = session.createTextMessage("sample");
        sample.setJMSType("car");
        sample.setJMSCorrelationID("corr");
        sample.setStringProperty("colour", "blue");
        sample.setStringProperty("quoted", "it's");
        sample.setStringProperty("percent", "10%");
        sample.setIntProperty("weight", 2500);
        sample.setLongProperty("big", 5_000_000_000L);
        sample.setDoubleProperty("price", 9.5);
        sample.setBooleanProperty("used", true);
        sample.setStringProperty("number", "42");
        producer.send(sample, DeliveryMode.NON_PERSISTENT, 7, 0);
        Message end = session.createTextMessage("<end>");
        end.setBooleanProperty("mark", true);
        producer.send(end, DeliveryMode.NON_PERSISTENT, 7, 0);
        List<String> got = untilEnd(consumer);
        return got.equals(List.of("sample"));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "colour = 'blue'", "colour <> 'red'", "weight = 2500", "weight > 2499.5", "weight >= 2500 AND weight <= 2500", "big > 4999999999",
        "price < 10", "price BETWEEN 9 AND 10", "weight NOT BETWEEN 1 AND 2", "colour IN ('red', 'blue')", "colour NOT IN ('red')",
        "colour LIKE 'bl%'", "colour LIKE 'b__e'", "percent LIKE '10!%' ESCAPE '!'", "colour NOT LIKE 'r%'", "missing IS NULL",
        "colour IS NOT NULL", "used", "used = TRUE", "NOT (used = FALSE)", "weight * 2 = 5000", "weight + 1 > weight", "weight / 2 - 250 = 1000",
        "-weight < 0", "quoted = 'it''s'", "JMSType = 'car'", "JMSPriority = 7", "JMSCorrelationID = 'corr'", "JMSDeliveryMode = 'NON_PERSISTENT'",
        "colour = 'red' OR weight = 2500", "missing = 1 OR used", "weight = 0x9C4"})
    void what_it_describes_is_selected(String selector) throws Exception {
        assertTrue(selects(selector));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "colour = 'red'", "colour = 'BLUE'", "weight < 2500", "missing = 1", "missing <> 1", "NOT (missing = 1)", "missing > 0 AND used",
        "number > 41", "number = 42", "colour BETWEEN 1 AND 2", "used = FALSE", "JMSPriority < 7", "colour LIKE 'b_e'",
        "JMSDeliveryMode = 'PERSISTENT'", "colour IS NULL", "weight IN ('2500')", "missing LIKE '%'", "missing IN ('a')"})
    void what_it_does_not_describe_is_not_selected(String selector) throws Exception {
        assertFalse(selects(selector));
    }

    @ParameterizedTest
    @ValueSource(strings = {"=", "colour =", "colour = 'open", "colour LIKE 5", "colour > 'a'", "(weight = 1", "a = 1 AND", "colour IN ()", "1 +"})
    void a_selector_that_is_none_is_refused(String selector) throws Exception {
        Session session = session();
        assertThrows(InvalidSelectorException.class, () -> session.createConsumer(queue(), selector));
        assertThrows(InvalidSelectorException.class, () -> session.createBrowser(queue(), selector).getEnumeration());
        send(session, queue(), "alive");
    }

    @Test
    void an_empty_selector_selects_everything() throws Exception {
        MessageConsumer consumer = session().createConsumer(queue(), "");
        send(queue(), "m");
        assertEquals("m", nextText(consumer));
    }

    @Test
    void consumers_with_different_selectors_share_a_queue() throws Exception {
        Session session = session();
        MessageConsumer even = session.createConsumer(queue(), "n = 0 OR n = 2 OR n = 4 OR n = 6 OR n = 8");
        MessageConsumer odd = session.createConsumer(queue(), "n = 1 OR n = 3 OR n = 5 OR n = 7 OR n = 9");
        MessageProducer producer = session.createProducer(queue());
        for (int n = 0; n < 10; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        assertEquals(List.of("m1", "m3", "m5", "m7", "m9"), texts(odd, 5));
        assertEquals(List.of("m0", "m2", "m4", "m6", "m8"), texts(even, 5));
    }

    @Test
    void what_nobody_selects_stays() throws Exception {
        Session session = session();
        MessageConsumer consumer = session.createConsumer(queue(), "colour = 'red'");
        send(session, queue(), "colourless");
        assertNull(consumer.receiveNoWait());
        consumer.close();
        assertEquals(List.of("colourless"), rest(queue()));
    }

    @Test
    void a_message_id_selects_one_message() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        Message first = session.createTextMessage("first");
        producer.send(first);
        Message second = session.createTextMessage("second");
        producer.send(second);
        MessageConsumer consumer = session.createConsumer(queue(), "JMSMessageID = '" + second.getJMSMessageID() + "'");
        assertEquals("second", nextText(consumer));
    }

    @Test
    void a_correlation_id_selects_the_reply() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        for (String id : List.of("a", "b")) {
            Message message = session.createTextMessage("for " + id);
            message.setJMSCorrelationID(id);
            producer.send(message);
        }
        assertEquals("for b", nextText(session.createConsumer(queue(), "JMSCorrelationID = 'b'")));
    }
}
