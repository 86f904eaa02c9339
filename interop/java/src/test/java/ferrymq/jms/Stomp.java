package ferrymq.jms;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** As little of STOMP 1.1 as an exchange with JMS needs. */
final class Stomp implements AutoCloseable {
    /** A frame as it came. */
    record Frame(String command, Map<String, String> headers, byte[] body) {
        String header(String name) {
            return headers.get(name);
        }

        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }
    }

    private final Socket socket;
    private final InputStream input;

    Stomp(int port) throws IOException {
        socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout((int) Await.PATIENCE_MILLIS);
        input = new BufferedInputStream(socket.getInputStream());
        write("CONNECT", new byte[0], "accept-version:1.1", "host:localhost", "heart-beat:0,0");
        expect(read(), "CONNECTED");
    }

    /** Sends and waits until the broker has it. */
    void send(String destination, byte[] body, String... headers) throws IOException {
        confirmed("SEND", body, "destination:" + destination, headers);
    }

    void subscribe(String destination, String... headers) throws IOException {
        confirmed("SUBSCRIBE", new byte[0], "destination:" + destination, headers);
    }

    Frame message() throws IOException {
        return expect(read(), "MESSAGE");
    }

    private void confirmed(String command, byte[] body, String first, String... headers) throws IOException {
        String[] all = new String[headers.length + 2];
        all[0] = first;
        all[1] = "receipt:r";
        System.arraycopy(headers, 0, all, 2, headers.length);
        write(command, body, all);
        expect(read(), "RECEIPT");
    }

    private static Frame expect(Frame frame, String command) {
        if (!frame.command.equals(command)) {
            throw new AssertionError("expected " + command + ", got " + frame.command + " " + frame.headers + " " + frame.text());
        }
        return frame;
    }

    private void write(String command, byte[] body, String... headers) throws IOException {
        ByteArrayOutputStream frame = new ByteArrayOutputStream();
        frame.write((command + "\n" + String.join("\n", headers) + "\n\n").getBytes(StandardCharsets.UTF_8));
        frame.write(body);
        frame.write(0);
        socket.getOutputStream().write(frame.toByteArray());
    }

    private Frame read() throws IOException {
        String command = line();
        while (command.isEmpty()) {
            command = line();
        }
        Map<String, String> headers = new LinkedHashMap<>();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.putIfAbsent(unescaped(line.substring(0, colon)), unescaped(line.substring(colon + 1)));
        }
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        if (headers.containsKey("content-length")) {
            body.write(input.readNBytes(Integer.parseInt(headers.get("content-length"))));
            octet();
        } else {
            for (int octet = octet(); octet != 0; octet = octet()) {
                body.write(octet);
            }
        }
        return new Frame(command, headers, body.toByteArray());
    }

    private static String unescaped(String text) {
        return text.replace("\\n", "\n").replace("\\c", ":").replace("\\\\", "\\");
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int octet = octet(); octet != '\n'; octet = octet()) {
            line.write(octet);
        }
        return line.toString(StandardCharsets.UTF_8);
    }

    private int octet() throws IOException {
        int octet = input.read();
        if (octet < 0) {
            throw new EOFException("the broker closed the connection");
        }
        return octet;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
