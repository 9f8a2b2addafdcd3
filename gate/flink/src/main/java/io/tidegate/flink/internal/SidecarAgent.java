package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A member's agent in a sidecar. The thread in {@link #next} does all that is done with the
 * connection, and notices at once when it breaks; what the agent is told waits in a queue for it.
 */
final class SidecarAgent implements MemberAgent {
    private static final byte OPEN = 2;
    private static final byte NEXT = 30;
    private static final byte TELL = 31;
    private static final byte END = 32;

    /** Opened in the JobManager's main thread, which must not wait for long. */
    private static final Duration PATIENCE = Duration.ofSeconds(1);

    private static final Duration ANSWER = Duration.ofSeconds(5);

    /** The last round on the store takes some seconds at most. */
    private static final long LAST_ROUND_NANOS = 10_000_000_000L;

    /** So much is told in seconds, and then nobody listens. */
    private static final int QUEUE = 50_000;

    private static final int VALUES = (1 + Native.OUT_LENGTH) * Long.BYTES;

    private final SidecarConnection connection;
    private final LinkedBlockingQueue<ByteBuffer> told = new LinkedBlockingQueue<>(QUEUE);
    private volatile boolean overrun;

    /** From {@link System#nanoTime}; 0: the job has not ended. */
    private volatile long deadline;

    /** The frame that is being sent; touched by the thread in next only. */
    private ByteBuffer sending = ByteBuffer.allocate(0);

    SidecarAgent(Path sidecar, byte[] config) {
        connection = SidecarConnection.open(sidecar, PATIENCE, ANSWER, OPEN, config);
    }

    @Override
    public byte[] next() {
        put(frame(NEXT, new byte[0]));
        ByteBuffer answer = connection.poll();
        while (answer == null) {
            check();
            boolean all = sendTold();
            connection.await(!all, patience());
            answer = connection.poll();
        }
        if (answer.remaining() < VALUES) {
            throw new TidegateException("BridgeMessage: an answer of the sidecar is too short");
        }
        boolean ended = answer.getLong() == 0;
        if (ended && deadline == 0) {
            throw new TidegateException("SidecarLost: the agent has ended before its job");
        }
        byte[] instruction = new byte[answer.remaining() - VALUES + Long.BYTES];
        answer.position(answer.limit() - instruction.length).get(instruction);
        return ended ? null : instruction;
    }

    @Override
    public void tell(byte[] event) {
        put(frame(TELL, event));
    }

    @Override
    public void end() {
        put(frame(END, new byte[0]));
        long now = System.nanoTime() + LAST_ROUND_NANOS;
        deadline = now == 0 ? 1 : now;
        connection.wake();
    }

    @Override
    public void close() {
        connection.close();
    }

    private void put(ByteBuffer frame) {
        if (!told.offer(frame)) {
            overrun = true;
        }
        connection.wake();
    }

    private static ByteBuffer frame(byte call, byte[] body) {
        return ByteBuffer.allocate(Integer.BYTES + 1 + body.length)
                .putInt(1 + body.length)
                .put(call)
                .put(body)
                .flip();
    }

    /** False when the sidecar takes no more at present. */
    private boolean sendTold() {
        while (true) {
            if (!sending.hasRemaining()) {
                ByteBuffer following = told.poll();
                if (following == null) {
                    return true;
                }
                sending = following;
            }
            connection.offer(sending);
            if (sending.hasRemaining()) {
                return false;
            }
        }
    }

    private Duration patience() {
        long until = deadline;
        long left = until == 0 ? LAST_ROUND_NANOS : until - System.nanoTime();
        return Duration.ofNanos(Math.max(left, 1_000_000));
    }

    private void check() {
        if (overrun) {
            throw new TidegateException(
                    "SidecarLost: the sidecar does not take what the agent is told; give it a"
                            + " processor");
        }
        long until = deadline;
        if (until != 0 && System.nanoTime() - until > 0) {
            throw new TidegateException("SidecarLost: the agent's last round takes too long");
        }
    }
}
