package ferrymq.apps.xa;

import ferrymq.Broker;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Stands between client and broker, reads their frames, and kills the broker at one moment of one step.
 *
 * <p>Frames are read as far as is needed: their size, their type, and in a loose encoding the number of a command and of the
 * command that a response answers. That is why {@link #url} asks for loose encoding.
 */
final class Cut implements AutoCloseable {
    /** A broker that writes nothing within this time after the client's last command writes nothing for it. */
    private static final long END_MILLIS_MAX = 2_000;

    private final ServerSocket listener;
    private final Broker broker;
    private final Path failPoint;
    private Step step;
    private Moment moment;
    /** The number of the command that is the step, once it came. */
    private Integer command;
    private Outcome outcome = Outcome.UNREACHED;

    /** What became of the wish to have the broker die. */
    enum Outcome {
        /** The step did not happen, or not yet. */
        UNREACHED,
        /** The broker is asked to end itself when it writes. */
        ASKED,
        /** Nothing is written at this step, or nobody is answered. */
        PASSED,
        /** It is dead. */
        HIT
    }

    Cut(Broker broker, Path failPoint) throws IOException {
        this.broker = broker;
        this.failPoint = failPoint;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread accepting = new Thread(this::accept, "cut");
        accepting.setDaemon(true);
        accepting.start();
    }

    String url() {
        return "tcp://127.0.0.1:" + listener.getLocalPort()
                + "?wireFormat.tightEncodingEnabled=false&wireFormat.cacheEnabled=false&wireFormat.maxInactivityDuration=0"
                + "&jms.alwaysSyncSend=true&jms.watchTopicAdvisories=false";
    }

    synchronized void arm(Step step, Moment moment) {
        this.step = step;
        this.moment = moment;
        command = null;
        outcome = Outcome.UNREACHED;
    }

    /** What became of it; no more of it happens. Waits for the end of a broker that was asked to end. */
    synchronized Outcome disarm() throws IOException {
        boolean isDead = outcome == Outcome.ASKED ? broker.endsWithin(END_MILLIS_MAX) : !broker.isAlive();
        if (isDead) {
            outcome = Outcome.HIT;
        } else if (outcome == Outcome.ASKED) {
            outcome = Outcome.PASSED;
        }
        step = null;
        Files.deleteIfExists(failPoint);
        return outcome;
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                Socket server = new Socket();
                try {
                    server = new Socket("127.0.0.1", broker.port);
                } catch (IOException dead) {
                    client.close();
                    continue;
                }
                client.setTcpNoDelay(true);
                server.setTcpNoDelay(true);
                pump(client, server, true);
                pump(server, client, false);
            }
        } catch (IOException closed) {
            // The run is over.
        }
    }

    private void pump(Socket from, Socket to, boolean toBroker) {
        Thread thread = new Thread(() -> {
            try (from; to) {
                DataInputStream in = new DataInputStream(new BufferedInputStream(from.getInputStream(), 65536));
                OutputStream out = to.getOutputStream();
                while (true) {
                    byte[] frame = new byte[in.readInt()];
                    in.readFully(frame);
                    if (toBroker) {
                        request(frame, out);
                    } else {
                        answer(frame, out);
                    }
                }
            } catch (IOException ended) {
                // One side is gone, so the other one goes.
            }
        }, toBroker ? "cut-requests" : "cut-answers");
        thread.setDaemon(true);
        thread.start();
    }

    private static void pass(byte[] frame, OutputStream out) throws IOException {
        out.write(ByteBuffer.allocate(4 + frame.length).putInt(frame.length).put(frame).array());
        out.flush();
    }

    private synchronized void request(byte[] frame, OutputStream out) throws IOException {
        if (outcome == Outcome.ASKED) {
            // The next command: what the step wrote, it wrote.
            pass();
        }
        if (step == null || command != null || !step.is(frame)) {
            pass(frame, out);
            return;
        }
        command = ByteBuffer.wrap(frame, 1, 4).getInt();
        switch (moment) {
            case UNHEARD -> kill();
            case HEARD -> {
                pass(frame, out);
                kill();
            }
            case BEFORE_WRITE, AFTER_WRITE -> {
                Files.writeString(failPoint, moment.failPoint());
                outcome = Outcome.ASKED;
                pass(frame, out);
            }
            case UNANSWERED, ANSWERED -> {
                outcome = Outcome.PASSED;
                pass(frame, out);
            }
        }
    }

    private synchronized void answer(byte[] frame, OutputStream out) throws IOException {
        boolean isResponse = frame[0] >= 30 && frame[0] <= 34 && frame.length >= 10;
        if (step == null || command == null || !isResponse || ByteBuffer.wrap(frame, 6, 4).getInt() != command) {
            pass(frame, out);
            return;
        }
        switch (moment) {
            case UNANSWERED -> kill();
            case ANSWERED -> {
                pass(frame, out);
                kill();
            }
            case BEFORE_WRITE, AFTER_WRITE -> {
                if (outcome == Outcome.ASKED) {
                    pass();
                }
                pass(frame, out);
            }
            case UNHEARD, HEARD -> pass(frame, out);
        }
    }

    /** The step is over, and the broker lives. */
    private void pass() throws IOException {
        Files.deleteIfExists(failPoint);
        outcome = Outcome.PASSED;
    }

    private void kill() throws IOException {
        broker.kill();
        outcome = Outcome.HIT;
        throw new IOException("the broker is dead");
    }
}
