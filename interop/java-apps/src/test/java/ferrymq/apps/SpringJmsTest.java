package ferrymq.apps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ferrymq.Broker;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.TextMessage;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jms.annotation.EnableJms;
import org.springframework.jms.annotation.JmsListener;
import org.springframework.jms.config.DefaultJmsListenerContainerFactory;
import org.springframework.jms.connection.CachingConnectionFactory;
import org.springframework.jms.connection.JmsTransactionManager;
import org.springframework.jms.core.JmsTemplate;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.transaction.support.TransactionTemplate;

/** Spring's template and listener containers, with Spring's caching connection factory and its transactions. */
class SpringJmsTest {
    private static final long PATIENCE_MILLIS = 20_000;
    private static AnnotationConfigApplicationContext context;

    /** What listeners saw. */
    static final BlockingQueue<String> REDELIVERED = new LinkedBlockingQueue<>();
    static final BlockingQueue<String> NEWS = new LinkedBlockingQueue<>();

    @Configuration
    @EnableJms
    static class Application {
        @Bean
        ConnectionFactory connectionFactory() {
            return new CachingConnectionFactory(new ActiveMQConnectionFactory(Broker.shared().url()));
        }

        @Bean
        JmsTransactionManager transactions(ConnectionFactory factory) {
            return new JmsTransactionManager(factory);
        }

        @Bean
        JmsTemplate template(ConnectionFactory factory) {
            JmsTemplate template = new JmsTemplate(factory);
            template.setReceiveTimeout(PATIENCE_MILLIS);
            return template;
        }

        /** Not by the caching factory: a cached consumer takes messages while nobody listens to it. */
        @Bean
        DefaultJmsListenerContainerFactory jmsListenerContainerFactory() {
            ActiveMQConnectionFactory plain = new ActiveMQConnectionFactory(Broker.shared().url());
            DefaultJmsListenerContainerFactory containers = new DefaultJmsListenerContainerFactory();
            containers.setConnectionFactory(plain);
            containers.setTransactionManager(new JmsTransactionManager(plain));
            return containers;
        }

        @Bean
        DefaultJmsListenerContainerFactory sessionTransacted() {
            ActiveMQConnectionFactory plain = new ActiveMQConnectionFactory(Broker.shared().url());
            DefaultJmsListenerContainerFactory containers = new DefaultJmsListenerContainerFactory();
            containers.setConnectionFactory(plain);
            containers.setSessionTransacted(true);
            containers.setConcurrency("2-4");
            return containers;
        }

        @Bean
        DefaultJmsListenerContainerFactory topics() {
            DefaultJmsListenerContainerFactory containers = new DefaultJmsListenerContainerFactory();
            containers.setConnectionFactory(new ActiveMQConnectionFactory(Broker.shared().url()));
            containers.setPubSubDomain(true);
            containers.setSubscriptionDurable(true);
            containers.setClientId("spring-durable");
            return containers;
        }

        @Bean
        Listeners listeners() {
            return new Listeners();
        }
    }

    static class Listeners {
        @JmsListener(destination = "spring.requests")
        @SendTo("spring.default-replies")
        String answer(String question) {
            return question + "!";
        }

        @JmsListener(destination = "spring.redelivered")
        void failOnce(TextMessage message) throws JMSException {
            // Not as a header argument: client 5 leaves it out of the property names of a first delivery.
            int count = message.getIntProperty("JMSXDeliveryCount");
            REDELIVERED.add(message.getText() + " " + count + " " + message.getJMSRedelivered());
            if (count == 1) {
                throw new IllegalStateException("the first delivery fails");
            }
        }

        @JmsListener(destination = "spring.poison", containerFactory = "sessionTransacted")
        void failAlways(TextMessage message) {
            throw new IllegalStateException("every delivery fails");
        }

        @JmsListener(destination = "spring.topic", containerFactory = "topics", subscription = "news")
        void news(String text) {
            NEWS.add(text);
        }
    }

    @BeforeAll
    static void open() {
        context = new AnnotationConfigApplicationContext(Application.class);
    }

    @AfterAll
    static void close() {
        context.close();
    }

    private static JmsTemplate template() {
        return context.getBean(JmsTemplate.class);
    }

