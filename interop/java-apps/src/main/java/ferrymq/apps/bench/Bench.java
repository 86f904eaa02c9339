package ferrymq.apps.bench;

import jakarta.jms.BytesMessage;
import jakarta.jms.Connection;
import jakarta.jms.DeliveryMode;
import jakarta.jms.Destination;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.Topic;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * The standard workloads by the JMS client: what an application sees. Arguments: url, workload, seconds of warm-up, measured
 * seconds, the broker's process. Prints one line of JSON in the form of `ferrymq bench --json`.
 *
 * <p>A persistent message outside of a transaction is sent synchronously, as the client does by itself; its confirmation is the
 * time that send takes. With a rate each message has its moment, and late ones count from there.
 */
public final class Bench {
    private static final int BODY_BYTES = 1024;
    /** Messages of W10, to each of its subscribers. */
    private static final int OFFLINE_MESSAGES = 50_000;
    private static final long CATCH_UP_SECONDS_MAX = 300;

    private final String url;
    private final Workload workload;
    private final long pid;
    private final String destination;
    private final LongAdder sent = new LongAdder();
    private final LongAdder received = new LongAdder();
    private final Histogram sending = new Histogram();
    private final Histogram arriving = new Histogram();
    private volatile boolean measuring;
    private volatile boolean ending;
    private volatile Exception failure;

    private Bench(String url, String name, long pid) {
        this.url = url;
        this.workload = Workload.of(name);
        this.pid = pid;
        destination = "bench." + name + "." + ProcessHandle.current().pid();
    }

