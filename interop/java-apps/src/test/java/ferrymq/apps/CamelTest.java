package ferrymq.apps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import ferrymq.Broker;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.camel.CamelContext;
import org.apache.camel.Component;
import org.apache.camel.ConsumerTemplate;
import org.apache.camel.ExchangePattern;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.component.activemq6.ActiveMQComponent;
import org.apache.camel.component.jms.JmsComponent;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.Test;

/** Routes from queue to queue, in transactions, and with replies. */
class CamelTest {
    private static final long PATIENCE_MILLIS = 20_000;

    private interface Steps {
        void run(ProducerTemplate producer, ConsumerTemplate consumer) throws Exception;
    }

    private static void withRoutes(Component component, RouteBuilder routes, Steps steps) throws Exception {
        try (CamelContext context = new DefaultCamelContext()) {
            context.addComponent("broker", component);
            context.addRoutes(routes);
            context.start();
            steps.run(context.createProducerTemplate(), context.createConsumerTemplate());
        }
    }

    private static Component activemq() {
        ActiveMQComponent component = new ActiveMQComponent();
        component.setBrokerURL(Broker.shared().url());
        return component;
    }

    private static Component jms() {
        return JmsComponent.jmsComponentAutoAcknowledge(new ActiveMQConnectionFactory(Broker.shared().url()));
    }

    private static RouteBuilder transformed(String name) {
        return new RouteBuilder() {
            @Override
            public void configure() {
                from("broker:queue:" + name + ".in").transform(body().append(" transformed")).to("broker:queue:" + name + ".out");
            }
        };
    }

    private static void transforms(Component component, String name) throws Exception {
        withRoutes(component, transformed(name), (producer, consumer) -> {
            for (int number = 0; number < 10; number++) {
                producer.sendBodyAndHeader("broker:queue:" + name + ".in", "body " + number, "number", number);
                var exchange = consumer.receive("broker:queue:" + name + ".out", PATIENCE_MILLIS);
                assertEquals("body " + number + " transformed", exchange.getIn().getBody(String.class));
                assertEquals(number, exchange.getIn().getHeader("number"));
            }
        });
    }

    @Test
    void a_route_of_the_activemq_component_transforms() throws Exception {
        transforms(activemq(), "camel.activemq");
    }

    @Test
    void a_route_of_the_jms_component_transforms() throws Exception {
        transforms(jms(), "camel.jms");
    }

    @Test
    void a_transacted_route_that_fails_leaves_no_trace_and_tries_again() throws Exception {
        AtomicInteger attempts = new AtomicInteger();
        RouteBuilder routes = new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                from("broker:queue:camel.tx.in")
                        .to(ExchangePattern.InOnly, "broker:queue:camel.tx.out")
                        .process(exchange -> {
                            if (attempts.incrementAndGet() == 1) {
                                throw new IllegalStateException("the first attempt fails");
                            }
                        });
            }
        };
        // The route's session and its transaction are one: what it sends is part of it.
        Component transacted = JmsComponent.jmsComponentTransacted(new ActiveMQConnectionFactory(Broker.shared().url()));
        withRoutes(transacted, routes, (producer, consumer) -> {
            producer.sendBody("broker:queue:camel.tx.in", "work");
            assertEquals("work", consumer.receiveBody("broker:queue:camel.tx.out", PATIENCE_MILLIS, String.class));
            producer.sendBody("broker:queue:camel.tx.in", "more work");
            assertEquals("more work", consumer.receiveBody("broker:queue:camel.tx.out", PATIENCE_MILLIS, String.class));
        });
        assertEquals(3, attempts.get());
    }

    @Test
    void a_request_gets_its_reply() throws Exception {
        RouteBuilder routes = new RouteBuilder() {
            @Override
            public void configure() {
                from("broker:queue:camel.questions").transform(body().prepend("re: "));
            }
        };
        withRoutes(activemq(), routes, (producer, consumer) -> {
            for (int number = 0; number < 5; number++) {
                assertEquals("re: " + number, producer.requestBody("broker:queue:camel.questions", "" + number, String.class));
            }
            String fixed = "broker:queue:camel.questions?replyTo=camel.answers&replyToType=Shared";
            assertEquals("re: shared", producer.requestBody(fixed, "shared", String.class));
        });
    }

    @Test
    void a_topic_reaches_every_route_and_a_queue_only_one() throws Exception {
        RouteBuilder routes = new RouteBuilder() {
            @Override
            public void configure() {
                from("broker:topic:camel.news").to("broker:queue:camel.first");
                from("broker:topic:camel.news").to("broker:queue:camel.second");
            }
        };
        withRoutes(activemq(), routes, (producer, consumer) -> {
            producer.sendBody("broker:topic:camel.news", "news");
            assertNotNull(consumer.receiveBody("broker:queue:camel.first", PATIENCE_MILLIS));
            assertNotNull(consumer.receiveBody("broker:queue:camel.second", PATIENCE_MILLIS));
            assertNull(consumer.receiveBodyNoWait("broker:queue:camel.second"));
        });
    }
}
