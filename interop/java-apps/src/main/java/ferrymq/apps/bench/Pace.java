package ferrymq.apps.bench;

import java.util.concurrent.locks.LockSupport;

/** Waits for a message's moment. */
final class Pace {
    /** So much before its moment a producer stops sleeping and watches the clock. Nanoseconds. */
    private static final long WATCH = 60_000;

    private Pace() {
    }

    static void awaitMoment(long moment) {
        for (long left = moment - System.nanoTime(); left > 0; left = moment - System.nanoTime()) {
            if (left > WATCH) {
                LockSupport.parkNanos(left - WATCH);
            } else {
                Thread.onSpinWait();
            }
        }
    }
}
