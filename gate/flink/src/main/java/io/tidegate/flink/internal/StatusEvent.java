package io.tidegate.flink.internal;

import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/** A subtask's status on its way to the agent; its content is the native side's own affair. */
final class StatusEvent implements OperatorEvent {
    private static final long serialVersionUID = 1L;

    final byte[] status;

    StatusEvent(byte[] status) {
        this.status = status;
    }

    @Override
    public String toString() {
        return "subtask status";
    }
}
