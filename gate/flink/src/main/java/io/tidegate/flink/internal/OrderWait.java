package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a subtask's input wait until an order has changed something.
 *
 * <p>It yields at the gate's own mailbox priority: whoever is in the middle of a record further up
 * the chain is not snapshotted, because checkpoints come with a lower priority. So do operator
 * events, which therefore never arrive here; the subtask asks its coordinator instead, again and
 * again, also while the coordinator or its store is away. Cancelling the task interrupts it.
 */
final class OrderWait implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OrderWait.class);
    private static final long RETRY_MS = 200;

    private final MailboxExecutor mailbox;
    private final CoordinatorLink link;
    private final LongFunction<OrderRequest> request;
    private final Consumer<OrderEvent> apply;

    private boolean asked;
    private boolean failing;
    private long asks;

    /** Wakes the mailbox for a retry. Not the operator's timers: those are quiet in finish(). */
    private ScheduledExecutorService alarm;

    /**
     * @param request makes the request; given the number of the request, from 1
     * @param apply applies an order, in the task's thread
     */
    OrderWait(
            MailboxExecutor mailbox,
            CoordinatorLink link,
            LongFunction<OrderRequest> request,
            Consumer<OrderEvent> apply) {
        this.mailbox = mailbox;
        this.link = link;
        this.request = request;
        this.apply = apply;
    }

    /**
     * Returns when the condition holds; it is looked at after each mail.
     *
     * @throws InterruptedException when the task is cancelled
     */
    void until(BooleanSupplier done) throws InterruptedException {
        while (!done.getAsBoolean()) {
            if (!asked) {
                ask();
            }
            mailbox.yield();
        }
    }

    private void ask() {
        asked = true;
        asks++;
        link.ask(request.apply(asks))
                .whenComplete((response, failure) -> deliver(() -> answered(response, failure)));
    }

    private void answered(CoordinationResponse response, Throwable failure) {
        if (failure != null) {
            if (!failing) {
                LOG.warn("a waiting gate cannot reach its coordinator, it asks on", failure);
            }
            failing = true;
            alarm().schedule(() -> deliver(() -> asked = false), RETRY_MS, TimeUnit.MILLISECONDS);
            return;
        }
        failing = false;
        asked = false;
        OrderEvent order = OrderAnswer.read(response);
        if (order != null) {
            apply.accept(order);
        }
    }

    private void deliver(Runnable mail) {
        try {
            mailbox.execute(mail::run, "tidegate: answer for a waiting gate");
        } catch (RejectedExecutionException e) {
            LOG.debug("the task has ended while its gate waited", e);
        }
    }

    private ScheduledExecutorService alarm() {
        if (alarm == null) {
            ClassLoader loader = getClass().getClassLoader();
            alarm =
                    Executors.newSingleThreadScheduledExecutor(
                            work -> Threads.daemon(work, "tidegate-gate-alarm", loader));
        }
        return alarm;
    }

    /** May be called twice. */
    @Override
    public void close() {
        if (alarm != null) {
            alarm.shutdownNow();
            try {
                // the thread must not outlive the class loader
                if (!alarm.awaitTermination(5, TimeUnit.SECONDS)) {
                    throw new TidegateException("ThreadLeft: the gate's alarm does not end");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            alarm = null;
        }
    }
}
