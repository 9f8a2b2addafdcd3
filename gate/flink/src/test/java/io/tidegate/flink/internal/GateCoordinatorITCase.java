package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.Eventually;
import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateException;
import io.tidegate.flink.TidegateOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.CoordinatorStore;
import org.apache.flink.runtime.operators.coordination.MockOperatorCoordinatorContext;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A gate's coordinator with the real agent and a directory as store. */
@Timeout(60)
class GateCoordinatorITCase {
    @TempDir Path folder;

    private final OperatorID operator = new OperatorID();
    private final MockOperatorCoordinatorContext context =
            new MockOperatorCoordinatorContext(operator, 1, getClass().getClassLoader());
    private final TestingGateway gateway = new TestingGateway(0);
    private OperatorCoordinator coordinator;

    @BeforeEach
    void create() throws Exception {
        coordinator = create(folder);
    }

    @AfterEach
    void close() throws Exception {
        coordinator.close();
    }

    private OperatorCoordinator create(Path store) throws Exception {
        Configuration config = TestingOptions.blue();
        config.set(TidegateOptions.STORE, "directory://" + store);
        return new GateCoordinator.Provider(
                        operator,
                        "gate",
                        Evidence.CHECKPOINT,
                        new Settings(config),
                        List.of("gate"))
                .create(context);
    }

    /** A subtask as the coordinator sees it: its first status makes the member known. */
    private void ready(TestingGate subtask) {
        coordinator.executionAttemptReady(0, 0, gateway);
        subtask.link.statuses.forEach(this::tell);
    }

    private void tell(StatusEvent status) {
        try {
            coordinator.handleEventFromOperator(0, 0, status);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void theFirstMemberOfARolloutIsOrderedToEmit() throws Exception {
        coordinator.start();
        try (TestingGate subtask = TestingGate.fresh()) {
            subtask.records(1, 2);
            ready(subtask);
            Eventually.becomes(
                    "emitting",
                    () -> {
                        OrderEvent order = gateway.sent.poll(100, TimeUnit.MILLISECONDS);
                        return order == null ? List.of() : subtask.order(order).out();
                    },
                    List.of(1L, 2L)::equals);
        }
        assertFalse(context.isJobFailed());
    }

    @Test
    void aStoreThatIsNotThereFailsTheJobAndNotTheProcess() throws Exception {
        Path missing = folder.resolve("missing");
        coordinator = create(missing);
        coordinator.start();
        assertTrue(context.isJobFailed());
        assertTrue(context.getJobFailureReason() instanceof TidegateException);
        assertTrue(context.getJobFailureReason().getMessage().startsWith("StoreMissing"));
        Files.createDirectories(missing);
        coordinator.resetToCheckpoint(OperatorCoordinator.NO_CHECKPOINT, null);
        try (TestingGate subtask = TestingGate.fresh()) {
            ready(subtask);
            assertNotNull(gateway.sent.poll(30, TimeUnit.SECONDS), "it was not started again");
        }
    }

    @Test
    void aFreshInstanceMayBeResetBeforeItsStart() throws Exception {
        coordinator.resetToCheckpoint(7, new byte[0]);
        coordinator.start();
        assertFalse(context.isJobFailed());
    }

    /** F4: a thread that outlives the job would run in an unmapped library. */
    @Test
    void closingTwiceIsAllowedAndLeavesNoThread() throws Exception {
        coordinator.start();
        assertEquals(1, agentThreads());
        coordinator.close();
        coordinator.close();
        assertEquals(0, agentThreads());
    }

    @Test
    void theCoordinatorsOfAJobShareOneAgent() throws Exception {
        coordinator.start();
        OperatorCoordinator committers =
                new CommitCoordinator.Provider(
                                operator,
                                "gate",
                                new Settings(
                                        TestingOptions.blue()
                                                .set(
                                                        TidegateOptions.STORE,
                                                        "directory://" + folder)),
                                List.of("gate"))
                        .create(new SharingContext(operator, getClass().getClassLoader(), context));
        committers.start();
        assertEquals(1, agentThreads());
        coordinator.close();
        assertEquals(1, agentThreads(), "the other one still needs it");
        committers.close();
        assertEquals(0, agentThreads());
    }

    private static long agentThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("tidegate-agent"))
                .count();
    }

    /** Of the same execution graph as another one. */
    private static final class SharingContext extends MockOperatorCoordinatorContext {
        private final MockOperatorCoordinatorContext other;

        SharingContext(
                OperatorID operator, ClassLoader loader, MockOperatorCoordinatorContext other) {
            super(operator, 1, loader);
            this.other = other;
        }

        @Override
        public CoordinatorStore getCoordinatorStore() {
            return other.getCoordinatorStore();
        }
    }
}
