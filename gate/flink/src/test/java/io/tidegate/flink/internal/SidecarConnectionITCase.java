package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TestingSidecar;
import io.tidegate.flink.TidegateException;
import io.tidegate.flink.TidegateOptions;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/**
 * Machines and agents in a sidecar: called as nobody should, cut off, and met by another version.
 */
@Timeout(60)
class SidecarConnectionITCase {
    @TempDir Path folder;

    private final long[] out = new long[Native.OUT_LENGTH];
    private final ExecutorService other = Executors.newSingleThreadExecutor();
    private TestingSidecar sidecar;

    @BeforeEach
    void start() throws Exception {
        sidecar = TestingSidecar.start(folder.resolve("socket"));
    }

    @AfterEach
    void end() throws Exception {
        other.shutdownNow();
        sidecar.close();
    }

    private Configuration options() {
        Configuration config = TestingOptions.blue();
        config.set(TidegateOptions.STORE, "directory://" + folder);
        config.set(TidegateOptions.SIDECAR, sidecar.socket().toString());
        return config;
    }

    private Machine restored() {
        Settings settings = new Settings(options());
        Machine machine = Bridge.machine(settings, settings.subtaskConfig("orders", 0, 1));
        machine.restore(new byte[0][], new long[0], new int[0], out);
        return machine;
    }

