package io.tidegate.flink.internal;

import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/** An order on its way to a subtask. */
final class OrderEvent implements OperatorEvent {
    private static final long serialVersionUID = 1L;

    final long serial;
    final byte[] order;

    OrderEvent(long serial, byte[] order) {
        this.serial = serial;
        this.order = order;
    }

    /** A subtask that is not running needs no order; a restarted one is sent the newest again. */
    @Override
    public boolean isLossTolerant() {
        return true;
    }

    @Override
    public String toString() {
        return "order " + serial;
    }
}
