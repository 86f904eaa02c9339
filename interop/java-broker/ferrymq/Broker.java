package ferrymq;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A broker that a command runs in the foreground. The command is what -Dbroker.command names (by default start-broker.sh beside the
 * suites, which wants FERRYMQ_BIN) and gets four arguments: data folder, STOMP port, port that detects OpenWire, WebSocket port; and a
 * fifth where a test wants other settings than the defaults: a file of the folder settings.
 */
public final class Broker implements AutoCloseable {
    /** A JVM on a busy machine takes its time. */
    private static final long START_SECONDS_MAX = 120;

    private static Broker shared;

    public final int stompPort = freePort();
    public final int port = freePort();
    private final int webSocketPort = freePort();
    private final Path folder;
    private final String settings;
    private final Map<String, String> environment;
    private Process process;

    /** Not started; with the settings of this name (null: none) and more variables in its environment. */
    public Broker(String settings, Map<String, String> environment) {
        this.settings = settings;
        this.environment = environment;
        try {
            folder = Files.createTempDirectory("ferrymq-broker");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The one for every test that leaves the broker alone; ends with the test run. */
    public static synchronized Broker shared() {
        if (shared == null) {
            shared = own();
            Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
        }
        return shared;
    }

    /** One for a test that does something to it, started. */
    public static Broker own() {
        return own(null);
    }

    /** One with the settings of this name. */
    public static Broker own(String settings) {
        Broker broker = new Broker(settings, Map.of());
        try {
            broker.start();
        } catch (RuntimeException | Error failed) {
            broker.close();
            throw failed;
        }
        return broker;
    }

    public String url() {
        return "tcp://127.0.0.1:" + port;
    }

    public Path data() {
        return folder.resolve("data");
    }

    public Path folder() {
        return folder;
    }

    /** Starts it on the same ports and data, and waits until it accepts. */
    public void start() {
        String command = System.getProperty("broker.command", System.getProperty("suite.directory", ".") + "/../start-broker.sh");
        ProcessBuilder builder = new ProcessBuilder(
                command, data().toString(), "" + stompPort, "" + port, "" + webSocketPort);
        if (settings != null) {
            builder.command().add(System.getProperty("suite.directory") + "/settings/" + settings + ".toml");
        }
        builder.environment().putAll(environment);
        File log = folder.resolve("log").toFile();
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log));
        try {
            process = builder.start();
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS_MAX);
            while (!accepts(port) || !accepts(stompPort)) {
                if (!process.isAlive()) {
                    throw new IllegalStateException("the broker ended at its start: " + Files.readString(log.toPath()));
                }
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("the broker does not accept, see " + log);
                }
                Thread.sleep(2);
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    public boolean isAlive() {
        return process != null && process.isAlive();
    }

    /** Whether it ends by itself in that time. */
    public boolean endsWithin(long millis) {
        try {
            return process.waitFor(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Ends it as an operator does. */
    public void stop() {
        process.destroy();
        ended();
    }

    /** Ends it as a crash does; nothing where it is gone already. */
    public void kill() {
        if (process != null) {
            process.destroyForcibly();
            ended();
        }
    }

    public void restart() {
        kill();
        start();
    }

    @Override
    public void close() {
        kill();
        if (System.getProperty("broker.keep") != null) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private void ended() {
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the broker does not end");
            }
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private static boolean accepts(int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", port), 1000);
            return true;
        } catch (IOException refused) {
            return false;
        }
    }

    /** Below what the system gives to outgoing connections: it is to be free again after each restart. */
    private static int freePort() {
        while (true) {
            int candidate = ThreadLocalRandom.current().nextInt(10_240, 32_000);
            try (ServerSocket socket = new ServerSocket(candidate)) {
                return socket.getLocalPort();
            } catch (IOException taken) {
                // Another one.
            }
        }
    }
}
