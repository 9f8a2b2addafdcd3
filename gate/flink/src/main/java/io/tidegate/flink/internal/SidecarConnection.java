package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Principal;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import jdk.net.ExtendedSocketOptions;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/**
 * Frames to and from a sidecar. One connection is one subtask or one agent; when it is closed, that
 * is gone. All waits are bounded: a sidecar that does not answer is lost, and so is the connection.
 * Belongs to one thread, apart from {@link #wake}.
 *
 * <p>A frame is its length in four bytes, big-endian, and that many bytes. A call begins with its
 * number; an answer with 0, or with 1 and the text of an error.
 */
final class SidecarConnection implements AutoCloseable {
    /** The calls and what they mean; the native side has the same number. */
    private static final int PROTOCOL = 1;

    private static final int MAX_FRAME = 256 << 20;
    private static final int BUFFER = 16 << 10;
    private static final long RETRY_NANOS = 50_000_000L;

    private final Path path;
    private final SocketChannel channel;
    private final Selector selector;

    /** What has arrived and was not read yet; ready to be read. */
    private ByteBuffer in = ByteBuffer.allocate(BUFFER).flip();

    private SidecarConnection(Path path, SocketChannel channel, Selector selector) {
        this.path = path;
        this.channel = channel;
        this.selector = selector;
    }

    /**
     * Connects, says hello, and opens what the connection is for.
     *
     * @param patience how long to wait for a sidecar that is not there yet
     * @param answer how long to wait for its answers
     * @param call opens a subtask or an agent
     * @throws TidegateException SidecarMissing, SidecarVersion, SidecarForeign, SidecarLost, or
     *     what is wrong with the configuration
     */
    static SidecarConnection open(
            Path path, Duration patience, Duration answer, byte call, byte[] config) {
        SidecarConnection connection = connect(path, patience);
        try {
            connection.checkUser();
            connection.greet(answer);
            ByteBuffer open = ByteBuffer.allocate(5 + config.length);
            open.putInt(1 + config.length).put(call).put(config).flip();
            connection.send(open, answer);
            connection.answer(answer);
            return connection;
        } catch (RuntimeException failure) {
            connection.close();
            throw failure;
        }
    }

