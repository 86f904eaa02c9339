package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.QueueBrowser;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BrowserTest extends Jms {
    private static List<String> browse(QueueBrowser browser) throws JMSException {
        List<String> texts = new ArrayList<>();
        for (Enumeration<?> messages = browser.getEnumeration(); messages.hasMoreElements();) {
            texts.add(text((Message) messages.nextElement()));
        }
        return texts;
    }

    @Test
    void an_empty_queue_shows_nothing() throws Exception {
        assertEquals(List.of(), browse(session().createBrowser(queue())));
    }

    @Test
    void a_browser_shows_everything_in_order_and_takes_nothing() throws Exception {
        send(queue(), numbered("m", 100));
        assertEquals(List.of(numbered("m", 100)), browse(session().createBrowser(queue())));
        assertEquals(List.of(numbered("m", 100)), rest(queue()));
    }

    @Test
    void a_browser_may_look_again_and_sees_what_changed() throws Exception {
        QueueBrowser browser = session().createBrowser(queue());
        send(queue(), "1");
        assertEquals(List.of("1"), browse(browser));
        send(queue(), "2");
        assertEquals(List.of("1", "2"), browse(browser));
        assertEquals(List.of("1", "2"), browse(browser));
    }

    @Test
    void a_browser_with_a_selector_shows_what_it_selects() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        for (int n = 0; n < 10; n++) {
            Message message = session.createTextMessage("m" + n);
            message.setIntProperty("n", n);
            producer.send(message);
        }
        QueueBrowser browser = session.createBrowser(queue(), "n >= 7");
        assertEquals("n >= 7", browser.getMessageSelector());
        assertEquals(queue(), browser.getQueue());
        assertEquals(List.of("m7", "m8", "m9"), browse(browser));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 10, 1000})
    void a_browser_of_any_prefetch_shows_all(int prefetch) throws Exception {
        send(queue(), numbered("m", 50));
        assertEquals(50, browse(session("jms.prefetchPolicy.queueBrowserPrefetch=" + prefetch).createBrowser(queue())).size());
    }

    @Test
    void an_end_in_the_middle_leaves_the_queue_whole() throws Exception {
        send(queue(), numbered("m", 20));
        QueueBrowser browser = session().createBrowser(queue());
        assertEquals("m0", text((Message) browser.getEnumeration().nextElement()));
        browser.close();
        assertEquals(20, rest(queue()).size());
    }

    @Test
    void a_browser_of_a_transacted_session_shows_what_is_committed() throws Exception {
        Session session = session(Session.SESSION_TRANSACTED);
        send(session, queue(), "not yet");
        assertEquals(List.of(), browse(session().createBrowser(queue())));
        session.commit();
        assertEquals(List.of("not yet"), browse(session.createBrowser(queue())));
        session.commit();
        assertEquals(List.of("not yet"), rest(queue()));
    }

    @Test
    void browsing_makes_nothing_redelivered() throws Exception {
        send(queue(), "m");
        browse(session().createBrowser(queue()));
        Message message = next(session().createConsumer(queue()));
        assertFalse(message.getJMSRedelivered());
    }

    @Test
    void expired_messages_are_not_shown() throws Exception {
        Session session = session();
        MessageProducer producer = session.createProducer(queue());
        producer.setTimeToLive(1);
        producer.send(session.createTextMessage("short"));
        long sent = System.currentTimeMillis();
        Await.until("the end of its life", () -> System.currentTimeMillis() > sent + 5);
        send(queue(), "long");
        assertEquals(List.of("long"), browse(session.createBrowser(queue())));
    }

    @Test
    void a_browser_lives_beside_a_consumer() throws Exception {
        send(queue(), "1", "2", "3");
        MessageConsumer consumer = session("jms.prefetchPolicy.all=1").createConsumer(queue());
        assertEquals("1", nextText(consumer));
        List<String> seen = browse(session().createBrowser(queue()));
        assertTrue(seen.contains("3"), seen.toString());
        assertEquals(List.of("2", "3"), texts(consumer, 2));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1000})
    void what_a_consumer_has_not_acknowledged_is_shown_in_its_place(int prefetch) throws Exception {
        send(queue(), numbered("m", 6));
        Session session = session(Session.CLIENT_ACKNOWLEDGE, "jms.sendAcksAsync=false");
        MessageConsumer consumer = session.createConsumer(queue());
        nextText(consumer);
        next(consumer).acknowledge();
        nextText(consumer);
        QueueBrowser browser = session("jms.prefetchPolicy.queueBrowserPrefetch=" + prefetch).createBrowser(queue());
        assertEquals(List.of("m2", "m3", "m4", "m5"), browse(browser));
        assertEquals(List.of("m3", "m4", "m5"), texts(consumer, 3));
    }

    @Test
    void a_closed_browser_is_closed() throws Exception {
        QueueBrowser browser = session().createBrowser(queue());
        browser.close();
        assertThrows(jakarta.jms.IllegalStateException.class, browser::getEnumeration);
    }
}
