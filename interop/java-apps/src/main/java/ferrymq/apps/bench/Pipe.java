package ferrymq.apps.bench;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Locale;

/**
 * The least latency that a JVM can show on this machine: messages at a fixed rate from one thread to another of the same process,
 * over one pair of sockets, without a broker and without JMS. What a workload at the same rate shows beyond this, its broker and
 * client make. Arguments: messages a second, seconds of warm-up, measured seconds. Prints what {@link Bench} prints.
 */
public final class Pipe {
    /** As the message of the workloads, with its stamp. */
    private static final int FRAME_BYTES = 1077;

    private final int rate;
    private final long warmUp;
    private final long total;
    private final Histogram arriving = new Histogram();
    private long received;
    private long firstNanos;
    private long lastNanos;

    private Pipe(int rate, int warmUp, int seconds) {
        this.rate = rate;
        this.warmUp = (long) rate * warmUp;
        total = this.warmUp + (long) rate * seconds;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        new Pipe(Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1]), Integer.parseInt(arguments[2])).run();
    }

    private void run() throws IOException, InterruptedException {
        try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket sending = new Socket(listener.getInetAddress(), listener.getLocalPort());
                Socket receiving = listener.accept()) {
            sending.setTcpNoDelay(true);
            Thread consumer = new Thread(() -> consume(receiving));
            consumer.start();
            produce(sending);
            consumer.join();
        }
        double seconds = (lastNanos - firstNanos) / 1e9;
        System.out.printf(Locale.ROOT, "{\"runs\":[{\"received_per_second\":%.1f,\"confirmation\":null,\"end_to_end\":%s,"
                + "\"missing\":%d,\"unconfirmed\":0}]}%n", (received - warmUp - 1) / seconds, arriving.json(), total - received);
    }

    private void produce(Socket socket) throws IOException {
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream(), 64 * 1024));
        byte[] rest = new byte[FRAME_BYTES - Long.BYTES];
        double gap = 1e9 / rate;
        long start = System.nanoTime();
        for (long number = 0; number < total; number++) {
            long moment = start + (long) (number * gap);
            Pace.awaitMoment(moment);
            out.writeLong(moment);
            out.write(rest);
            out.flush();
        }
        socket.shutdownOutput();
    }

    private void consume(Socket socket) {
        byte[] rest = new byte[FRAME_BYTES - Long.BYTES];
        try {
            DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 64 * 1024));
            for (; received < total; received++) {
                long stamp = in.readLong();
                in.readFully(rest);
                lastNanos = System.nanoTime();
                if (received == warmUp) {
                    firstNanos = lastNanos;
                }
                if (received >= warmUp) {
                    arriving.add(lastNanos - stamp);
                }
            }
        } catch (IOException error) {
            // The producer that ended early has said why.
            throw new IllegalStateException(error);
        }
    }
}
