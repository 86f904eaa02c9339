package ferrymq.apps.bench;

import java.util.Locale;
import java.util.concurrent.atomic.AtomicLongArray;

/** Times in nanoseconds, to one part in 64. */
final class Histogram {
    private static final int PARTS = 64;
    private static final int PARTS_BITS = 6;
    private final AtomicLongArray counts = new AtomicLongArray(64 * PARTS);

    void add(long nanos) {
        counts.incrementAndGet(index(Math.max(nanos, 0)));
    }

    private static int index(long value) {
        if (value < PARTS) {
            return (int) value;
        }
        int exponent = 63 - Long.numberOfLeadingZeros(value);
        return (exponent - PARTS_BITS + 1) * PARTS + (int) (value >> exponent - PARTS_BITS & PARTS - 1);
    }

    private static long value(int index) {
        if (index < PARTS) {
            return index;
        }
        int exponent = index / PARTS + PARTS_BITS - 1;
        return (1L << exponent) + ((long) (index % PARTS) << exponent - PARTS_BITS);
    }

    /** As `ferrymq bench --json` tells percentiles; null where nothing was recorded. */
    String json() {
        long total = 0;
        for (int index = 0; index < counts.length(); index++) {
            total += counts.get(index);
        }
        if (total == 0) {
            return "null";
        }
        return String.format(Locale.ROOT, "{\"count\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}", total,
                at(total, 0.5), at(total, 0.99), at(total, 0.999));
    }

    private double at(long total, double share) {
        long wanted = (long) Math.ceil(total * share);
        long seen = 0;
        for (int index = 0; index < counts.length(); index++) {
            seen += counts.get(index);
            if (seen >= wanted) {
                return value(index) / 1e3;
            }
        }
        throw new IllegalStateException("counts do not add up");
    }
}
