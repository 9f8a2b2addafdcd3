package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import org.junit.jupiter.api.Test;

/** Checkpoints of whole jobs whose gates hold records: they complete, and contain them. */
class HoldingITCase extends SteppedTestBase {
    private static final long HELD = 500;

    @Test
    void alignedCheckpointsCompleteAndContainWhatIsHeld() throws Exception {
        checkpointsContainWhatIsHeld(member(Color.BLUE), member(Color.GREEN).restarts(1));
    }

    @Test
    void unalignedCheckpointsCompleteAndContainWhatIsHeld() throws Exception {
        checkpointsContainWhatIsHeld(
                member(Color.BLUE).unaligned(), member(Color.GREEN).unaligned().restarts(1));
    }

    /**
     * Green holds what is its own while blue, which is not there yet, owes what is below the
     * boundary. It then fails, and its source goes on behind what is held: that comes from the
     * checkpoint, or not at all.
     */
    private void checkpointsContainWhatIsHeld(SteppedJob from, SteppedJob to) throws Exception {
        cutover.start(from, to, BOUNDARY - 100);
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        cutover.store.awaitCutover("committed");
        cutover.to.allow(BOUNDARY + HELD);
        cutover.store.awaitHeld("green-1", HELD);
        Hook.awaitCheckpoints(Color.GREEN, 2);
        cutover.store.awaitHeld("green-1", HELD);

        Hook.failAt(Color.GREEN, BOUNDARY + HELD);
        cutover.to.allow(BOUNDARY + HELD + 1);
        cutover.store.awaitHeld("green-1", HELD + 1);
        assertFalse(Hook.isToFail(Color.GREEN), "green has not failed");
        Hook.awaitCheckpoints(Color.GREEN, 2);
        assertEquals("committed", cutover.store.cutover());
        cutover.finishExactly(BOUNDARY, COUNT);
    }
}