    @Test
    void a_template_sends_and_receives_what_it_converts() throws JMSException {
        template().convertAndSend("spring.converted", "text", message -> {
            message.setIntProperty("number", 7);
            return message;
        });
        Message received = template().receive("spring.converted");
        assertEquals("text", ((TextMessage) received).getText());
        assertEquals(7, received.getIntProperty("number"));
        template().convertAndSend("spring.converted", Map.of("one", 1));
        assertEquals(Map.of("one", 1), template().receiveAndConvert("spring.converted"));
        template().convertAndSend("spring.converted", new byte[] {1, 2, 3});
        assertEquals(3, ((byte[]) template().receiveAndConvert("spring.converted")).length);
    }

    @Test
    void a_selected_message_comes_before_the_others() {
        for (String kind : new String[] {"a", "b"}) {
            template().convertAndSend("spring.selected", kind, message -> {
                message.setStringProperty("kind", kind);
                return message;
            });
        }
        assertEquals("b", template().receiveSelectedAndConvert("spring.selected", "kind = 'b'"));
        assertEquals("a", template().receiveAndConvert("spring.selected"));
    }

    @Test
    void a_request_gets_its_reply_over_a_temporary_queue() throws JMSException {
        for (int number = 0; number < 3; number++) {
            String question = "q" + number;
            Message reply = template().sendAndReceive("spring.requests", session -> session.createTextMessage(question));
            assertEquals(question + "!", ((TextMessage) reply).getText());
        }
    }

    @Test
    void a_failed_listener_gets_the_message_again_and_marked() throws InterruptedException {
        template().convertAndSend("spring.redelivered", "once more");
        assertEquals("once more 1 false", REDELIVERED.poll(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        assertEquals("once more 2 true", REDELIVERED.poll(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void a_message_that_always_fails_ends_in_the_dead_letter_queue() throws JMSException {
        template().convertAndSend("spring.poison", "poisoned");
        Message dead = template().receiveSelected("ActiveMQ.DLQ", "JMSDeliveryMode = 'PERSISTENT'");
        assertEquals("poisoned", ((TextMessage) dead).getText());
    }

    @Test
    void a_durable_topic_listener_hears() throws InterruptedException {
        JmsTemplate publisher = new JmsTemplate(context.getBean(ConnectionFactory.class));
        publisher.setPubSubDomain(true);
        // The container subscribes on a thread of its own, at a time of its own.
        String heard = null;
        for (int attempt = 0; heard == null && attempt < 400; attempt++) {
            publisher.convertAndSend("spring.topic", "hello");
            heard = NEWS.poll(50, TimeUnit.MILLISECONDS);
        }
        assertEquals("hello", heard);
    }

    @Test
    void a_rolled_back_transaction_leaves_everything_as_it_was() {
        template().convertAndSend("spring.in", "work");
        TransactionTemplate transaction = new TransactionTemplate(context.getBean(JmsTransactionManager.class));
        assertThrows(IllegalStateException.class, () -> transaction.execute(status -> {
            assertEquals("work", template().receiveAndConvert("spring.in"));
            template().convertAndSend("spring.out", "result");
            throw new IllegalStateException("the application fails");
        }));
        transaction.execute(status -> {
            assertEquals("work", template().receiveAndConvert("spring.in"));
            template().convertAndSend("spring.out", "result");
            return null;
        });
        assertEquals("result", template().receiveAndConvert("spring.out"));
        JmsTemplate impatient = new JmsTemplate(context.getBean(ConnectionFactory.class));
        impatient.setReceiveTimeout(JmsTemplate.RECEIVE_TIMEOUT_NO_WAIT);
        assertNull(impatient.receive("spring.in"));
        assertNull(impatient.receive("spring.out"));
    }

    @Test
    void a_browser_sees_without_taking() {
        template().convertAndSend("spring.browsed", "one");
        template().convertAndSend("spring.browsed", "two");
        int count = template().browse("spring.browsed", (session, browser) -> {
            int seen = 0;
            for (var messages = browser.getEnumeration(); messages.hasMoreElements(); messages.nextElement()) {
                seen++;
            }
            return seen;
        });
        assertEquals(2, count);
        assertEquals("one", template().receiveAndConvert("spring.browsed"));
        assertEquals("two", template().receiveAndConvert("spring.browsed"));
    }
}
