package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateException;
import io.tidegate.flink.TidegateOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/**
 * The native calls as nobody should make them, through real JNI: handles that were closed, are
 * closed twice, were never opened or are in use; arrays that are missing, too short or no message.
 * Each one is a {@link TidegateException} with a code, and the JVM goes on.
 */
@Timeout(60)
class NativeHandlesITCase {
    private static final int THREADS = 4;

    @TempDir Path folder;

    private final long[] out = new long[Native.OUT_LENGTH];

    @BeforeEach
    void load() {
        NativeLibrary.load();
    }

    private long opened() {
        return Native.subtaskOpen(
                new Settings(TestingOptions.blue()).subtaskConfig("orders", 0, 1));
    }

    private long restored() {
        long handle = opened();
        Native.subtaskRestore(handle, new byte[0][], new long[0], new int[0], out);
        return handle;
    }

    private byte[] agentConfig() {
        Configuration config = TestingOptions.blue();
        config.set(TidegateOptions.STORE, "directory://" + folder);
        return new Settings(config).agentConfig("job", List.of("orders"));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void fails(String code, Executable call) {
        String message = assertThrows(TidegateException.class, call).getMessage();
        assertTrue(message.startsWith(code + ":"), message);
    }

    /** Every call of a subtask. */
    private List<Executable> calls(long handle) {
        byte[] order = TestingOrders.emitAll(1).order;
        return List.of(
                () -> Native.subtaskRestore(handle, new byte[0][], new long[0], new int[0], out),
                () -> Native.subtaskAdmit(handle, 1, 1, out),
                () -> Native.subtaskHeldBytes(handle, 1),
                () -> Native.subtaskFull(handle),
                () -> Native.subtaskAccount(handle, 1, 1, 1, 1),
                () -> Native.subtaskWatermark(handle, 1, out),
                () -> Native.subtaskIdle(handle, true),
                () -> Native.subtaskOrder(handle, order, out),
                () -> Native.subtaskSnapshot(handle, 1),
                () -> Native.subtaskFinish(handle),
                () -> Native.subtaskStatus(handle, 1),
                () -> Native.subtaskCounters(handle));
    }

    @Test
    void everyCallOnAHandleThatIsNotOpenIsAnException() {
        long closed = restored();
        Native.subtaskClose(closed);
        Native.subtaskClose(closed);
        for (long handle : new long[] {closed, 0, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
            for (Executable call : calls(handle)) {
                fails("HandleClosed", call);
            }
            Native.subtaskClose(handle);
            fails("HandleClosed", () -> Native.agentNext(handle));
            fails("HandleClosed", () -> Native.agentTell(handle, bytes("{}")));
            Native.agentClose(handle);
            Native.agentFree(handle);
        }
        long other = restored();
        assertNotEquals(closed, other, "a handle is never used twice");
        Native.subtaskClose(other);
    }

    @Test
    void everyCallBeforeTheRestoreIsAnException() {
        long handle = opened();
        List<Executable> calls = calls(handle);
        for (Executable call : calls.subList(1, calls.size())) {
            fails("BadCall", call);
        }
        Native.subtaskClose(handle);
    }

    @Test
    void missingAndShortArraysAreExceptionsAndChangeNothing() {
        long handle = restored();
        Native.subtaskOrder(handle, TestingOrders.emitAll(1).order, out);
        byte[] before = Native.subtaskStatus(handle, 0);
        for (long[] room : new long[][] {new long[0], new long[Native.OUT_LENGTH - 1]}) {
            fails("BadCall", () -> Native.subtaskAdmit(handle, 1, 1, room));
            fails("BadCall", () -> Native.subtaskWatermark(handle, 1, room));
            fails(
                    "BadCall",
                    () -> Native.subtaskOrder(handle, TestingOrders.discardAll(2).order, room));
        }
        fails("JniFailed", () -> Native.subtaskAdmit(handle, 1, 1, null));
        fails("JniFailed", () -> Native.subtaskWatermark(handle, 1, null));
        fails("JniFailed", () -> Native.subtaskOrder(handle, null, out));
        assertArrayEquals(before, Native.subtaskStatus(handle, 0));
        Native.subtaskClose(handle);

        long fresh = opened();
        byte[][] nothing = new byte[1][];
        fails(
                "JniFailed",
                () -> Native.subtaskRestore(fresh, nothing, new long[0], new int[0], out));
        fails("JniFailed", () -> Native.subtaskRestore(fresh, null, new long[0], new int[0], out));
        fails("JniFailed", () -> Native.subtaskRestore(fresh, new byte[0][], null, null, out));
        fails(
                "BadCall",
                () -> Native.subtaskRestore(fresh, new byte[0][], new long[2], new int[1], out));
        Native.subtaskClose(fresh);
        fails("JniFailed", () -> Native.subtaskOpen(null));
        fails("JniFailed", () -> Native.agentOpen(null));
    }

    /** Union state gives each subtask the headers of all: thousands must not stay referenced. */
    @Test
    void asManyHeadersAsThereAreSubtasksAreRead() {
        long old = restored();
        byte[][] headers = new byte[1_000][];
        Arrays.setAll(headers, index -> Native.subtaskSnapshot(old, 7));
        Native.subtaskClose(old);
        long handle = opened();
        Native.subtaskRestore(handle, headers, new long[] {5}, new int[] {1}, out);
        assertEquals(0, out[3], "it is its own state");
        Native.subtaskClose(handle);
    }

    /** Control characters, half characters, characters of four bytes: the text of an error too. */
    @Test
    void bytesThatAreNoMessageAreExceptions() {
        long handle = restored();
        Random random = new Random(4);
        for (int round = 0; round < 300; round++) {
            byte[] noise = new byte[random.nextInt(40)];
            random.nextBytes(noise);
            fails("MessageUnreadable", () -> Native.subtaskOrder(handle, noise, out));
            fails("MessageUnreadable", () -> Native.subtaskOpen(noise));
            fails("ConfigUnreadable", () -> Native.agentOpen(noise));
        }
        for (String odd :
                List.of("\u0000", "\uD83D\uDE00", "\u00e4", "\\u0000", "\\ud83d\\ude00")) {
            String config =
                    new String(
                                    new Settings(TestingOptions.blue())
                                            .subtaskConfig("orders", 0, 1),
                                    StandardCharsets.UTF_8)
                            .replace("\"blue\"", "\"" + odd + "\"");
            fails("MessageUnreadable", () -> Native.subtaskOpen(bytes(config)));
        }
        Native.subtaskClose(handle);
    }

    /** The error's text comes through JNI as it was: also what is outside of the first plane. */
    @Test
    void theTextOfAnErrorKeepsItsCharacters() {
        String config =
                new String(
                                new Settings(TestingOptions.blue()).subtaskConfig("orders", 0, 1),
                                StandardCharsets.UTF_8)
                        .replace("\"blue\"", "\"gr\u00fcn \uD83D\uDE00 \\u0000\"");
        String message =
                assertThrows(TidegateException.class, () -> Native.subtaskOpen(bytes(config)))
                        .getMessage();
        assertTrue(message.contains("gr\u00fcn \uD83D\uDE00 \u0000"), message);
    }

    @Test
    void aSubtaskThatTwoThreadsUseIsBusyOrTaken() throws Exception {
        long handle = restored();
        List<String> failures =
                race(
                        () -> {
                            for (int call = 0; call < 500; call++) {
                                Native.subtaskStatus(handle, call);
                                Native.subtaskAccount(handle, 1, call, 0, Native.NONE);
                            }
                        });
        failures.forEach(message -> assertTrue(message.startsWith("HandleBusy:"), message));
        Native.subtaskClose(handle);
    }

    @Test
    void aSubtaskThatIsClosedWhileOthersUseItIsClosedForAll() throws Exception {
        for (int round = 0; round < 50; round++) {
            long handle = restored();
            List<String> failures =
                    race(
                            () -> {
                                Native.subtaskStatus(handle, 0);
                                Native.subtaskClose(handle);
                                fails("HandleClosed", () -> Native.subtaskFull(handle));
                            });
            for (String message : failures) {
                assertTrue(
                        message.startsWith("HandleBusy:") || message.startsWith("HandleClosed:"),
                        message);
            }
        }
    }

    @Test
    void anAgentThatIsClosedAndFreedWhileItIsDrivenAndToldEndsAllCalls() throws Exception {
        for (int round = 0; round < 10; round++) {
            long handle = Native.agentOpen(agentConfig());
            List<String> failures =
                    race(
                            () -> {
                                Native.agentTell(
                                        handle, bytes("{\"type\":\"reset\",\"gate\":\"orders\"}"));
                                Native.agentClose(handle);
                            },
                            () -> {
                                while (Native.agentNext(handle) != null) {}
                                assertNull(Native.agentNext(handle));
                                Native.agentFree(handle);
                                Native.agentFree(handle);
                            });
            for (String message : failures) {
                assertTrue(
                        message.startsWith("HandleBusy:") || message.startsWith("HandleClosed:"),
                        message);
            }
            Native.agentClose(handle);
            Native.agentFree(handle);
            fails("HandleClosed", () -> Native.agentNext(handle));
        }
    }

    /** Freed without a close, while its driver waits: the driver returns. */
    @Test
    void anAgentThatIsFreedInUseEndsItsDriver() throws Exception {
        long handle = Native.agentOpen(agentConfig());
        ExecutorService driver = Executors.newSingleThreadExecutor();
        try {
            CyclicBarrier started = new CyclicBarrier(2);
            Future<?> driven =
                    driver.submit(
                            () -> {
                                started.await();
                                try {
                                    while (Native.agentNext(handle) != null) {}
                                } catch (TidegateException closed) {
                                    assertTrue(closed.getMessage().startsWith("HandleClosed:"));
                                }
                                return null;
                            });
            started.await();
            Native.agentFree(handle);
            driven.get(30, TimeUnit.SECONDS);
        } finally {
            driver.shutdownNow();
        }
    }

    /** Runs the work in some threads at once; the messages of what they threw. */
    private static List<String> race(Runnable... work) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            CyclicBarrier start = new CyclicBarrier(THREADS);
            List<Future<String>> running = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                Runnable part = work[thread % work.length];
                Callable<String> call =
                        () -> {
                            start.await();
                            try {
                                part.run();
                                return "";
                            } catch (TidegateException failure) {
                                return failure.getMessage();
                            }
                        };
                running.add(threads.submit(call));
            }
            List<String> failures = new ArrayList<>();
            for (Future<String> each : running) {
                String failure = each.get(30, TimeUnit.SECONDS);
                if (!failure.isEmpty()) {
                    failures.add(failure);
                }
            }
            return failures;
        } finally {
            threads.shutdownNow();
            assertEquals(true, threads.awaitTermination(30, TimeUnit.SECONDS));
        }
    }
}
