package ferrymq.jms;

import java.util.concurrent.Callable;

/** Waits for conditions; the deadline only ends a hang. */
final class Await {
    static final long PATIENCE_MILLIS = Long.getLong("suite.patience", 20_000);

    private Await() {
    }

    static void until(String what, Callable<Boolean> condition) {
        until(what, PATIENCE_MILLIS, condition);
    }

    static void until(String what, long patienceMillis, Callable<Boolean> condition) {
        long deadline = System.nanoTime() + patienceMillis * 1_000_000;
        try {
            while (!condition.call()) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("did not come: " + what);
                }
                Thread.sleep(5);
            }
        } catch (RuntimeException error) {
            throw error;
        } catch (Exception error) {
            throw new IllegalStateException(what, error);
        }
    }
}
