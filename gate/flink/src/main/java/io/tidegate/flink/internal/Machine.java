package io.tidegate.flink.internal;

/**
 * One subtask's machine, which decides what becomes of a record. {@link Native} has the meaning of
 * each call, of its result and of {@code out}; whoever implements this passes the calls on and
 * decides nothing.
 *
 * <p>Errors are {@link io.tidegate.flink.TidegateException}s. Calls belong to the task's thread.
 */
interface Machine extends AutoCloseable {

    void restore(byte[][] headers, long[] heldTimes, int[] heldBytes, long[] out);

    int admit(long timestamp, int bytes, long[] out);

    void heldBytes(int bytes);

    boolean isFull();

    void account(long emitted, long emittedHigh, long discarded, long discardedHigh);

    long watermark(long watermark, long[] out);

    boolean idle(boolean idle);

    byte[] order(byte[] order, long[] out);

    byte[] snapshot(long checkpointId);

    boolean finish();

    byte[] status();

    byte[] counters();

    /** May be called twice, and never throws. */
    @Override
    void close();
}
