package io.tidegate.flink.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.messages.Acknowledge;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator.SubtaskGateway;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/** A way to a subtask that keeps what is sent. */
final class TestingGateway implements SubtaskGateway {
    final BlockingQueue<OrderEvent> sent = new LinkedBlockingQueue<>();
    boolean refusing;
    boolean losing;
    private final int subtask;

    TestingGateway(int subtask) {
        this.subtask = subtask;
    }

    List<Long> serials() {
        List<Long> serials = new ArrayList<>();
        sent.forEach(order -> serials.add(order.serial));
        return serials;
    }

    @Override
    public CompletableFuture<Acknowledge> sendEvent(OperatorEvent event) {
        if (refusing) {
            throw new IllegalStateException("not running yet");
        }
        sent.add((OrderEvent) event);
        return losing
                ? CompletableFuture.failedFuture(new IllegalStateException("lost"))
                : CompletableFuture.completedFuture(Acknowledge.get());
    }

    @Override
    public ExecutionAttemptID getExecution() {
        return ExecutionAttemptID.randomId();
    }

    @Override
    public int getSubtask() {
        return subtask;
    }
}
