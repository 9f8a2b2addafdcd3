package io.tidegate.flink;

import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/** Polls a condition and says what it saw last. */
public final class Eventually {
    private static final long DEADLINE_NANOS = 60_000_000_000L;
    private static final long STEP_NANOS = 10_000_000L;

    /**
     * @return the first value that the condition accepts
     */
    public static <T> T becomes(String what, Callable<T> value, Predicate<T> condition)
            throws Exception {
        long start = System.nanoTime();
        T last = value.call();
        while (!condition.test(last)) {
            if (System.nanoTime() - start > DEADLINE_NANOS) {
                throw new AssertionError(what + " did not happen; last: " + last);
            }
            LockSupport.parkNanos(STEP_NANOS);
            last = value.call();
        }
        return last;
    }

    private Eventually() {}
}
