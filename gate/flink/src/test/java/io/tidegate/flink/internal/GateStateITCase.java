package io.tidegate.flink.internal;

import static io.tidegate.flink.internal.TestingOrders.emitAll;
import static io.tidegate.flink.internal.TestingOrders.order;
import static io.tidegate.flink.internal.TestingOrders.proposedFrom;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.tidegate.flink.Color;
import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateOptions;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** P13, P14: held records through snapshots, with the real native library. */
class GateStateITCase {
    private final List<TestingGate> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (TestingGate gate : open) {
            gate.close();
        }
    }

    private TestingGate fresh() throws Exception {
        TestingGate gate = TestingGate.fresh();
        open.add(gate);
        return gate;
    }

    private List<TestingGate> restore(
            Configuration config, int parallelism, OperatorSubtaskState... states)
            throws Exception {
        List<TestingGate> gates = TestingGate.restore(config, parallelism, states);
        open.addAll(gates);
        return gates;
    }

    private OperatorSubtaskState holding(long... times) throws Exception {
        return fresh().order(proposedFrom(1)).watermark(90).records(times).snapshot(1);
    }

    @Test
    void aRestoredGateHoldsUntilItsFirstOrder() throws Exception {
        OperatorSubtaskState state = holding(103, 101, 102);
        TestingGate gate = restore(TestingOptions.blue(), 1, state).get(0);
        gate.records(50, 104);
        assertEquals(List.of(), gate.out());
        gate.order(emitAll(2));
        assertEquals(List.of(103L, 101L, 102L, 50L, 104L, "w90"), gate.out());
    }

    @Test
    void heldRecordsAreSplitNeitherLostNorDoubled() throws Exception {
        OperatorSubtaskState state = holding(101, 102, 103, 104, 105);
        List<Object> all = new ArrayList<>();
        for (TestingGate gate : restore(TestingOptions.blue(), 3, state)) {
            all.addAll(gate.order(emitAll(2)).out());
        }
        assertEquals(List.of(101L, 102L, 103L, 104L, 105L), sorted(all));
    }

    @Test
    void heldRecordsOfSeveralSubtasksAreMerged() throws Exception {
        OperatorSubtaskState one = holding(101, 103);
        OperatorSubtaskState other = holding(102);
        TestingGate gate = restore(TestingOptions.blue(), 1, one, other).get(0);
        assertEquals(List.of(101L, 102L, 103L), sorted(gate.order(emitAll(2)).out()));
    }

    @Test
    void whatWasReleasedBeforeTheSnapshotIsNotInIt() throws Exception {
        TestingGate before = fresh().order(proposedFrom(1)).records(101).order(emitAll(2));
        TestingGate gate = restore(TestingOptions.blue(), 1, before.snapshot(1)).get(0);
        assertEquals(List.of(), gate.order(emitAll(3)).out());
    }

    @Test
    void anotherMembersHeldRecordsWaitForWhoseTheyAre() throws Exception {
        TestingGate green = restore(green(), 1, holding(101, 102)).get(0);
        green.order(order(2, "wait", null, "emit"));
        assertEquals(List.of(), green.out());
        assertEquals(List.of(), green.order(order(3, "forget", null, "emit")).out());
    }

    /** P34: a generation that continues for a dead one emits what that one held. */
    @Test
    void aReclaimingMemberAdoptsThemAlsoAfterARestart() throws Exception {
        TestingGate green = restore(green(), 1, holding(101, 102)).get(0);
        OperatorSubtaskState own = green.order(order(2, "wait", null, "emit")).snapshot(2);
        TestingGate again = restore(green(), 1, own).get(0);
        again.records(103);
        assertEquals(
                List.of(101L, 102L, 103L),
                sorted(again.order(order(3, "adopt", null, "emit")).out()));
    }

    private static Configuration green() {
        return TestingOptions.blue().set(TidegateOptions.COLOR, Color.GREEN);
    }

    private static List<Object> sorted(List<Object> out) {
        out.removeIf(each -> !(each instanceof Long));
        out.sort((one, other) -> Long.compare((Long) one, (Long) other));
        return out;
    }
}
