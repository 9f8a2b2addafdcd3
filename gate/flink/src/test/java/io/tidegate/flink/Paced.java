package io.tidegate.flink;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;

/**
 * Lets numbers pass at a steady rate, each at its own time after the first, until a test has seen
 * what it wanted to see in the meantime; then as fast as they come. One test of a JVM at a time.
 */
final class Paced extends RichMapFunction<Long, Long> {
    private static final long serialVersionUID = 1L;

    private static volatile CountDownLatch hurry = new CountDownLatch(1);

    private final double perSecond;
    private transient long first;

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

    @Override
    public void open(OpenContext context) {
        first = System.nanoTime();
    }

    @Override
    public Long map(Long number) throws InterruptedException {
        long due = first + (long) (number * 1e9 / perSecond);
        // the latch opens only at the end: until then this waits for the number's own time
        boolean hurried = hurry.await(due - System.nanoTime(), TimeUnit.NANOSECONDS);
        assert hurried || System.nanoTime() >= due;
        return number;
    }
}
