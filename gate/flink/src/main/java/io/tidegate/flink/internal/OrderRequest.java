package io.tidegate.flink.internal;

import org.apache.flink.runtime.operators.coordination.CoordinationRequest;

/**
 * A waiting subtask asks for the first order that is newer than the one it has. Operator events
 * cannot reach it: they have the mailbox's lowest priority, and it yields at its own.
 */
final class OrderRequest implements CoordinationRequest {
    private static final long serialVersionUID = 1L;

    final int subtask;
    final int attempt;

    /** The serial of the last order that was applied, or {@link Native#NONE}. */
    final long serial;

    /** After this many milliseconds the answer is that there is none. */
    final long patienceMs;

    OrderRequest(int subtask, int attempt, long serial, long patienceMs) {
        this.subtask = subtask;
        this.attempt = attempt;
        this.serial = serial;
        this.patienceMs = patienceMs;
    }
}
