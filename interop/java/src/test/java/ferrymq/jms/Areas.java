package ferrymq.jms;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/** Counts passed, failed and outstanding tests by area (a test class each) and writes them to areas.txt, for `cargo xtask interop`. */
public final class Areas implements TestExecutionListener {
    private final Map<String, int[]> counts = new TreeMap<>();

    @Override
    public synchronized void executionFinished(TestIdentifier test, TestExecutionResult result) {
        boolean passed = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
        if (test.isTest() || !passed) {
            counts.computeIfAbsent(area(test), area -> new int[3])[passed ? 0 : 1]++;
        }
    }

    @Override
    public synchronized void executionSkipped(TestIdentifier test, String reason) {
        counts.computeIfAbsent(area(test), area -> new int[3])[2]++;
    }

    @Override
    public synchronized void testPlanExecutionFinished(TestPlan plan) {
        StringBuilder lines = new StringBuilder();
        counts.forEach((area, count) -> lines.append(
                area + "\t" + count[0] + "\t" + count[1] + "\t" + count[2] + "\n"));
        Path file = Path.of(System.getProperty("suite.directory"), "target", System.getProperty("suite.generation"), "areas.txt");
        try {
            Files.writeString(file, lines);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** DurableSubscriptionTest: durable subscription. */
    private static String area(TestIdentifier test) {
        String name = test.getSource().filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
                .map(MethodSource::getClassName).orElse(test.getDisplayName());
        String simple = name.substring(name.lastIndexOf('.') + 1).replaceFirst("Test$", "");
        return simple.replaceAll("(?<=[a-z])(?=[A-Z])", " ");
    }
}
