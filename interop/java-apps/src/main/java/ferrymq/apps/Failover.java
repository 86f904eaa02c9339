package ferrymq.apps;

import jakarta.jms.Connection;
import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.QueueBrowser;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import jakarta.jms.TransactionRolledBackException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * Restarts the broker under applications that use failover: URLs, and counts what they lost and what came twice.
 *
 * <pre>
 *   plain       send, waits for each confirmation ──┐
 *   transacted  send 10 asynchronously, commit ─────┴─► work ─► movers: receive 5, send 5 to done, commit ─► done ─► counted
 * </pre>
 *
 * A commit that the crash met is in doubt: the client rolls back and throws TransactionRolledBackException, whether the broker
 * committed or not. The applications here find out as any correct one would. A transacted producer sends a marker with each
 * batch, in the same transaction, and looks for the marker before it sends the batch again. A mover sends to done what it
 * received from work, in one transaction: if that was committed nothing comes again, else everything does.
 *
 * <p>Arguments: restarts, seed. Ends with 0 where nothing was lost and nothing came twice.
 */
public final class Failover {
    private static final int PLAIN = 2;
    private static final int TRANSACTED = 2;
    private static final int MOVERS = 2;
    private static final int BATCH = 10;
    private static final int MOVED = 5;
    /** So long the load runs before a restart, at least and at most. Milliseconds. */
    private static final int RUN_MIN = 20;
    private static final int RUN_MAX = 400;
    /** A broker under which nobody gets on for so long is a failure. Seconds. */
    private static final long STALL_MAX = 60;

    private final Broker broker = new Broker(Map.of());
    private final AtomicLong progress = new AtomicLong();
    private final AtomicLong foundCommitted = new AtomicLong();
    private final AtomicLong foundRolledBack = new AtomicLong();
    private final AtomicLong moversInDoubt = new AtomicLong();
    private final Set<String> dead = new TreeSet<>();
    private final List<String> complaints = new ArrayList<>();
    private volatile boolean producing = true;
    private volatile boolean moving = true;

    public static void main(String[] arguments) throws Exception {
        int restarts = Integer.parseInt(arguments[0]);
        long seed = Long.parseLong(arguments[1]);
        boolean clean = new Failover().run(restarts, seed);
        // Client threads of a failed run must not keep the process.
        Runtime.getRuntime().halt(clean ? 0 : 1);
    }

    private ActiveMQConnectionFactory factory() {
        return new ActiveMQConnectionFactory(
                "failover:(" + broker.url() + ")?initialReconnectDelay=10&maxReconnectDelay=100&useExponentialBackOff=true");
    }

    private boolean run(int restarts, long seed) throws Exception {
        broker.start();
        Map<String, Long> sent = new TreeMap<>();
        List<Thread> producers = new ArrayList<>();
        for (int number = 0; number < PLAIN; number++) {
            String name = "plain" + number;
            producers.add(thread(name, () -> record(sent, name, sendPlain(name))));
        }
        for (int number = 0; number < TRANSACTED; number++) {
            String name = "transacted" + number;
            producers.add(thread(name, () -> record(sent, name, sendTransacted(name))));
        }
        List<Thread> movers = new ArrayList<>();
        for (int number = 0; number < MOVERS; number++) {
            movers.add(thread("mover" + number, this::move));
        }
        restart(restarts, new Random(seed));
        producing = false;
        join(producers);
        long total = sent.values().stream().mapToLong(Long::longValue).sum();
        Map<String, Integer> counted = count(total);
        moving = false;
        join(movers);
        boolean clean = report(restarts, seed, sent, counted);
        if (clean) {
            broker.close();
        } else {
            broker.kill();
            System.out.println("failover: data and log are in " + broker.folder());
        }
        return clean;
    }

    /** Half of them are crashes, half orderly. Each comes after somebody got on. */
    private void restart(int restarts, Random random) throws InterruptedException {
        for (int number = 1; number <= restarts; number++) {
            awaitProgress();
            Thread.sleep(RUN_MIN + random.nextInt(RUN_MAX - RUN_MIN));
            if (number % 2 == 0) {
                broker.stop();
            } else {
                broker.kill();
            }
            broker.start();
            if (number % 25 == 0) {
                System.out.println("failover: " + number + " of " + restarts);
            }
        }
        awaitProgress();
    }

