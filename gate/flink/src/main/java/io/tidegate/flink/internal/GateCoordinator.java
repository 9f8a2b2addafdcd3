package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.CoordinationRequest;
import org.apache.flink.runtime.operators.coordination.CoordinationRequestHandler;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A gate's coordinator in the JobManager: carries orders down and statuses up between the subtasks
 * and the job's agent, and tells the agent which subtasks there are. It decides nothing and keeps
 * no state of its own in checkpoints: after a restart the agent reads the document again.
 */
final class GateCoordinator implements OperatorCoordinator, CoordinationRequestHandler {

    static final class Provider implements OperatorCoordinator.Provider {
        private static final long serialVersionUID = 1L;

        private final OperatorID operator;
        private final String gate;
        private final Evidence evidence;
        private final Settings settings;
        private final List<String> gates;

        /**
         * @param gates all gates of the job
         */
        Provider(
                OperatorID operator,
                String gate,
                Evidence evidence,
                Settings settings,
                List<String> gates) {
            this.operator = operator;
            this.gate = gate;
            this.evidence = evidence;
            this.settings = settings;
            this.gates = gates;
        }

        @Override
        public OperatorID getOperatorId() {
            return operator;
        }

        @Override
        public OperatorCoordinator create(Context context) {
            return new GateCoordinator(context, gate, evidence, settings, gates);
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(GateCoordinator.class);

    private final Context context;
    private final String gate;
    private final Evidence evidence;
    private final Settings settings;
    private final List<String> gates;
    private final Subtasks subtasks = new Subtasks();

    private boolean started;

    /** Null before start(), when that failed, and after close(). */
    private volatile JobAgent agent;

    private GateCoordinator(
            Context context,
            String gate,
            Evidence evidence,
            Settings settings,
            List<String> gates) {
        this.context = context;
        this.gate = gate;
        this.evidence = evidence;
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
            acquired.serve(gate, this);
            acquired.announce(AgentEvent.gateOpened(gate, context.currentParallelism(), evidence));
            acquired.awaitVerdict();
        } catch (Throwable failure) {
            LOG.error("gate {} cannot start the agent of its job", gate, failure);
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

    // ---------------------------------------------------------------- from the subtasks

    @Override
    public void handleEventFromOperator(int subtask, int attempt, OperatorEvent event) {
        tell(AgentEvent.subtaskStatus(gate, subtask, attempt, ((StatusEvent) event).status));
    }

    @Override
    public CompletableFuture<CoordinationResponse> handleCoordinationRequest(
            CoordinationRequest request) {
        OrderRequest asked = (OrderRequest) request;
        CompletableFuture<CoordinationResponse> answer = subtasks.ask(asked);
        JobAgent present = agent;
        if (present == null) {
            // not an empty answer: the subtask would ask again at once
            answer.completeExceptionally(
                    new TidegateException("AgentAway: the job has no agent at present"));
        } else if (!answer.isDone()) {
            present.later(asked.patienceMs, () -> answer.complete(OrderAnswer.none()));
        }
        return answer;
    }

    @Override
    public void executionAttemptReady(int subtask, int attempt, SubtaskGateway gateway) {
        subtasks.ready(subtask, attempt, gateway);
        tell(AgentEvent.subtaskReady(gate, subtask, attempt, context.currentParallelism()));
    }

    @Override
    public void executionAttemptFailed(int subtask, int attempt, Throwable reason) {
        gone(subtask);
    }

    @Override
    public void subtaskReset(int subtask, long checkpointId) {
        gone(subtask);
    }

    private void gone(int subtask) {
        if (subtasks.gone(subtask)) {
            tell(AgentEvent.subtaskGone(gate, subtask));
        }
    }

    // ---------------------------------------------------------------- from the agent

    void order(int subtask, int attempt, OrderEvent order) {
        subtasks.order(subtask, attempt, order);
    }

    // ---------------------------------------------------------------- checkpoints

    @Override
    public void checkpointCoordinator(long checkpointId, CompletableFuture<byte[]> result) {
        result.complete(new byte[0]);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        tell(AgentEvent.checkpointCompleted(gate, checkpointId));
    }

    /**
     * On a fresh instance before start(), where there is nothing to do; on a running one at a
     * global failover, when all subtasks are gone.
     */
    @Override
    public void resetToCheckpoint(long checkpointId, byte[] checkpointData) throws Exception {
        subtasks.clear();
        JobAgent present = agent;
        if (present != null) {
            present.recover();
            present.tell(AgentEvent.reset(gate));
        } else if (started) {
            start();
        }
    }

    private void tell(byte[] event) {
        JobAgent present = agent;
        if (present != null) {
            present.tell(event);
        }
    }
}
