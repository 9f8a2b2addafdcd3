package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The orders as the protocol writes them down, read through the bridge. */
class GoldenOrdersITCase {
    private static final Path GOLDEN = Paths.get("..", "..", "protocol", "tests", "golden");
    private static final String CONFIG =
            "{\"color\":\"blue\",\"generation\":1,\"gate\":\"orders\",\"subtask\":0,\"parallelism\":1,"
                    + "\"hold_max_records\":10,\"hold_max_bytes\":1000,\"max_ahead_ms\":null,"
                    + "\"idle_after_ms\":60000}";

    private final long[] out = new long[Native.OUT_LENGTH];
    private long handle;

    @BeforeEach
    void open() {
        NativeLibrary.load();
        handle = Native.subtaskOpen(CONFIG.getBytes(StandardCharsets.UTF_8));
        Native.subtaskRestore(handle, new byte[0][], new long[0], new int[0], out);
    }

    @AfterEach
    void close() {
        Native.subtaskClose(handle);
    }

    @Test
    void everyGoldenOrderIsFollowed() throws Exception {
        boolean any = false;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(GOLDEN, "order-*.json")) {
            for (Path file : files) {
                close();
                open();
                Native.subtaskOrder(handle, Files.readAllBytes(file), out);
                String counters =
                        new String(Native.subtaskCounters(handle), StandardCharsets.UTF_8);
                assertFalse(counters.contains("\"epoch\":null"), file + ": " + counters);
                any = true;
            }
        }
        assertTrue(any, "no golden orders in " + GOLDEN.toAbsolutePath());
    }

    @Test
    void theLeaseIsThatOfTheOrder() throws Exception {
        assertEquals(Native.EMIT, leaseOf("order-emit-all.json"));
        close();
        open();
        assertEquals(Native.DISCARD, leaseOf("order-discard-all.json"));
    }

    private long leaseOf(String file) throws Exception {
        Native.subtaskOrder(handle, Files.readAllBytes(GOLDEN.resolve(file)), out);
        // before the first record nobody has told it what the clock says, so there is no lease
        Native.subtaskAdmit(handle, 1, 1, out);
        return out[2];
    }
}
