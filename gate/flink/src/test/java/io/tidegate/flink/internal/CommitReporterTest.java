package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.operators.coordination.OperatorEventGateway;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.CommittableSummary;
import org.apache.flink.streaming.api.connector.sink2.CommittableWithLineage;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CommitReporterTest {
    private final List<String> told = new ArrayList<>();
    private OneInputStreamOperatorTestHarness<CommittableMessage<String>, Void> harness;

    @BeforeEach
    void open() throws Exception {
        harness =
                new OneInputStreamOperatorTestHarness<>(
                        new Factory(event -> told.add(event.toString())));
        harness.open();
    }

    @AfterEach
    void close() throws Exception {
        harness.close();
    }

    @Test
    void aSummaryIsTheEvidenceAlsoOfAnEmptyCheckpoint() throws Exception {
        summary(7, 0);
        summary(8, 1);
        harness.processElement(
                new StreamRecord<>(new CommittableWithLineage<>("transaction", 8, 3)));
        assertEquals(
                List.of("committer 3 committed checkpoint 7", "committer 3 committed checkpoint 8"),
                told);
    }

    @Test
    void nothingIsToldTwice() throws Exception {
        summary(7, 1);
        summary(7, 1);
        summary(6, 1);
        assertEquals(List.of("committer 3 committed checkpoint 7"), told);
    }

    /**
     * P6: it is notified before the committer, so it may only tell when that notification is over.
     */
    @Test
    void aCompletedCheckpointIsToldAfterTheChainHasBeenNotified() throws Exception {
        harness.notifyOfCompletedCheckpoint(9);
        assertEquals(List.of(), told);
        runMails();
        assertEquals(List.of("committer 0 committed checkpoint 9"), told);
    }

    /** A task that ends takes no more mail, and must not fail for that. */
    @Test
    void aCheckpointThatCompletesAfterTheEndIsNoFailure() throws Exception {
        harness.getTaskMailbox().quiesce();
        harness.notifyOfCompletedCheckpoint(9);
        assertEquals(List.of(), told);
    }

    @Test
    void withoutAChainOnlySummariesCount() throws Exception {
        harness.getStreamConfig().setChainStart();
        harness.notifyOfCompletedCheckpoint(9);
        runMails();
        assertEquals(List.of(), told);
    }

    /** The summary of the end of the input is numbered as if checkpoint 9 had not failed. */
    @Test
    void withoutAChainTheEndOfTheTaskCountsToo() throws Exception {
        harness.getStreamConfig().setChainStart();
        harness.endInput();
        harness.notifyOfCompletedCheckpoint(10);
        summary(9, 1);
        assertEquals(List.of("committer 3 committed checkpoint 9"), told);
        harness.close();
        assertEquals(
                List.of(
                        "committer 3 committed checkpoint 9",
                        "committer 0 committed checkpoint 10"),
                told);
    }

    @Test
    void aTaskThatIsClosedBeforeItsInputEndsTellsNothing() throws Exception {
        harness.getStreamConfig().setChainStart();
        harness.notifyOfCompletedCheckpoint(10);
        harness.close();
        assertEquals(List.of(), told);
    }

    private void runMails() throws Exception {
        while (harness.getTaskMailbox().hasMail()) {
            harness.getTaskMailbox().take(TaskMailbox.MIN_PRIORITY).run();
        }
    }

    private void summary(long checkpoint, int committables) throws Exception {
        harness.processElement(
                new StreamRecord<>(
                        new CommittableSummary<>(3, 4, checkpoint, committables, committables, 0)));
    }

    private static final class Factory extends AbstractStreamOperatorFactory<Void>
            implements OneInputStreamOperatorFactory<CommittableMessage<String>, Void> {
        private static final long serialVersionUID = 1L;

        private final transient OperatorEventGateway coordinator;

        Factory(OperatorEventGateway coordinator) {
            this.coordinator = coordinator;
        }

        @Override
        @SuppressWarnings("unchecked")
        public <O extends StreamOperator<Void>> O createStreamOperator(
                StreamOperatorParameters<Void> parameters) {
            return (O) new CommitReporter<String>(parameters, coordinator);
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
            return CommitReporter.class;
        }
    }
}