    private MemberAgent agent() {
        Settings settings = new Settings(options());
        return Bridge.agent(settings, settings.agentConfig("job", List.of("orders")));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void fails(String code, Executable call) {
        String message = assertThrows(TidegateException.class, call).getMessage();
        assertTrue(message.startsWith(code + ": "), message);
    }

    @Test
    void aClosedMachineAndTooLittleRoomAreExceptions() {
        Machine machine = restored();
        long[] little = new long[Native.OUT_LENGTH - 1];
        byte[] before = machine.status();
        fails("BadCall", () -> machine.admit(1, 1, little));
        fails("BadCall", () -> machine.watermark(1, little));
        fails("BadCall", () -> machine.order(TestingOrders.emitAll(1).order, little));
        fails("BadCall", () -> machine.restore(new byte[0][], new long[0], new int[0], little));
        fails("MessageUnreadable", () -> machine.order(bytes("[]"), out));
        assertArrayEquals(before, machine.status(), "it is where it was");
        machine.close();
        machine.close();
        fails("HandleClosed", machine::status);
        fails("HandleClosed", () -> machine.heldBytes(1));
    }

    /** More than a socket takes at once, in both directions. */
    @Test
    void aSubtaskWithManyHeldRecordsIsRestoredAndReleased() {
        int count = 300_000;
        byte[] header;
        try (Machine old = restored()) {
            header = old.snapshot(7);
        }
        Settings settings = new Settings(options());
        try (Machine machine = Bridge.machine(settings, settings.subtaskConfig("orders", 0, 1))) {
            machine.restore(new byte[][] {header}, new long[count], new int[count], out);
            byte[] dispositions = machine.order(TestingOrders.emitAll(1).order, out);
            assertEquals(count, dispositions.length);
            assertEquals(Native.EMIT, dispositions[count - 1]);
        }
    }

    @Test
    void anIdleGateThatLosesItsSidecarFailsWithItsNextReport() throws Exception {
        try (TestingGate gate = TestingGate.fresh(options(), null)) {
            gate.order(TestingOrders.proposedFrom(1)).records(1);
            assertEquals(List.of(1L), gate.out());
            sidecar.kill();
            Exception failure = assertThrows(Exception.class, () -> gate.advance(100));
            Throwable cause = failure;
            while (!(cause instanceof TidegateException) && cause.getCause() != null) {
                cause = cause.getCause();
            }
            assertTrue(cause.getMessage().startsWith("SidecarLost: "), failure::toString);
            assertThrows(TidegateException.class, () -> gate.records(100));
            assertEquals(List.of(), gate.out(), "a record came out that nobody decided about");
        }
    }

    @Test
    void anAgentThatWaitsNoticesAtOnceThatItsSidecarIsGone() throws Exception {
        MemberAgent agent = agent();
        assertNotNull(agent.next());
        Future<Object> waiting =
                other.submit(
                        () -> {
                            while (agent.next() != null) {}
                            return null;
                        });
        sidecar.kill();
        String lost =
                assertThrows(Exception.class, () -> waiting.get(30, TimeUnit.SECONDS))
                        .getCause()
                        .getMessage();
        assertTrue(lost.startsWith("SidecarLost: "), lost);
        agent.tell(bytes("{}"));
        agent.end();
        agent.close();
        agent.close();
    }

    @Test
    void anAgentEndsWhenItIsToldTo() throws Exception {
        MemberAgent agent = agent();
        Future<Object> waiting =
                other.submit(
                        () -> {
                            while (agent.next() != null) {}
                            return null;
                        });
        agent.tell(bytes("{\"type\":\"reset\",\"gate\":\"orders\"}"));
        agent.end();
        assertNull(waiting.get(30, TimeUnit.SECONDS));
        agent.close();
    }

    @Test
    void anEventThatCannotBeReadEndsTheAgent() {
        try (MemberAgent agent = agent()) {
            agent.tell(bytes("{}"));
            fails(
                    "MessageUnreadable",
                    () -> {
                        while (agent.next() != null) {}
                    });
        }
    }

    /** What is told after the sidecar has hung up must not hide why it did. */
    @Test
    void theReasonIsToldAlsoWhenTheConnectionIsNoticedToBeBrokenFirst() {
        Settings settings = new Settings(options());
        byte[] config = settings.agentConfig("job", List.of("orders"));
        Duration patience = Duration.ofSeconds(10);
        try (SidecarConnection connection =
                SidecarConnection.open(sidecar.socket(), patience, patience, (byte) 2, config)) {
            byte[] tell = {0, 0, 0, 3, 31, '{', '}'};
            fails(
                    "MessageUnreadable",
                    () -> {
                        while (true) {
                            connection.offer(ByteBuffer.wrap(tell));
                        }
                    });
        }
    }

    @Test
    void aConfigurationThatIsWrongIsNamed() {
        Settings settings = new Settings(options());
        fails("MessageUnreadable", () -> Bridge.machine(settings, bytes("{}")));
        fails("ConfigUnreadable", () -> Bridge.agent(settings, bytes("{}")));
    }

    /** A sidecar of the past or the future says who it is, and nothing more is asked of it. */
    @Test
    void aSidecarOfAnotherVersionIsRefusedWithBothNamed() throws Exception {
        Path socket = folder.resolve("stranger");
        try (ServerSocketChannel stranger = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            stranger.bind(UnixDomainSocketAddress.of(socket));
            other.submit(
                    () -> {
                        byte[] hello = bytes("{\"protocol\":7,\"version\":\"9.8.7\"}");
                        try (SocketChannel guest = stranger.accept()) {
                            guest.write(
                                    ByteBuffer.allocate(4 + hello.length)
                                            .putInt(hello.length)
                                            .put(hello)
                                            .flip());
                            return guest.read(ByteBuffer.allocate(1_000));
                        }
                    });
            Configuration config = options();
            config.set(TidegateOptions.SIDECAR, socket.toString());
            Settings settings = new Settings(config);
            String message =
                    assertThrows(
                                    TidegateException.class,
                                    () ->
                                            Bridge.machine(
                                                    settings,
                                                    settings.subtaskConfig("orders", 0, 1)))
                            .getMessage();
            assertTrue(
                    message.startsWith(
                            "SidecarVersion: the sidecar 9.8.7 speaks protocol 7, tidegate-flink"),
                    message);
            assertTrue(message.contains(SidecarVersion.own() + " speaks 1;"), message);
            assertTrue(SidecarVersion.own().startsWith("0."), SidecarVersion.own());
        }
    }
}
