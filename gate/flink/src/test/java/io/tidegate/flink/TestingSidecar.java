package io.tidegate.flink;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;

/** A real sidecar process. */
public final class TestingSidecar implements AutoCloseable {
    /** Names the program; set where tests are to take this door. */
    private static final String BINARY = System.getProperty("tidegate.sidecar.binary");

    private static TestingSidecar shared;

    private final Path socket;
    private Process process;

    private TestingSidecar(Path socket) {
        this.socket = socket;
    }

    /** Starts one, and returns when it answers. */
    public static TestingSidecar start(Path socket) throws Exception {
        TestingSidecar sidecar = new TestingSidecar(socket);
        sidecar.startAgain();
        return sidecar;
    }

    /** Where this JVM's tests are to take this door: the options lead to a sidecar for all. */
    static synchronized void choose(Configuration config) {
        if (BINARY == null) {
            return;
        }
        try {
            if (shared == null) {
                Path folder = Files.createTempDirectory("tidegate-sidecar-");
                shared = start(folder.resolve("socket"));
                Runtime.getRuntime().addShutdownHook(new Thread(shared::end));
            }
        } catch (Exception e) {
            throw new AssertionError(e);
        }
        config.set(TidegateOptions.SIDECAR, shared.socket().toString());
    }

    public Path socket() {
        return socket;
    }

    public void startAgain() throws Exception {
        process = new ProcessBuilder(BINARY, socket.toString()).inheritIO().start();
        Eventually.becomes("the sidecar answers", this::answers, answers -> answers);
    }

    private boolean answers() {
        if (!process.isAlive()) {
            throw new AssertionError("the sidecar has ended: " + process.exitValue());
        }
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            return channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            return false;
        }
    }

    /** Kills it with -9. */
    public void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    private void end() {
        try {
            kill();
            Files.deleteIfExists(socket);
            Files.deleteIfExists(Path.of(socket + ".lock"));
            Files.deleteIfExists(socket.getParent());
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }
}
