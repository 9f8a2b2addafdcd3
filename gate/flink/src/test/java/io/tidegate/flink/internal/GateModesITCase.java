package io.tidegate.flink.internal;

import static io.tidegate.flink.internal.TestingOrders.committedFrom;
import static io.tidegate.flink.internal.TestingOrders.discardAll;
import static io.tidegate.flink.internal.TestingOrders.emitAll;
import static io.tidegate.flink.internal.TestingOrders.order;
import static io.tidegate.flink.internal.TestingOrders.proposedFrom;
import static io.tidegate.flink.internal.TestingOrders.settled;
import static io.tidegate.flink.internal.TestingOrders.waitingTo;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.Color;
import io.tidegate.flink.Disposition;
import io.tidegate.flink.Tagged;
import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateOptions;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.util.OutputTag;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Side outputs for late records and previews, and gates that tag, with the real library. */
class GateModesITCase {
    private static final OutputTag<Long> LATE = new OutputTag<>("late", Types.LONG);
    private static final OutputTag<Long> PREVIEW = new OutputTag<>("preview", Types.LONG);
    private static final GateShape<Long> PLAIN = GateShape.named("gate");

    private final List<TestingGate> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (TestingGate gate : open) {
            gate.close();
        }
    }

    private TestingGate gate(GateShape<Long> shape, boolean tagged) throws Exception {
        TestingGate gate = TestingGate.shaped(TestingOptions.blue(), shape, tagged);
        open.add(gate);
        return gate;
    }

    private static Tagged<Long> tagged(long time, Disposition disposition) {
        return new Tagged<>(time, time, disposition);
    }

    /** P7: the policy is the first owner's, and both versions count. */
    @Test
    void lateRecordsGoToTheSideOutputOfTheFirstOwnerAndAreCountedByBoth() throws Exception {
        TestingGate first = gate(PLAIN.late(LATE), false);
        TestingGate other = gate(PLAIN.late(LATE), false);
        first.order(settled(1, "late_side_output", "emit")).records(50, 100, 60, 101);
        other.order(settled(1, "late_discard", "discard")).records(50, 100, 60, 101);
        assertEquals(List.of(100L, 101L), first.out());
        assertEquals(List.of(50L, 60L), first.side(LATE));
        assertEquals(List.of(), other.out());
        assertEquals(List.of(), other.side(LATE));
        first.advance(100);
        other.advance(100);
        for (TestingGate each : open) {
            assertTrue(each.status().contains("\"odd\":[2,0,0]"), each.status());
        }
        // one that one version read before the settle and the other after it shows as a difference
        first.records(70).advance(100);
        assertTrue(first.status().contains("\"odd\":[3,0,0]"), first.status());
    }

    @Test
    void aGateWithoutThatSideOutputEmitsThem() throws Exception {
        TestingGate gate = gate(PLAIN, false);
        gate.order(settled(1, "late_side_output", "emit")).records(50, 100);
        assertEquals(List.of(50L, 100L), gate.out());
    }

    @Test
    void emittedAndDroppedLateRecordsLeaveTheSideOutputEmpty() throws Exception {
        TestingGate gate = gate(PLAIN.late(LATE), false);
        gate.order(settled(1, "late_emit", "emit")).records(50);
        gate.order(settled(2, "late_drop", "emit")).records(51, 100);
        assertEquals(List.of(50L, 100L), gate.out());
        assertEquals(List.of(), gate.side(LATE));
    }

    @Test
    void aPreviewGetsWhatAStandbyWouldHaveWritten() throws Exception {
        TestingGate gate = gate(PLAIN.preview(PREVIEW), false);
        gate.records(5).order(discardAll(1)).records(7, 8);
        gate.order(waitingTo(2)).records(99, 100, 130);
        assertEquals(List.of(5L, 7L, 8L, 99L), gate.side(PREVIEW));
        gate.order(emitAll(3)).records(101);
        assertEquals(List.of(100L, 130L, 101L), gate.out());
        assertEquals(List.of(5L, 7L, 8L, 99L), gate.side(PREVIEW));
    }

    @Test
    void aPreviewGetsHeldRecordsWhenTheyAreTheOtherOnesAndNeverLateOnes() throws Exception {
        TestingGate gate = gate(PLAIN.preview(PREVIEW), false);
        gate.order(proposedFrom(1)).records(100, 50);
        assertEquals(List.of(), gate.side(PREVIEW));
        gate.order(committedFrom(2));
        assertEquals(List.of(100L), gate.side(PREVIEW));
        gate.order(settled(3, "late_discard", "discard")).records(60, 110);
        assertEquals(List.of(50L), gate.out());
        assertEquals(List.of(100L, 110L), gate.side(PREVIEW));
    }

    /** They were computed by the other version. */
    @Test
    void aPreviewGetsNothingThatTheOtherVersionHeldInTheSnapshot() throws Exception {
        OperatorSubtaskState blue =
                gate(PLAIN, false).order(proposedFrom(1)).records(101).snapshot(1);
        Configuration config = TestingOptions.blue().set(TidegateOptions.COLOR, Color.GREEN);
        TestingGate green = TestingGate.restore(config, PLAIN.preview(PREVIEW), 1, blue).get(0);
        open.add(green);
        green.records(102).order(order(2, "forget", null, "discard"));
        assertEquals(List.of(102L), green.side(PREVIEW));
    }

    @Test
    void aTaggingGateLetsEverythingThroughWithItsDisposition() throws Exception {
        TestingGate gate = gate(PLAIN, true);
        gate.records(99, 100);
        assertEquals(List.of(), gate.out());
        gate.order(proposedFrom(1));
        assertEquals(List.of(tagged(99, Disposition.EMIT)), gate.out());
        gate.order(committedFrom(2)).records(98, 120);
        assertEquals(
                List.of(
                        tagged(100, Disposition.DISCARD),
                        tagged(98, Disposition.EMIT),
                        tagged(120, Disposition.DISCARD)),
                gate.out());
        int number = 3;
        for (Disposition late :
                new Disposition[] {
                    Disposition.LATE_EMIT,
                    Disposition.LATE_DROP,
                    Disposition.LATE_SIDE_OUTPUT,
                    Disposition.LATE_DISCARD
                }) {
            gate.order(settled(number++, late.name().toLowerCase(), "emit")).records(50, 51);
            assertEquals(List.of(tagged(50, late), tagged(51, late)), gate.out());
        }
    }

    /** It counts with the watermark, and is passed as it came. */
    @Test
    void aTagHasTheTimeThatARecordCountsWith() throws Exception {
        TestingGate gate = gate(PLAIN, true);
        gate.watermark(10).order(emitAll(1)).untimed(7);
        assertEquals(List.of("w10", new Tagged<>(7L, 11L, Disposition.EMIT)), gate.out());
    }

    /** F7: with the real clock. */
    @Test
    void aRecordOfTheFarFutureIsCountedNamedAndNotBelieved() throws Exception {
        long year2100 = 4_102_444_800_000L;
        TestingGate gate = gate(PLAIN, false);
        gate.order(emitAll(1)).records(year2100, 5).watermark(5);
        gate.records(year2100 + 1, 6).advance(100);
        assertEquals(List.of(year2100, 5L, "w5", year2100 + 1, 6L), gate.out());
        String status = gate.status();
        assertTrue(status.contains("\"odd\":[0,0,2]"), status);
        assertTrue(status.contains("\"future_time\":" + (year2100 + 1)), status);
        assertTrue(status.contains("\"emitted_high\":6,"), status);
    }
}
