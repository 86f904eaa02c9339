package ferrymq.apps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.jms.pool.PooledConnectionFactory;
import org.junit.jupiter.api.Test;
import org.messaginghub.pooled.jms.JmsPoolConnectionFactory;

/** Connections, sessions and producers that outlive their user in a pool. */
class PoolTest {
    private static final int THREADS = 8;
    private static final int ROUNDS = 25;
    private static final long PATIENCE_MILLIS = 20_000;

    private static ActiveMQConnectionFactory plain() {
        return new ActiveMQConnectionFactory(Broker.shared().url());
    }

    /** Each round borrows everything, sends, receives its own message in a transaction, and gives everything back. */
    private static void borrowAndReturn(ConnectionFactory pool, String name) throws InterruptedException, ExecutionException {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Future<Integer>> ends = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
            String queue = name + "." + thread;
            Callable<Integer> rounds = () -> {
                int received = 0;
                for (int round = 0; round < ROUNDS; round++) {
                    received += round(pool, queue, "message " + round, round % 3 == 2);
                }
                return received;
            };
            ends.add(threads.submit(rounds));
        }
        for (Future<Integer> end : ends) {
            assertEquals(ROUNDS, end.get());
        }
        threads.shutdown();
    }

    private static int round(ConnectionFactory pool, String name, String text, boolean rollBackFirst) throws JMSException {
        try (Connection connection = pool.createConnection()) {
            connection.start();
            try (Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE)) {
                Queue queue = session.createQueue(name);
                MessageProducer producer = session.createProducer(queue);
                producer.send(session.createTextMessage(text));
                producer.close();
            }
            if (rollBackFirst) {
                // A pool rolls back what its user left open.
                try (Session session = connection.createSession(true, Session.SESSION_TRANSACTED)) {
                    MessageConsumer consumer = session.createConsumer(session.createQueue(name));
                    assertNotNull(consumer.receive(PATIENCE_MILLIS));
                    consumer.close();
                }
            }
            try (Session session = connection.createSession(true, Session.SESSION_TRANSACTED)) {
                MessageConsumer consumer = session.createConsumer(session.createQueue(name));
                TextMessage message = (TextMessage) consumer.receive(PATIENCE_MILLIS);
                assertNotNull(message, name + " gives " + text);
                assertEquals(text, message.getText());
                session.commit();
                consumer.close();
            }
            return 1;
        }
    }

    @Test
    void messaginghub_pools() throws InterruptedException, ExecutionException {
        JmsPoolConnectionFactory pool = new JmsPoolConnectionFactory();
        pool.setConnectionFactory(plain());
        pool.setMaxConnections(3);
        borrowAndReturn(pool, "pool.messaginghub");
        pool.stop();
    }

    @Test
    void activemqs_general_pool() throws InterruptedException, ExecutionException {
        PooledConnectionFactory pool = new PooledConnectionFactory();
        pool.setConnectionFactory(plain());
        pool.setMaxConnections(3);
        borrowAndReturn(pool, "pool.general");
        pool.stop();
    }

    @Test
    void activemqs_own_pool() throws InterruptedException, ExecutionException {
        var pool = new org.apache.activemq.pool.PooledConnectionFactory(plain());
        pool.setMaxConnections(3);
        borrowAndReturn(pool, "pool.own");
        pool.stop();
    }
}
