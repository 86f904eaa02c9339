package ferrymq.jms;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A broker that a command runs in the foreground. The command is what -Dbroker.command names (by default start-broker.sh beside the
 * suites, which wants FERRYMQ_BIN) and gets four arguments: data folder, STOMP port, port that detects OpenWire, WebSocket port; and a
 * fifth where a test wants other settings than the defaults: a file of the folder settings.
 */
final class Broker implements AutoCloseable {
    /** A JVM on a busy machine takes its time. */
    private static final long START_PATIENCE_MILLIS = 120_000;

    private static Broker shared;

    final int stompPort = freePort();
    final int port = freePort();
    private final int webSocketPort = freePort();
    private final Path folder;
    private final String settings;
    private Process process;

    private Broker(String settings) {
        this.settings = settings;
        try {
            folder = Files.createTempDirectory("jms-broker");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The one for every test that leaves the broker alone; ends with the test run. */
    static synchronized Broker shared() {
        if (shared == null) {
            shared = own();
            Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
        }
        return shared;
    }

    /** One for a test that restarts it. */
    static Broker own() {
        return own(null);
    }

    /** One with the settings of this name. */
    static Broker own(String settings) {
        Broker broker = new Broker(settings);
        try {
            broker.start();
        } catch (RuntimeException | Error failed) {
            broker.close();
            throw failed;
        }
        return broker;
    }

    String url() {
        return "tcp://127.0.0.1:" + port;
    }

    /** Starts it on the same ports and data, and waits until it accepts. */
    void start() {
        String command = System.getProperty("broker.command", System.getProperty("suite.directory") + "/../start-broker.sh");
        ProcessBuilder builder = new ProcessBuilder(
                command, folder.resolve("data").toString(), "" + stompPort, "" + port, "" + webSocketPort);
        if (settings != null) {
            builder.command().add(System.getProperty("suite.directory") + "/settings/" + settings + ".toml");
        }
        File log = folder.resolve("log").toFile();
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log));
        try {
            process = builder.start();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        Await.until("a broker that accepts (see " + log + ")", START_PATIENCE_MILLIS, () -> {
            if (!process.isAlive()) {
                throw new IllegalStateException("the broker ended at its start: " + Files.readString(log.toPath()));
            }
            return accepts(port) && accepts(stompPort);
        });
    }

    /** Ends it as an operator does. */
    void stop() {
        process.destroy();
        ended();
    }

    /** Ends it as a crash does. */
    void kill() {
        process.destroyForcibly();
        ended();
    }

    void restart() {
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

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
