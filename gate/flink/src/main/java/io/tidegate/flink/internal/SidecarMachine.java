package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A subtask's machine in a sidecar. Each call waits for its answer, apart from those that have
 * none: they go with the next one. Without an answer the task fails: nothing is decided here.
 */
final class SidecarMachine implements Machine {
    static final byte OPEN = 1;

    private static final byte RESTORE = 10;
    private static final byte ADMIT = 11;
    private static final byte HELD_BYTES = 12;
    private static final byte FULL = 13;
    private static final byte ACCOUNT = 14;
    private static final byte WATERMARK = 15;
    private static final byte IDLE = 16;
    private static final byte ORDER = 17;
    private static final byte SNAPSHOT = 18;
    private static final byte FINISH = 19;
    private static final byte STATUS = 20;
    private static final byte COUNTERS = 21;

    /** The task's thread may wait for a sidecar that starts beside it. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final Duration ANSWER = Duration.ofSeconds(30);
    private static final int USUAL = 4 << 10;

    /** In front of each call: its length and its number. */
    private static final int HEAD = Integer.BYTES + 1;

    private final SidecarConnection connection;
    private boolean closed;

    /** Calls that have not been sent yet. */
    private ByteBuffer calls = ByteBuffer.allocate(USUAL);

    SidecarMachine(Path sidecar, byte[] config) {
        connection = SidecarConnection.open(sidecar, PATIENCE, ANSWER, OPEN, config);
    }

    @Override
    public void restore(byte[][] headers, long[] heldTimes, int[] heldBytes, long[] out) {
        checkRoom(out);
        int length = 3 * Integer.BYTES;
        for (byte[] header : headers) {
            length = Math.addExact(length, Integer.BYTES + header.length);
        }
        length = Math.addExact(length, Math.multiplyExact(heldTimes.length, Long.BYTES));
        length = Math.addExact(length, Math.multiplyExact(heldBytes.length, Integer.BYTES));
        ByteBuffer call = call(RESTORE, length).putInt(headers.length);
        for (byte[] header : headers) {
            call.putInt(header.length).put(header);
        }
        call.putInt(heldTimes.length);
        for (long time : heldTimes) {
            call.putLong(time);
        }
        call.putInt(heldBytes.length);
        for (int size : heldBytes) {
            call.putInt(size);
        }
        ask(out);
    }

    @Override
    public int admit(long timestamp, int bytes, long[] out) {
        checkRoom(out);
        call(ADMIT, Long.BYTES + Integer.BYTES).putLong(timestamp).putInt(bytes);
        return (int) ask(out).value;
    }

    @Override
    public void heldBytes(int bytes) {
        call(HELD_BYTES, Integer.BYTES).putInt(bytes);
    }

    @Override
    public boolean isFull() {
        call(FULL, 0);
        return ask(null).value != 0;
    }

    @Override
    public void account(long emitted, long emittedHigh, long discarded, long discardedHigh) {
        ByteBuffer call = call(ACCOUNT, 4 * Long.BYTES).putLong(emitted).putLong(emittedHigh);
        call.putLong(discarded).putLong(discardedHigh);
    }

    @Override
    public long watermark(long watermark, long[] out) {
        checkRoom(out);
        call(WATERMARK, Long.BYTES).putLong(watermark);
        return ask(out).value;
    }

    @Override
    public boolean idle(boolean idle) {
        call(IDLE, 1).put((byte) (idle ? 1 : 0));
        return ask(null).value != 0;
    }

    @Override
    public byte[] order(byte[] order, long[] out) {
        checkRoom(out);
        call(ORDER, order.length).put(order);
        return ask(out).bytes;
    }

    @Override
    public byte[] snapshot(long checkpointId) {
        call(SNAPSHOT, Long.BYTES).putLong(checkpointId);
        return ask(null).bytes;
    }

    @Override
    public boolean finish() {
        call(FINISH, 0);
        return ask(null).value != 0;
    }

    @Override
    public byte[] status() {
        call(STATUS, 0);
        return ask(null).bytes;
    }

    @Override
    public byte[] counters() {
        call(COUNTERS, 0);
        return ask(null).bytes;
    }

    @Override
    public void close() {
        closed = true;
        connection.close();
    }

    /** The machine must not be ahead of its caller. */
    private static void checkRoom(long[] out) {
        if (out.length < Native.OUT_LENGTH) {
            throw new TidegateException(
                    String.format(
                            "BadCall: out has room for %d numbers, and %d are needed",
                            out.length, Native.OUT_LENGTH));
        }
    }

    /** Begins a call; its fields are to be put into the buffer. */
    private ByteBuffer call(byte number, int length) {
        if (closed) {
            throw new TidegateException("HandleClosed: this subtask's machine is not open");
        }
        if (calls.remaining() < HEAD + length) {
            int needed = Math.addExact(calls.position(), Math.addExact(HEAD, length));
            calls = ByteBuffer.allocate(Math.max(2 * USUAL, needed)).put(calls.flip());
        }
        return calls.putInt(1 + length).put(number);
    }

    private Answer ask(long[] out) {
        connection.send(calls.flip(), ANSWER);
        calls = calls.capacity() > 16 * USUAL ? ByteBuffer.allocate(USUAL) : calls.clear();
        return new Answer(connection.answer(ANSWER), out);
    }

    private static final class Answer {
        final long value;
        final byte[] bytes;

        Answer(ByteBuffer payload, long[] out) {
            if (payload.remaining() < (1 + Native.OUT_LENGTH) * Long.BYTES) {
                throw new TidegateException("BridgeMessage: an answer of the sidecar is too short");
            }
            value = payload.getLong();
            for (int index = 0; index < Native.OUT_LENGTH; index++) {
                long number = payload.getLong();
                if (out != null) {
                    out[index] = number;
                }
            }
            bytes = new byte[payload.remaining()];
            payload.get(bytes);
        }
    }
}
