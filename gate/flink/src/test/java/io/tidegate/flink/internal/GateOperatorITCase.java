package io.tidegate.flink.internal;

import static io.tidegate.flink.internal.TestingOrders.committedFrom;
import static io.tidegate.flink.internal.TestingOrders.discardAll;
import static io.tidegate.flink.internal.TestingOrders.emitAll;
import static io.tidegate.flink.internal.TestingOrders.finishedTo;
import static io.tidegate.flink.internal.TestingOrders.proposedFrom;
import static io.tidegate.flink.internal.TestingOrders.waitingTo;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One subtask with the real native library: records, watermarks, orders. */
class GateOperatorITCase {
    private TestingGate gate;

    @BeforeEach
    void open() throws Exception {
        gate = TestingGate.fresh();
    }

    @AfterEach
    void close() throws Exception {
        gate.close();
    }

    @Test
    void beforeTheFirstOrderEverythingWaitsAndThenComesInOrderOfArrival() throws Exception {
        gate.records(3, 1, 2).watermark(2);
        assertEquals(List.of(), records());
        gate.order(emitAll(1));
        assertEquals(List.of(3L, 1L, 2L, "w2"), gate.out());
    }

    @Test
    void theOwnerEmitsAndTheStandbyDiscards() throws Exception {
        gate.order(emitAll(1)).records(1, 2).watermark(2);
        assertEquals(List.of(1L, 2L, "w2"), gate.out());
        gate.order(discardAll(2)).records(3, 4).watermark(4);
        assertEquals(List.of("w4"), gate.out());
    }

    @Test
    void whatPassesOnTheFastPathIsInTheStatus() throws Exception {
        gate.order(emitAll(1)).records(1, 7, 2).order(discardAll(2)).records(9, 8);
        gate.advance(100);
        String status = status();
        assertTrue(status.contains("\"emitted\":3"), status);
        assertTrue(status.contains("\"discarded\":2"), status);
    }

    @Test
    void theOldSideHoldsFromTheProposalOnAndDiscardsAtTheCommit() throws Exception {
        gate.order(emitAll(1)).records(10).order(proposedFrom(2)).records(99, 100, 50, 130);
        assertEquals(List.of(10L, 99L, 50L), gate.out());
        gate.order(committedFrom(3)).records(60, 140);
        assertEquals(List.of(60L), gate.out());
    }

    @Test
    void anAbortReleasesWhatTheOldSideHeld() throws Exception {
        gate.order(proposedFrom(1)).records(100, 130, 110).order(emitAll(2));
        assertEquals(List.of(100L, 130L, 110L), gate.out());
    }

    @Test
    void theNewSideOpensAtTheFinish() throws Exception {
        gate.order(discardAll(1)).records(10).order(waitingTo(2)).records(99, 100, 50, 130);
        assertEquals(List.of(), gate.out());
        gate.order(finishedTo(3)).records(60, 140);
        assertEquals(List.of(100L, 130L, 140L), gate.out());
    }

    /** P16: records of ts >= W would arrive late behind the gate. */
    @Test
    void noWatermarkPassesAHeldRecord() throws Exception {
        gate.order(proposedFrom(1)).records(100).watermark(120);
        assertEquals(List.of("w99"), gate.out());
        gate.records(130).watermark(140);
        assertEquals(List.of(), gate.out());
        gate.order(emitAll(2));
        assertEquals(List.of(100L, 130L, "w140"), gate.out());
    }

    @Test
    void aHoldingGateDoesNotBecomeIdleUntilItHasReleased() throws Exception {
        gate.order(proposedFrom(1)).records(100).idle(true);
        assertEquals(List.of(), gate.out());
        gate.order(emitAll(2));
        assertEquals(List.of(100L, "idle"), gate.out());
        gate.idle(false);
        assertEquals(List.of("active"), gate.out());
    }

    @Test
    void anOlderOrderThatArrivesLaterIsNotFollowed() throws Exception {
        gate.order(emitAll(2)).order(discardAll(1)).records(5);
        assertEquals(List.of(5L), gate.out());
    }

    @Test
    void everyOrderIsAnsweredWithAStatus() throws Exception {
        int before = gate.link.statuses.size();
        gate.order(emitAll(1));
        assertEquals(before + 1, gate.link.statuses.size());
    }

    @Test
    void aStatusComesWithoutAnyRecord() throws Exception {
        int before = gate.link.statuses.size();
        gate.advance(100);
        gate.advance(100);
        assertEquals(before + 2, gate.link.statuses.size());
    }

    /** F6: nothing falls back to the wall clock. */
    @Test
    void aStreamWithoutEventTimeIsRefused() {
        TidegateException refused = assertThrows(TidegateException.class, () -> gate.untimed(1));
        assertTrue(refused.getMessage().startsWith("NoEventTime: "), refused.getMessage());
        assertTrue(refused.getMessage().contains("'gate'"), refused.getMessage());
    }

    @Test
    void singleRecordsWithoutTimePassAsTheyCame() throws Exception {
        gate.watermark(10).untimed(7).order(emitAll(1)).untimed(8);
        assertEquals(Arrays.asList(null, null), gate.timestamps());
    }

    @Test
    void heldRecordsKeepTheirTimestamps() throws Exception {
        gate.records(3, 1).order(emitAll(1));
        assertEquals(List.of(3L, 1L), gate.timestamps());
    }

    @Test
    void anExtractorGivesTheTimeAndLeavesTheRecordAlone() throws Exception {
        gate.close();
        gate = TestingGate.fresh(TestingOptions.blue(), (value, ignored) -> value);
        gate.order(proposedFrom(1)).untimed(99).untimed(100);
        assertEquals(List.of(99L), gate.out());
        gate.order(emitAll(2));
        assertEquals(Arrays.asList((Long) null), gate.timestamps());
    }

    @Test
    void closingTwiceIsAllowed() throws Exception {
        gate.close();
        gate.close();
    }

    @Test
    void aClosedMachineIsAnException() {
        Settings settings = new Settings(TestingOptions.blue());
        Machine machine = Bridge.machine(settings, settings.subtaskConfig("a", 0, 1));
        machine.restore(new byte[0][], new long[0], new int[0], new long[Native.OUT_LENGTH]);
        machine.close();
        machine.close();
        assertThrows(TidegateException.class, machine::isFull);
    }

    @Test
    void anOrderThatCannotBeReadIsAnException() {
        OrderEvent broken = new OrderEvent(1, "{}".getBytes(StandardCharsets.UTF_8));
        assertThrows(TidegateException.class, () -> gate.order(broken));
    }

    private List<Object> records() {
        List<Object> out = gate.out();
        out.removeIf(each -> !(each instanceof Long));
        return out;
    }

    private String status() {
        return gate.status();
    }
}
