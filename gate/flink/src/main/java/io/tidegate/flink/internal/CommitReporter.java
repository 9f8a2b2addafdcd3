package io.tidegate.flink.internal;

import java.util.concurrent.RejectedExecutionException;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.runtime.operators.coordination.OperatorEventGateway;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.CommittableSummary;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.StreamTask;

/**
 * Stands behind a sink's committer and tells which checkpoints it has committed. Stateless.
 *
 * <p>What it relies on, in the sources of 1.20.3 and 2.3.0 alike:
 *
 * <ul>
 *   <li>SinkWriterOperator#prepareSnapshotPreBarrier sends the committer a CommittableSummary for
 *       every checkpoint, also one of zero committables.
 *   <li>CommitterOperator#notifyCheckpointComplete(n) goes through all checkpoints up to n in
 *       order, those of savepoints and of missed notifications included. For each it first commits
 *       (CheckpointCommittableManagerImpl#commit repeats what asked for it and throws when
 *       something is left after the last retry, which fails the task), then emits one summary. So a
 *       summary for n comes only after n and everything before it was committed, and comes for
 *       empty checkpoints too.
 *   <li>A savepoint commits nothing and emits nothing; its committables come with the next
 *       completed checkpoint. Stop-with-savepoint notifies, so its summary comes before the task
 *       ends.
 *   <li>After a restore the committer commits again while it initializes and emits summaries then.
 *       On a change of parallelism not every subtask has something to commit again; each has by the
 *       next checkpoint.
 *   <li>A committable that the committer gave up ({@code signalFailedWithKnownReason}) counts as
 *       done, as everywhere in Flink; the committer logs the loss.
 * </ul>
 *
 * <p>A sink with a pre-commit topology may send all committables to one committer; the others then
 * see no summary, ever. So there is a second way, when this operator is chained to the committer
 * (it is, unless chaining is switched off): a chain is notified of a completed checkpoint from its
 * tail to its head within one mail, so a mail of our own, put into the mailbox when we are
 * notified, runs after the committer has committed. If the committer throws, the task fails and it
 * never runs.
 *
 * <p>At the end of the input SinkWriterOperator sends what is left as that of the checkpoint after
 * its last one, and nothing for those that follow; when that checkpoint fails, the summary bears
 * too low a number. For a chain the mail tells the right one. Otherwise the end of the task does: a
 * task ends well only after its last checkpoint has completed, and the committer's task ends before
 * this one, so that all there will ever be is committed.
 */
final class CommitReporter<CommT> extends AbstractStreamOperator<Void>
        implements OneInputStreamOperator<CommittableMessage<CommT>, Void>, BoundedOneInput {
    private static final long serialVersionUID = 1L;

    private final MailboxExecutor mailbox;
    private final OperatorEventGateway coordinator;
    private long reported;
    private long completed;
    private boolean ended;

    CommitReporter(StreamOperatorParameters<Void> parameters, OperatorEventGateway coordinator) {
        setup(parameters.getContainingTask(), parameters.getStreamConfig(), parameters.getOutput());
        this.processingTimeService = parameters.getProcessingTimeService();
        this.mailbox = parameters.getMailboxExecutor();
        this.coordinator = coordinator;
    }

    @Override
    public void processElement(StreamRecord<CommittableMessage<CommT>> element) {
        if (element.getValue() instanceof CommittableSummary) {
            CommittableSummary<CommT> summary = (CommittableSummary<CommT>) element.getValue();
            report(summary.getSubtaskId(), summary.getCheckpointIdOrEOI());
        }
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) throws Exception {
        super.notifyCheckpointComplete(checkpointId);
        completed = checkpointId;
        if (!getOperatorConfig().isChainStart()) {
            try {
                mailbox.execute(() -> report(subtask(), checkpointId), "tidegate: committed");
            } catch (RejectedExecutionException closing) {
                // The task has come to its end, and its mailbox takes nothing more. The checkpoint
                // that covers its last record was told before: a task waits for it to end.
                LOG.debug("checkpoint {} completed after the end of the task", checkpointId);
            }
        }
    }

    @Override
    public void endInput() {
        ended = true;
    }

    @Override
    public void close() throws Exception {
        StreamTask<?, ?> task = getContainingTask();
        if (ended && !task.isCanceled() && !task.isFailing()) {
            report(subtask(), completed);
        }
        super.close();
    }

    private int subtask() {
        return getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
    }

    private void report(int committer, long checkpoint) {
        // the end of input (EOI) is no checkpoint; it only comes without checkpointing
        if (checkpoint > reported && checkpoint != CommittableMessage.EOI) {
            reported = checkpoint;
            coordinator.sendEventToCoordinator(new CommittedEvent(committer, checkpoint));
        }
    }
}
