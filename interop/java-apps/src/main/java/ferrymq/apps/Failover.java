package ferrymq.apps;

import ferrymq.Broker;
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
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.RedeliveryPolicy;

/**
 * Restarts the broker under applications that use failover: URLs, and counts what they lost and what came twice.
 *
 * <pre>
 *   plain       send, waits for each confirmation ──┐
 *   transacted  send 10 asynchronously, commit ─────┴─► work ─► 2 movers: receive 1 to 9, send them to done, commit ─► done ─► counted
 *   lone-plain, lone-transacted: the same ────────────► lone ─► 1 mover: the same ───────────────────────────────────────┘
 * </pre>
 *
 * <p>The two movers begin with a new session after each rollback. The lone mover keeps its session, so that its client first
 * redelivers its own copies, of which the broker may know nothing any more: there the client's and the broker's idea of a
 * transaction differ most. Its client gives up after so many rollbacks as its redelivery policy says; then the message has to be
 * in the dead-letter queue. What a client of any kind takes for a copy of what it had on its connection before, it rejects as if
 * it were poisoned: its audit forgets nothing that it was about to give to the application when the connection failed. That must
 * not become a dead letter; one that does is counted as suppressed.
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
    private static final int MOVED_MAX = 9;
    /** So long the load runs before a restart, at least and at most. Milliseconds. */
    private static final int RUN_MIN = 20;
    private static final int RUN_MAX = 400;
    /** One run in so many is longer than a client waits before it redelivers what was rolled back, which is 1000 milliseconds. */
    private static final int LONG_RUN_EACH = 4;
    private static final int LONG_RUN = 1000;
    /** A broker under which nobody gets on for so long is a failure. Seconds. */
    private static final long STALL_MAX = 60;
    /** So often in a row nothing has to come, before what is missing is lost. Each takes 6 seconds. */
    private static final int SILENT_MAX = 4;
    private static final String CAUSE = "dlqDeliveryFailureCause";
    private static final String SUPPRESSED = "Suppressing duplicate delivery on connection";

    private final Broker broker = new Broker(null, Map.of());
    private final AtomicLong progress = new AtomicLong();
    private final AtomicLong foundCommitted = new AtomicLong();
    private final AtomicLong foundRolledBack = new AtomicLong();
    private final AtomicLong moversInDoubt = new AtomicLong();
    private final List<String> complaints = new ArrayList<>();
    private final Map<String, Integer> suppressed = new TreeMap<>();
    private long leftByLone;
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
            producers.add(thread(name, () -> record(sent, name, sendPlain(name, "work"))));
        }
        for (int number = 0; number < TRANSACTED; number++) {
            String name = "transacted" + number;
            producers.add(thread(name, () -> record(sent, name, sendTransacted(name, "work"))));
        }
        producers.add(thread("lone-plain", () -> record(sent, "lone-plain", sendPlain("lone-plain", "lone"))));
        producers.add(thread("lone-transacted", () -> record(sent, "lone-transacted", sendTransacted("lone-transacted", "lone"))));
        Random batches = new Random(seed);
        List<Thread> movers = new ArrayList<>();
        for (int number = 0; number < MOVERS; number++) {
            Random sizes = new Random(batches.nextLong());
            movers.add(thread("mover" + number, () -> move("work", sizes, false)));
        }
        Random lone = new Random(batches.nextLong());
        movers.add(thread("lone mover", () -> move("lone", lone, true)));
        restart(restarts, new Random(seed));
        producing = false;
        join(producers);
        long total = sent.values().stream().mapToLong(Long::longValue).sum();
        Map<String, Integer> dead = new TreeMap<>();
        Map<String, Integer> counted = count(total, dead);
        moving = false;
        join(movers);
        drain("done", 0, counted);
        drain("ActiveMQ.DLQ", 0, dead);
        // What the lone mover's client forgot that it has, goes to the next consumer.
        leftByLone = drain("lone", 0, counted);
        boolean clean = report(restarts, seed, sent, counted, dead);
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
            int longer = random.nextInt(LONG_RUN_EACH) == 0 ? LONG_RUN : 0;
            Thread.sleep(RUN_MIN + longer + random.nextInt(RUN_MAX - RUN_MIN));
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
    private long sendPlain(String name, String queue) throws JMSException {
        try (Connection connection = factory().createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageProducer producer = session.createProducer(session.createQueue(queue));
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

    private long sendTransacted(String name, String queue) throws JMSException {
        ActiveMQConnectionFactory factory = factory();
        factory.setUseAsyncSend(true);
        try (Connection connection = factory.createConnection()) {
            connection.start();
            Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
            MessageProducer work = session.createProducer(session.createQueue(queue));
            MessageProducer markers = session.createProducer(session.createQueue("markers." + name));
            long batch = 0;
            while (producing) {
                sendBatch(session, work, markers, name, batch);
                if (commit(session, foundCommitted, foundRolledBack, markerOf(name, batch))) {
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

    /**
     * Asks over a connection of its own that does not fail over, and believes "no" only while that still lives: a browser
     * that is interrupted may have lost what it was about to show.
     */
    private Question markerOf(String name, long batch) {
        return () -> {
            while (true) {
                try (Connection connection = new ActiveMQConnectionFactory(broker.url()).createConnection()) {
                    connection.start();
                    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
                    QueueBrowser browser = session.createBrowser(session.createQueue("markers." + name), "batch = " + batch);
                    boolean is = browser.getEnumeration().hasMoreElements();
                    session.createTemporaryQueue().delete();
                    return is;
                } catch (JMSException away) {
                    pause();
                }
            }
        };
    }

    /** Between two attempts to reach a broker that starts again. */
    private static void pause() {
        try {
            Thread.sleep(10);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException("nobody interrupts a producer", interrupted);
        }
    }

    private long move(String queue, Random sizes, boolean keepsSession) throws JMSException {
        ActiveMQConnectionFactory factory = factory();
        if (!keepsSession) {
            // So many restarts may meet one message more often than the client's default of six.
            factory.getRedeliveryPolicy().setMaximumRedeliveries(RedeliveryPolicy.NO_MAXIMUM_REDELIVERIES);
        }
        try (Connection connection = factory.createConnection()) {
            connection.start();
            while (moving) {
                Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
                MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
                MessageProducer done = session.createProducer(session.createQueue("done"));
                boolean isUsable = true;
                while (moving && isUsable) {
                    isUsable = moveSome(session, consumer, done, 1 + sizes.nextInt(MOVED_MAX)) || keepsSession;
                }
                session.close();
            }
            return 0;
        }
    }

    /** Whether it was committed, as far as is known. */
    private boolean moveSome(Session session, MessageConsumer consumer, MessageProducer done, int max) throws JMSException {
        try {
            int moved = 0;
            while (moved < max && consumer.receive(moved == 0 ? 500 : 50) instanceof TextMessage message) {
                done.send(session.createTextMessage(message.getText()));
                moved++;
            }
            session.commit();
            progress.addAndGet(moved == 0 ? 0 : 1);
            return true;
        } catch (TransactionRolledBackException inDoubt) {
            moversInDoubt.incrementAndGet();
            return false;
        } catch (JMSException error) {
            // The transaction cannot be completed, for instance since what was received goes to another consumer now.
            moversInDoubt.incrementAndGet();
            rollBack(session);
            return false;
        }
    }

    /** Client 6.3.1 now and then meets a ConcurrentModificationException of its own here, while its connection comes back. */
    private static void rollBack(Session session) throws JMSException {
        try {
            session.rollback();
        } catch (JMSException error) {
            if (!String.valueOf(error.getMessage()).contains("ConcurrentModificationException")) {
                throw error;
            }
            System.out.println("failover: the client failed to roll back, and does so again: " + error.getMessage());
            session.rollback();
        }
    }

    /** How often each message came to done, or was given up. Waits until as many came as were sent, or none comes any more. */
    private Map<String, Integer> count(long total, Map<String, Integer> dead) throws JMSException {
        Map<String, Integer> counted = new TreeMap<>();
        long came = 0;
        for (int silent = 0; silent < SILENT_MAX && came < total; silent++) {
            long more = drain("done", total - came, counted);
            more += drain("ActiveMQ.DLQ", 0, dead);
            came += more;
            silent = more == 0 ? silent : 0;
        }
        return counted;
    }

    /** Takes what is in a queue, at least so many if they come in time; how many it took. */
    private long drain(String queue, long expected, Map<String, Integer> counted) throws JMSException {
        try (Connection connection = factory().createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
            long came = 0;
            while (consumer.receive(came < expected ? 5_000 : 1_000) instanceof TextMessage message) {
                counted.merge(message.getText(), 1, Integer::sum);
                if (String.valueOf(message.getStringProperty(CAUSE)).contains(SUPPRESSED)) {
                    suppressed.merge(message.getText(), 1, Integer::sum);
                }
                came++;
            }
            return came;
        }
    }

    private boolean report(int restarts, long seed, Map<String, Long> sent, Map<String, Integer> counted, Map<String, Integer> dead) {
        System.out.printf("failover: client %s, %d restarts, seed %d%n",
                ActiveMQConnectionFactory.class.getPackage().getImplementationVersion(), restarts, seed);
        System.out.printf("failover: commits in doubt: %d were done, %d were not; movers rolled back: %d; left by the lone mover: %d%n",
                foundCommitted.get(), foundRolledBack.get(), moversInDoubt.get(), leftByLone);
        System.out.println("| producer | sent | received | given up | suppressed | lost | twice |");
        System.out.println("|---|---|---|---|---|---|---|");
        Map<String, Integer> rest = new TreeMap<>(counted);
        boolean clean = complaints.isEmpty() && !sent.isEmpty();
        for (Map.Entry<String, Long> producer : sent.entrySet()) {
            clean &= judge(producer.getKey(), producer.getValue(), rest, dead);
        }
        dead.keySet().stream().limit(10).forEach(text -> System.out.println("failover: given up, but never sent " + text));
        rest.keySet().stream().limit(10).forEach(text -> System.out.println("failover: never sent " + text));
        complaints.forEach(text -> System.out.println("failover: " + text));
        return clean && rest.isEmpty() && dead.isEmpty();
    }

    /** What became of one producer's messages, which are taken out of both maps. Only the client that keeps its session may give up. */
    private boolean judge(String producer, long sent, Map<String, Integer> counted, Map<String, Integer> dead) {
        List<String> lost = new ArrayList<>();
        List<String> twice = new ArrayList<>();
        long received = 0;
        long givenUp = 0;
        long copies = 0;
        for (long number = 0; number < sent; number++) {
            String text = producer + " " + number;
            int times = Objects.requireNonNullElse(counted.remove(text), 0);
            int deaths = Objects.requireNonNullElse(dead.remove(text), 0);
            received += times;
            int bySuppression = Math.min(deaths, suppressed.getOrDefault(text, 0));
            givenUp += deaths - bySuppression;
            copies += bySuppression;
            if (times + deaths == 0) {
                lost.add(text);
            } else if (times + deaths > 1) {
                twice.add(text + " (" + times + " times, given up " + deaths + " times)");
            }
        }
        System.out.printf("| %s | %d | %d | %d | %d | %d | %d |%n",
                producer, sent, received, givenUp, copies, lost.size(), twice.size());
        lost.stream().limit(10).forEach(text -> System.out.println("failover: lost " + text));
        twice.stream().limit(10).forEach(text -> System.out.println("failover: twice " + text));
        return lost.isEmpty() && twice.isEmpty() && copies == 0 && sent > 0 && (givenUp == 0 || producer.startsWith("lone-"));
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
