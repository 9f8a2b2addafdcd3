package io.tidegate.flink;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;

/**
 * Lets numbers pass at a steady rate, each at its own time after the first of this life, until a
 * test has seen what it wanted to see in the meantime; then as fast as they come. One test of a JVM
 * at a time.
 */
final class Paced extends RichMapFunction<Long, Long> {
    private static final long serialVersionUID = 1L;

    private static volatile CountDownLatch hurry = new CountDownLatch(1);

    private static final AtomicInteger LIVES = new AtomicInteger();

    private final double perSecond;

    /** When number 0 was due; null before the first one. */
    private transient Long zero;

    Paced(double perSecond) {
        this.perSecond = perSecond;
    }

    /** From now on at a steady rate. */
    static void steady() {
        hurry = new CountDownLatch(1);
    }

    /** From now on as fast as they come. */
    static void hurry() {
        hurry.countDown();
    }

    /** How often one was started, in this JVM. */
    static int lives() {
        return LIVES.get();
    }

    @Override
    public void open(OpenContext context) {
        LIVES.incrementAndGet();
    }

    @Override
    public Long map(Long number) throws InterruptedException {
        long after = (long) (number * 1e9 / perSecond);
        if (zero == null) {
            zero = System.nanoTime() - after;
        }
        long due = zero + after;
        // the latch opens only at the end: until then this waits for the number's own time
        boolean hurried = hurry.await(due - System.nanoTime(), TimeUnit.NANOSECONDS);
        assert hurried || System.nanoTime() >= due;
        return number;
    }
}