    public static void main(String[] arguments) throws Exception {
        Bench bench = new Bench(arguments[0], arguments[1], Long.parseLong(arguments[4]));
        String json = arguments[1].equals("W10") ? bench.catchUp()
                : bench.run(Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
        System.out.println(json);
        System.out.flush();
        // Connections of a measured run need no farewell.
        Runtime.getRuntime().halt(bench.failure == null ? 0 : 1);
    }

    private Connection connect() throws JMSException {
        ActiveMQConnectionFactory factory = new ActiveMQConnectionFactory(url);
        factory.setWatchTopicAdvisories(false);
        return factory.createConnection();
    }

    private Destination destination(Session session, int client) throws JMSException {
        String name = workload.queues() == 1 ? destination : destination + "." + client % workload.queues();
        return workload.topic() ? session.createTopic(name) : session.createQueue(name);
    }

    /** What is counted, at one moment. */
    private record Look(long nanos, long sent, long received, double processorSeconds) {
    }

    private Look look() throws IOException {
        return new Look(System.nanoTime(), sent.sum(), received.sum(), processorSeconds());
    }

    private String run(int warmUp, int seconds) throws Exception {
        List<Connection> consumers = new ArrayList<>();
        for (int client = 0; client < workload.consumers(); client++) {
            consumers.add(consume(client));
        }
        CountDownLatch ready = new CountDownLatch(workload.producers());
        CountDownLatch go = new CountDownLatch(1);
        for (int client = 0; client < workload.producers(); client++) {
            int number = client;
            Thread thread = new Thread(() -> {
                try {
                    produce(number, ready, go);
                } catch (Exception error) {
                    fail(error);
                }
            });
            thread.setDaemon(true);
            thread.start();
        }
        ready.await();
        go.countDown();
        Thread.sleep(warmUp * 1000L);
        measuring = true;
        Look begin = look();
        Thread.sleep(seconds * 1000L);
        Look end = look();
        measuring = false;
        ending = true;
        return json(begin, end, 0);
    }

    private void produce(int client, CountDownLatch ready, CountDownLatch go) throws JMSException, InterruptedException {
        Connection connection = connect();
        connection.start();
        boolean transacted = workload.batch() > 0;
        Session session = connection.createSession(transacted, transacted ? Session.SESSION_TRANSACTED : Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(destination(session, client));
        producer.setDeliveryMode(workload.persistent() ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
        double gap = workload.rate() == 0 ? 0 : 1e9 * workload.producers() / workload.rate();
        ready.countDown();
        go.await();
        long start = System.nanoTime();
        for (long number = 0; !ending; number++) {
            long moment = gap == 0 ? System.nanoTime() : start + (long) (number * gap);
            Pace.awaitMoment(moment);
            awaitRoom();
            long before = System.nanoTime();
            producer.send(message(session, gap == 0 ? before : moment, number));
            sent.increment();
            if (transacted && number % workload.batch() == workload.batch() - 1) {
                session.commit();
            }
            if (measuring && workload.persistent() && !transacted) {
                sending.add(System.nanoTime() - before);
            }
        }
    }

    private BytesMessage message(Session session, long stamp, long number) throws JMSException {
        BytesMessage message = session.createBytesMessage();
        message.writeLong(stamp);
        message.writeBytes(new byte[BODY_BYTES - Long.BYTES]);
        if (workload.kinds() > 0) {
            message.setIntProperty("kind", (int) (number % workload.kinds()));
        }
        return message;
    }

    /** Until the window has room. */
    private void awaitRoom() {
        while (workload.window() > 0 && !ending
                && (sent.sum() - workload.window()) * workload.fanOut() >= received.sum()) {
            LockSupport.parkNanos(20_000);
        }
    }

    private Connection consume(int client) throws JMSException {
        Connection connection = connect();
        boolean transacted = workload.batch() > 0;
        Session session = connection.createSession(transacted, transacted ? Session.SESSION_TRANSACTED : Session.AUTO_ACKNOWLEDGE);
        String selector = workload.kinds() > 0 ? "kind = " + client % workload.kinds() : null;
        listen(session.createConsumer(destination(session, client), selector), session, transacted);
        connection.start();
        return connection;
    }

    private void listen(MessageConsumer consumer, Session session, boolean transacted) throws JMSException {
        int[] taken = {0};
        consumer.setMessageListener(message -> {
            try {
                long now = System.nanoTime();
                long stamp = ((BytesMessage) message).readLong();
                received.increment();
                if (measuring) {
                    arriving.add(now - stamp);
                }
                if (transacted && ++taken[0] % workload.batch() == 0) {
                    session.commit();
                }
            } catch (JMSException error) {
                fail(error);
            }
        });
    }

    /** Durable subscribers come back to what was sent meanwhile. */
    private String catchUp() throws Exception {
        for (int client = 0; client < workload.consumers(); client++) {
            subscribe(client, false).close();
        }
        Connection connection = connect();
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageProducer producer = session.createProducer(session.createTopic(destination));
        for (int number = 1; number <= OFFLINE_MESSAGES; number++) {
            producer.send(message(session, System.nanoTime(), number));
            if (number % workload.batch() == 0) {
                session.commit();
            }
        }
        connection.close();
        long wanted = (long) OFFLINE_MESSAGES * workload.consumers();
        Look begin = look();
        for (int client = 0; client < workload.consumers(); client++) {
            subscribe(client, true);
        }
        long deadline = begin.nanos() + CATCH_UP_SECONDS_MAX * 1_000_000_000;
        while (received.sum() < wanted && System.nanoTime() < deadline) {
            Thread.sleep(1);
        }
        return json(begin, look(), wanted - received.sum());
    }

    private Connection subscribe(int client, boolean listens) throws JMSException {
        Connection connection = connect();
        connection.setClientID(destination + "." + client);
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Topic topic = session.createTopic(destination);
        MessageConsumer consumer = session.createDurableSubscriber(topic, "bench");
        if (listens) {
            listen(consumer, session, false);
            connection.start();
        }
        return connection;
    }

    private void fail(Exception error) {
        if (!ending) {
            failure = error;
            error.printStackTrace();
        }
    }

    private String json(Look begin, Look end, long missing) throws IOException {
        double seconds = (end.nanos() - begin.nanos()) / 1e9;
        long deliveries = end.received() - begin.received();
        double cost = (end.processorSeconds() - begin.processorSeconds()) * 1e6 / Math.max(1, deliveries);
        return String.format(Locale.ROOT, "{\"runs\":[{\"sent_per_second\":%.1f,\"received_per_second\":%.1f,\"confirmation\":%s,"
                + "\"end_to_end\":%s,\"broker\":{\"cpu_us_per_message\":%.2f,\"resident_bytes\":%d},\"missing\":%d,\"unconfirmed\":0}]}",
                (end.sent() - begin.sent()) / seconds, deliveries / seconds, sending.json(), arriving.json(), cost, resident(), missing);
    }

    /** Of the broker; the system counts hundredths of a second. */
    private double processorSeconds() throws IOException {
        String line = Files.readString(Path.of("/proc/" + pid + "/stat"));
        String[] fields = line.substring(line.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0;
    }

    private long resident() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        return 0;
    }
}
