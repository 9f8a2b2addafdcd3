package io.tidegate.flink.internal;

/**
 * The native library's calls. {@link NativeLibrary#load()} must have returned before the first one.
 *
 * <p>All byte arrays are UTF-8 JSON. Every call turns errors and panics into a {@link
 * io.tidegate.flink.TidegateException}, also the use of a closed handle; closing twice is allowed.
 * A subtask's calls belong to its task's thread.
 *
 * <p>{@code out} is an array of five longs that the caller owns: {@code out[0] <= ts < out[1]} is
 * the lease, in which every record has the disposition {@code out[2]} and is told only in sums;
 * {@code out[3]} and {@code out[4]} belong to single calls.
 */
final class Native {
    static final int HOLD = 0;
    static final int EMIT = 1;
    static final int DISCARD = 2;
    static final int LATE_EMIT = 3;
    static final int LATE_DROP = 4;

    /** Of a held record only: it was held by another member, and waits for whose it is. */
    static final int HOLD_INHERITED = 5;

    static final int LATE_SIDE_OUTPUT = 6;
    static final int LATE_DISCARD = 7;

    static final int OUT_LENGTH = 5;

    /** No timestamp, no watermark, no high. */
    static final long NONE = Long.MIN_VALUE;

    static native long subtaskOpen(byte[] config);

    static native void subtaskClose(long handle);

    /**
     * Once, before anything else, also when nothing is restored.
     *
     * @param headers all headers of all old subtasks
     * @param heldTimes the event times of this subtask's part of the held records, in order
     * @param heldBytes their serialized sizes, negative for a record that was inherited when the
     *     snapshot was taken
     * @param out {@code out[3]} = 1 when the snapshot is another member's: all records are
     *     inherited
     */
    static native void subtaskRestore(
            long handle, byte[][] headers, long[] heldTimes, int[] heldBytes, long[] out);

    /**
     * One record outside of the lease.
     *
     * @param timestamp {@link #NONE} when the record has none
     * @return its disposition; {@code out[3]} = the event time that it counts with
     */
    static native int subtaskAdmit(long handle, long timestamp, int bytes, long[] out);

    /** The size of the record that was just held. */
    static native void subtaskHeldBytes(long handle, int bytes);

    /** The bound is reached: wait for the next order. */
    static native boolean subtaskFull(long handle);

    /** What passed inside the lease since the last call; before every other subtask call. */
    static native void subtaskAccount(
            long handle, long emitted, long emittedHigh, long discarded, long discardedHigh);

    /**
     * @return the watermark to forward now, or {@link #NONE}
     */
    static native long subtaskWatermark(long handle, long watermark, long[] out);

    /**
     * @return whether to forward this status now
     */
    static native boolean subtaskIdle(long handle, boolean idle);

    /**
     * @return one disposition per held record, in arrival order; {@code out[3]} = the watermark to
     *     forward after the released records, {@code out[4]} = 1 when idleness follows it
     */
    static native byte[] subtaskOrder(long handle, byte[] order, long[] out);

    /**
     * @return the header to store
     */
    static native byte[] subtaskSnapshot(long handle, long checkpointId);

    /**
     * @return whether the input may end; if not, wait for an order and ask again
     */
    static native boolean subtaskFinish(long handle);

    static native byte[] subtaskStatus(long handle, long nowMs);

    static native byte[] subtaskCounters(long handle);

    static native long agentOpen(byte[] config);

    /** Blocks, and drives the agent; null after {@link #agentClose}. One thread only. */
    static native byte[] agentNext(long handle);

    /** From any thread; never blocks. */
    static native void agentTell(long handle, byte[] event);

    static native void agentClose(long handle);

    /** After the thread in {@link #agentNext} has returned. */
    static native void agentFree(long handle);

    private Native() {}
}
