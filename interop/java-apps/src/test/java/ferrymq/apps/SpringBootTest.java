package ferrymq.apps;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ferrymq.Broker;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jms.annotation.JmsListener;
import org.springframework.jms.core.JmsTemplate;

/** Spring Boot configures everything; the application says where the broker is and nothing else. */
class SpringBootTest {
    static final BlockingQueue<String> SEEN = new LinkedBlockingQueue<>();

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {
        @Bean
        Listener listener() {
            return new Listener();
        }
    }

    static class Listener {
        @JmsListener(destination = "boot.in", concurrency = "1-3")
        void take(String text) {
            SEEN.add(text);
        }
    }

    private static void runs(String... properties) throws InterruptedException {
        SpringApplication application = new SpringApplication(Application.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        application.setBannerMode(Banner.Mode.OFF);
        application.setRegisterShutdownHook(false);
        try (ConfigurableApplicationContext context = application.run(properties)) {
            JmsTemplate template = context.getBean(JmsTemplate.class);
            for (int number = 0; number < 20; number++) {
                template.convertAndSend("boot.in", "message " + number);
                assertEquals("message " + number, SEEN.poll(20, TimeUnit.SECONDS));
            }
        }
    }

    @Test
    void an_application_runs_by_the_brokers_url_alone() throws InterruptedException {
        runs("--spring.activemq.broker-url=" + Broker.shared().url());
    }

    @Test
    void an_application_runs_with_the_pool_that_boot_knows() throws InterruptedException {
        runs("--spring.activemq.broker-url=" + Broker.shared().url(),
                "--spring.activemq.pool.enabled=true", "--spring.activemq.pool.max-connections=3");
    }

    @Test
    void an_application_runs_by_a_failover_url() throws InterruptedException {
        runs("--spring.activemq.broker-url=failover:(" + Broker.shared().url() + ")?maxReconnectAttempts=5");
    }
}