    private void awaitProgress() throws InterruptedException {
        long before = progress.get();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(STALL_MAX);
        while (progress.get() < before + PLAIN + TRANSACTED + MOVERS) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("nobody gets on for " + STALL_MAX + " s, see " + broker.folder());
            }
            Thread.sleep(1);
        }
    }

    /** How many were sent: each call returns once the broker has the message. */
    private long sendPlain(String name) throws JMSException {
        try (Connection connection = factory().createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageProducer producer = session.createProducer(session.createQueue("work"));
            producer.setDeliveryMode(DeliveryMode.PERSISTENT);
            long number = 0;
            while (producing) {
                producer.send(session.createTextMessage(name + " " + number));
                number++;
                progress.incrementAndGet();
            }
            return number;
        }
    }

    private long sendTransacted(String name) throws JMSException {
        ActiveMQConnectionFactory factory = factory();
        factory.setUseAsyncSend(true);
        try (Connection connection = factory.createConnection()) {
            connection.start();
            Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
            MessageProducer work = session.createProducer(session.createQueue("work"));
            MessageProducer markers = session.createProducer(session.createQueue("markers." + name));
            long batch = 0;
            while (producing) {
                sendBatch(session, work, markers, name, batch);
                if (commit(session, foundCommitted, foundRolledBack, markerOf(connection, name, batch))) {
                    batch++;
                    progress.incrementAndGet();
                }
            }
            return batch * BATCH;
        }
    }

    private static void sendBatch(Session session, MessageProducer work, MessageProducer markers, String name, long batch)
            throws JMSException {
        for (long number = batch * BATCH; number < (batch + 1) * BATCH; number++) {
            work.send(session.createTextMessage(name + " " + number));
        }
        Message marker = session.createMessage();
        marker.setLongProperty("batch", batch);
        markers.send(marker);
    }

    private interface Question {
        boolean isCommitted() throws JMSException;
    }

    /** Whether it is committed, by its own answer or, where it was in doubt, by what the broker shows. */
    private static boolean commit(Session session, AtomicLong committed, AtomicLong rolledBack, Question question)
            throws JMSException {
        try {
            session.commit();
            return true;
        } catch (TransactionRolledBackException inDoubt) {
            boolean is = question.isCommitted();
            (is ? committed : rolledBack).incrementAndGet();
            return is;
        }
    }

    private static Question markerOf(Connection connection, String name, long batch) {
        return () -> {
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            try {
                QueueBrowser browser = session.createBrowser(session.createQueue("markers." + name), "batch = " + batch);
                return browser.getEnumeration().hasMoreElements();
            } finally {
                session.close();
            }
        };
    }

    private long move() throws JMSException {
        try (Connection connection = factory().createConnection()) {
            connection.start();
            Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
            MessageConsumer consumer = session.createConsumer(session.createQueue("work"));
            MessageProducer done = session.createProducer(session.createQueue("done"));
            while (moving) {
                moveSome(session, consumer, done);
            }
            return 0;
        }
    }

    private void moveSome(Session session, MessageConsumer consumer, MessageProducer done) throws JMSException {
        try {
            int moved = 0;
            while (moved < MOVED && consumer.receive(moved == 0 ? 500 : 50) instanceof TextMessage message) {
                done.send(session.createTextMessage(message.getText()));
                moved++;
            }
            session.commit();
            progress.addAndGet(moved == 0 ? 0 : 1);
        } catch (TransactionRolledBackException inDoubt) {
            moversInDoubt.incrementAndGet();
        } catch (JMSException error) {
            // The transaction cannot be completed, for instance since what was received goes to another consumer now.
            moversInDoubt.incrementAndGet();
            session.rollback();
        }
    }

    /** How often each message came to done. Waits until as many came as were sent, and then until nothing more comes. */
    private Map<String, Integer> count(long total) throws JMSException {
        Map<String, Integer> counted = new TreeMap<>();
        try (Connection connection = factory().createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageConsumer consumer = session.createConsumer(session.createQueue("done"));
            long came = 0;
            while (consumer.receive(came < total ? 15_000 : 2_000) instanceof TextMessage message) {
                counted.merge(message.getText(), 1, Integer::sum);
                came++;
            }
            MessageConsumer letters = session.createConsumer(session.createQueue("ActiveMQ.DLQ"));
            while (letters.receive(1_000) instanceof TextMessage message) {
                dead.add(message.getText());
            }
        }
        return counted;
    }

    private boolean report(int restarts, long seed, Map<String, Long> sent, Map<String, Integer> counted) {
        long total = 0;
        List<String> lost = new ArrayList<>();
        for (Map.Entry<String, Long> producer : sent.entrySet()) {
            for (long number = 0; number < producer.getValue(); number++, total++) {
                String text = producer.getKey() + " " + number;
                if (!counted.containsKey(text) && !dead.contains(text)) {
                    lost.add(text);
                }
            }
        }
        List<String> twice = counted.entrySet().stream().filter(entry -> entry.getValue() > 1).map(Map.Entry::getKey).toList();
        long arrived = counted.keySet().stream().filter(text -> isSent(sent, text)).count();
        long unknown = counted.size() - arrived;
        System.out.println("| restarts | messages | commits in doubt: done | undone | movers in doubt | lost | dead | twice | never sent | complaints |");
        System.out.println("|---|---|---|---|---|---|---|---|---|---|");
        System.out.printf("| %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |%n", restarts, total, foundCommitted.get(),
                foundRolledBack.get(), moversInDoubt.get(), lost.size(), dead.size(), twice.size(), unknown, complaints.size());
        lost.stream().limit(10).forEach(text -> System.out.println("failover: lost " + text));
        twice.stream().limit(10).forEach(text -> System.out.println("failover: twice " + text));
        complaints.forEach(text -> System.out.println("failover: " + text));
        System.out.println("failover: client " + ActiveMQConnectionFactory.class.getPackage().getImplementationVersion() + ", seed " + seed);
        return lost.isEmpty() && dead.isEmpty() && twice.isEmpty() && unknown == 0 && complaints.isEmpty() && total > 0;
    }

    private static boolean isSent(Map<String, Long> sent, String text) {
        String[] parts = text.split(" ");
        return Long.parseLong(parts[1]) < sent.getOrDefault(parts[0], 0L);
    }

    private static long record(Map<String, Long> sent, String name, long count) {
        synchronized (sent) {
            sent.put(name, count);
        }
        return count;
    }

    private interface Work {
        long run() throws Exception;
    }

    private Thread thread(String name, Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                synchronized (complaints) {
                    complaints.add(name + " ended: " + error);
                }
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void join(List<Thread> threads) throws InterruptedException {
        for (Thread thread : threads) {
            thread.join(TimeUnit.SECONDS.toMillis(STALL_MAX));
            if (thread.isAlive()) {
                throw new IllegalStateException(thread.getName() + " does not end");
            }
        }
    }
}