    private static SidecarConnection connect(Path path, Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            SocketChannel channel = null;
            try {
                channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                channel.connect(UnixDomainSocketAddress.of(path));
                channel.configureBlocking(false);
                Selector selector = Selector.open();
                channel.register(selector, SelectionKey.OP_READ);
                return new SidecarConnection(path, channel, selector);
            } catch (IOException | RuntimeException e) {
                closeQuietly(channel);
                if (System.nanoTime() >= deadline || Thread.currentThread().isInterrupted()) {
                    throw missing(path, patience, e);
                }
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
    }

    private static TidegateException missing(Path path, Duration patience, Exception cause) {
        return new TidegateException(
                String.format(
                        "SidecarMissing: nothing answers at %s after %d ms (%s); start `tidegate"
                                + " sidecar --socket %s` beside this JVM, as the same user, or"
                                + " correct tidegate.sidecar",
                        path, patience.toMillis(), cause.getMessage(), path),
                cause);
    }

    /** Only a process of this JVM's own user may decide what becomes of its records. */
    private void checkUser() {
        try {
            Principal theirs = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
            Principal own = Files.getOwner(Path.of("/proc/self"));
            if (!theirs.equals(own)) {
                throw new TidegateException(
                        String.format(
                                "SidecarForeign: the sidecar at %s belongs to user %s, and this JVM"
                                        + " to %s; run both as the same user",
                                path, theirs.getName(), own.getName()));
            }
        } catch (IOException e) {
            throw lost(e);
        }
    }

    private void greet(Duration patience) {
        byte[] hello =
                Json.bytes(
                        Json.object()
                                .put("protocol", PROTOCOL)
                                .put("version", SidecarVersion.own()));
        send(
                ByteBuffer.allocate(4 + hello.length).putInt(hello.length).put(hello).flip(),
                patience);
        byte[] frame = receive(patience);
        if (frame.length > 0 && frame[0] == 1) {
            throw new TidegateException(text(frame));
        }
        JsonNode theirs = Json.parse(frame);
        if (theirs.path("protocol").asInt() != PROTOCOL) {
            throw new TidegateException(
                    String.format(
                            "SidecarVersion: the sidecar %s speaks protocol %s, tidegate-flink %s"
                                    + " speaks %d; use a sidecar and a tidegate-flink of one"
                                    + " release",
                            theirs.path("version").asText(),
                            theirs.path("protocol").asText(),
                            SidecarVersion.own(),
                            PROTOCOL));
        }
    }

    /** Sends frames whole. */
    void send(ByteBuffer frames, Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        try {
            while (frames.hasRemaining()) {
                if (channel.write(frames) == 0) {
                    await(SelectionKey.OP_READ | SelectionKey.OP_WRITE, deadline, patience);
                }
            }
        } catch (IOException e) {
            throw refused(e);
        }
    }

    /** Sends as much as can be taken at once. */
    void offer(ByteBuffer frames) {
        try {
            channel.write(frames);
        } catch (IOException e) {
            throw refused(e);
        }
    }

    /** A sidecar that hangs up has said why before, and that is what a user can act on. */
    private TidegateException refused(IOException cause) {
        try {
            while (poll() != null) {}
        } catch (TidegateException said) {
            close();
            return said;
        }
        return lost(cause);
    }

    /** The payload of the next answer that is none of an error, behind its first byte. */
    ByteBuffer answer(Duration patience) {
        return checked(receive(patience));
    }

    private static ByteBuffer checked(byte[] frame) {
        if (frame.length == 0) {
            throw new TidegateException("BridgeMessage: an answer of the sidecar is empty");
        }
        if (frame[0] != 0) {
            throw new TidegateException(text(frame));
        }
        return ByteBuffer.wrap(frame, 1, frame.length - 1);
    }

    private byte[] receive(Duration patience) {
        long deadline = System.nanoTime() + patience.toNanos();
        try {
            byte[] frame = take();
            while (frame == null) {
                if (!fill()) {
                    await(SelectionKey.OP_READ, deadline, patience);
                }
                frame = take();
            }
            return frame;
        } catch (IOException e) {
            throw lost(e);
        }
    }

    /** Like {@link #answer}, but null when there is none yet. */
    ByteBuffer poll() {
        try {
            byte[] frame = take();
            while (frame == null && fill()) {
                frame = take();
            }
            return frame == null ? null : checked(frame);
        } catch (IOException e) {
            throw lost(e);
        }
    }

    /** Waits until something may be read, or written, or {@link #wake} was called. */
    void await(boolean write, Duration patience) {
        try {
            SelectionKey key = channel.keyFor(selector);
            key.interestOps(SelectionKey.OP_READ | (write ? SelectionKey.OP_WRITE : 0));
            selector.select(Math.max(1, patience.toMillis()));
            selector.selectedKeys().clear();
        } catch (IOException e) {
            throw lost(e);
        }
    }

    /** From any thread: ends the wait that is under way, or the next one. */
    void wake() {
        selector.wakeup();
    }

    private void await(int operations, long deadline, Duration patience) throws IOException {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            throw new IOException("no answer in " + patience.toMillis() + " ms");
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new IOException("this thread was interrupted");
        }
        channel.keyFor(selector).interestOps(operations);
        selector.select(Math.max(1, left / 1_000_000));
        selector.selectedKeys().clear();
    }

    /** A whole frame out of what has arrived, or null. */
    private byte[] take() throws IOException {
        if (in.remaining() < Integer.BYTES) {
            return null;
        }
        int length = in.getInt(in.position());
        if (length < 0 || length > MAX_FRAME) {
            throw new IOException("a frame of " + Integer.toUnsignedString(length) + " bytes");
        }
        if (in.remaining() < Integer.BYTES + length) {
            grow(Integer.BYTES + length);
            return null;
        }
        byte[] frame = new byte[length];
        in.getInt();
        in.get(frame);
        return frame;
    }

    private void grow(int needed) {
        if (in.capacity() < needed) {
            in = ByteBuffer.allocate(needed).put(in).flip();
        }
    }

    /** Reads what has arrived; false when nothing has. */
    private boolean fill() throws IOException {
        in.compact();
        int read = channel.read(in);
        in.flip();
        if (read < 0) {
            throw new IOException("the sidecar has closed the connection");
        }
        return read > 0;
    }

    private static String text(byte[] frame) {
        return new String(frame, 1, frame.length - 1, StandardCharsets.UTF_8);
    }

    private TidegateException lost(IOException cause) {
        close();
        return new TidegateException(
                String.format(
                        "SidecarLost: the connection to the sidecar at %s has broken (%s); the job"
                                + " goes on from its last checkpoint when the sidecar is there"
                                + " again",
                        path, cause.getMessage() == null ? cause : cause.getMessage()),
                cause);
    }

    /** May be called twice. */
    @Override
    public void close() {
        closeQuietly(selector);
        closeQuietly(channel);
    }

    private static void closeQuietly(AutoCloseable closing) {
        try {
            if (closing != null) {
                closing.close();
            }
        } catch (Exception ignored) {
            // it is gone either way
        }
    }
}
