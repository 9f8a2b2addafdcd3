package io.tidegate.flink.internal;

import static io.tidegate.flink.internal.TestingOrders.committedFrom;
import static io.tidegate.flink.internal.TestingOrders.emitAll;
import static io.tidegate.flink.internal.TestingOrders.proposedFrom;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateOptions;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** P25, P28: a gate that waits, at its bound and at the end of its input. */
@Timeout(60)
class GateWaitITCase {
    private final ExecutorService coordinator = Executors.newSingleThreadExecutor();
    private TestingGate gate;

    @BeforeEach
    void open() throws Exception {
        Configuration config = TestingOptions.blue();
        config.set(TidegateOptions.HOLD_MAX_RECORDS, 2L);
        gate = TestingGate.fresh(config, null);
    }

    @AfterEach
    void close() throws Exception {
        coordinator.shutdownNow();
        gate.close();
    }

    /** Does something in the coordinator's stead; a failure of it is thrown by join. */
    private CompletableFuture<Void> meanwhile(Work work) {
        Executor executor = coordinator;
        return CompletableFuture.runAsync(
                () -> {
                    try {
                        work.run();
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                },
                executor);
    }

    private interface Work {
        void run() throws Exception;
    }

    @Test
    void atTheBoundItAppendsThenWaitsForAnOrderAndNeedsNoCheckpoint() throws Exception {
        CompletableFuture<Void> answered =
                meanwhile(
                        () -> {
                            TestingLink.Asked asked = gate.link.next();
                            assertEquals(Native.NONE, asked.request.serial);
                            asked.answer.complete(OrderAnswer.of(emitAll(1)));
                        });
        gate.records(1, 2, 3);
        answered.join();
        assertEquals(List.of(1L, 2L, 3L), gate.out());
    }

    @Test
    void itAsksOnAfterEmptyAnswersAndFailures() throws Exception {
        CompletableFuture<Void> answered =
                meanwhile(
                        () -> {
                            gate.link.next().answer.complete(OrderAnswer.none());
                            gate.link
                                    .next()
                                    .answer
                                    .completeExceptionally(new IllegalStateException("away"));
                            gate.link.next().answer.complete(OrderAnswer.of(emitAll(1)));
                        });
        gate.records(1, 2);
        answered.join();
        assertEquals(List.of(1L, 2L), gate.out());
    }

    @Test
    void anOrderThatStillHoldsDoesNotEndTheWait() throws Exception {
        CompletableFuture<Void> answered =
                meanwhile(
                        () -> {
                            gate.link.next().answer.complete(OrderAnswer.of(proposedFrom(1)));
                            TestingLink.Asked asked = gate.link.next();
                            assertEquals(1, asked.request.serial);
                            asked.answer.complete(OrderAnswer.of(committedFrom(2)));
                        });
        gate.records(100, 101, 50);
        answered.join();
        assertEquals(List.of(50L), gate.out());
    }

    @Test
    void cancellingEndsTheWait() {
        Thread task = Thread.currentThread();
        CompletableFuture<Void> cancelled =
                meanwhile(
                        () -> {
                            gate.link.next();
                            task.interrupt();
                        });
        assertThrows(InterruptedException.class, () -> gate.records(1, 2));
        cancelled.join();
    }

    @Test
    void theEndOfInputWaitsWhileSomethingIsHeld() throws Exception {
        gate.order(proposedFrom(1)).records(100);
        gate.watermark(Long.MAX_VALUE);
        assertEquals(List.of("w99"), gate.out());
        CompletableFuture<Void> answered =
                meanwhile(() -> gate.link.next().answer.complete(OrderAnswer.of(emitAll(2))));
        gate.finish();
        answered.get(10, TimeUnit.SECONDS);
        assertEquals(List.of(100L, "w" + Long.MAX_VALUE), gate.out());
    }

    @Test
    void theEndOfInputDoesNotWaitWhenNothingIsHeld() throws Exception {
        gate.order(emitAll(1)).records(1).finish();
        assertEquals(0, gate.link.asked.size());
    }
}
