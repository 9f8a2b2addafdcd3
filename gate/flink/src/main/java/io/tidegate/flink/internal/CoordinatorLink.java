package io.tidegate.flink.internal;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.jobgraph.tasks.TaskOperatorEventGateway;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.apache.flink.util.SerializedValue;

/** A subtask's way to its coordinator. */
interface CoordinatorLink {

    void send(StatusEvent status);

    /** Completes, also with a failure, in some thread of Flink's. */
    CompletableFuture<CoordinationResponse> ask(OrderRequest request);

    /** The link over Flink's RPC. */
    static CoordinatorLink of(TaskOperatorEventGateway gateway, OperatorID operator) {
        return new CoordinatorLink() {
            @Override
            public void send(StatusEvent status) {
                try {
                    gateway.sendOperatorEventToCoordinator(operator, new SerializedValue<>(status));
                } catch (IOException e) {
                    throw new IllegalStateException(e); // bytes can be serialized
                }
            }

            @Override
            public CompletableFuture<CoordinationResponse> ask(OrderRequest request) {
                try {
                    return gateway.sendRequestToCoordinator(
                            operator, new SerializedValue<>(request));
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
        };
    }
}
