package ferrymq.apps.xa;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;

/** What a transaction manager must not forget: the transactions that it decided to commit. Any other one is rolled back. */
final class Journal {
    private final Path file;

    Journal(Path file) {
        this.file = file;
    }

    /** Durable when this returns. */
    void decideToCommit(String global) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            channel.write(ByteBuffer.wrap((global + "\n").getBytes(StandardCharsets.US_ASCII)));
            channel.force(true);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** As a manager reads it at its start. */
    Set<String> decided() {
        try {
            return Files.exists(file) ? new HashSet<>(Files.readAllLines(file, StandardCharsets.US_ASCII)) : Set.of();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** Everything is resolved: no need to read all of it for ever. */
    void clear() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
