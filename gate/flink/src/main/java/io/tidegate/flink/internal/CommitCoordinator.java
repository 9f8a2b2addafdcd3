package io.tidegate.flink.internal;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/** Tells the job's agent what the committers behind a gate have committed. */
final class CommitCoordinator implements OperatorCoordinator {

    static final class Provider implements OperatorCoordinator.Provider {
        private static final long serialVersionUID = 1L;

        private final OperatorID operator;
        private final String gate;
        private final Settings settings;
        private final List<String> gates;

        /**
         * @param gates all gates of the job
         */
        Provider(OperatorID operator, String gate, Settings settings, List<String> gates) {
            this.operator = operator;
            this.gate = gate;
            this.settings = settings;
            this.gates = gates;
        }

        @Override
        public OperatorID getOperatorId() {
            return operator;
        }

        @Override
        public OperatorCoordinator create(Context context) {
            return new CommitCoordinator(context, gate, settings, gates);
        }
    }

    private final Context context;
    private final String gate;
    private final Settings settings;
    private final List<String> gates;

    private boolean started;

    /** Null before start(), when that failed, and after close(). */
    private volatile JobAgent agent;

    private CommitCoordinator(Context context, String gate, Settings settings, List<String> gates) {
        this.context = context;
        this.gate = gate;
        this.settings = settings;
        this.gates = gates;
    }

    /** Throws nothing: an exception from here would end the JobManager's process. */
    @Override
    public void start() {
        started = true;
        try {
            JobAgent acquired = JobAgent.acquire(context, settings, gates);
            agent = acquired;
            acquired.announce(AgentEvent.committersOpened(gate, context.currentParallelism()));
        } catch (Throwable failure) {
            context.failJob(failure);
        }
    }

    @Override
    public void close() throws Exception {
        JobAgent closing = agent;
        agent = null;
        if (closing != null) {
            closing.release(context);
        }
    }

    @Override
    public void handleEventFromOperator(int subtask, int attempt, OperatorEvent event) {
        CommittedEvent committed = (CommittedEvent) event;
        JobAgent present = agent;
        if (present != null) {
            present.tell(AgentEvent.committed(gate, committed.committer, committed.checkpoint));
        }
    }

    @Override
    public void checkpointCoordinator(long checkpointId, CompletableFuture<byte[]> result) {
        result.complete(new byte[0]);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {}

    @Override
    public void resetToCheckpoint(long checkpointId, byte[] checkpointData) throws Exception {
        JobAgent present = agent;
        if (present != null) {
            present.recover();
        } else if (started) {
            start();
        }
    }

    @Override
    public void subtaskReset(int subtask, long checkpointId) {}

    @Override
    public void executionAttemptFailed(int subtask, int attempt, Throwable reason) {}

    @Override
    public void executionAttemptReady(int subtask, int attempt, SubtaskGateway gateway) {}
}
