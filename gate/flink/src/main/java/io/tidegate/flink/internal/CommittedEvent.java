package io.tidegate.flink.internal;

import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/** A committer subtask has committed a checkpoint. */
final class CommittedEvent implements OperatorEvent {
    private static final long serialVersionUID = 1L;

    final int committer;
    final long checkpoint;

    CommittedEvent(int committer, long checkpoint) {
        this.committer = committer;
        this.checkpoint = checkpoint;
    }

    @Override
    public String toString() {
        return "committer " + committer + " committed checkpoint " + checkpoint;
    }
}
