package io.tidegate.flink.internal;

/** A subtask's machine in the native library, in this JVM. */
final class NativeMachine implements Machine {
    private final long handle;

    NativeMachine(byte[] config) {
        NativeLibrary.load();
        handle = Native.subtaskOpen(config);
    }

    @Override
    public void restore(byte[][] headers, long[] heldTimes, int[] heldBytes, long[] out) {
        Native.subtaskRestore(handle, headers, heldTimes, heldBytes, out);
    }

    @Override
    public int admit(long timestamp, int bytes, long[] out) {
        return Native.subtaskAdmit(handle, timestamp, bytes, out);
    }

    @Override
    public void heldBytes(int bytes) {
        Native.subtaskHeldBytes(handle, bytes);
    }

    @Override
    public boolean isFull() {
        return Native.subtaskFull(handle);
    }

    @Override
    public void account(long emitted, long emittedHigh, long discarded, long discardedHigh) {
        Native.subtaskAccount(handle, emitted, emittedHigh, discarded, discardedHigh);
    }

    @Override
    public long watermark(long watermark, long[] out) {
        return Native.subtaskWatermark(handle, watermark, out);
    }

    @Override
    public boolean idle(boolean idle) {
        return Native.subtaskIdle(handle, idle);
    }

    @Override
    public byte[] order(byte[] order, long[] out) {
        return Native.subtaskOrder(handle, order, out);
    }

    @Override
    public byte[] snapshot(long checkpointId) {
        return Native.subtaskSnapshot(handle, checkpointId);
    }

    @Override
    public boolean finish() {
        return Native.subtaskFinish(handle);
    }

    @Override
    public byte[] status() {
        return Native.subtaskStatus(handle, 0);
    }

    @Override
    public byte[] counters() {
        return Native.subtaskCounters(handle);
    }

    @Override
    public void close() {
        Native.subtaskClose(handle);
    }
}
