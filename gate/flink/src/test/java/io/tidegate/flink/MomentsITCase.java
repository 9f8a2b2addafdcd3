package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** A cutover that is asked for at an awkward moment of a whole job. */
class MomentsITCase extends SteppedTestBase {
    private static final long BEFORE = 900;

    /**
     * The tasks of both gates are in the middle of their snapshots: they hear of the proposal when
     * those are taken, and nothing is committed before.
     */
    @Test
    void requestedWhileACheckpointIsTaken() throws Exception {
        cutover.start(member(Color.BLUE), member(Color.GREEN), BEFORE);
        Hook.Stop blue = Hook.stopSnapshots(Color.BLUE);
        Hook.Stop green = Hook.stopSnapshots(Color.GREEN);
        blue.awaitReached();
        green.awaitReached();
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        assertEquals("proposed", cutover.store.cutover());
        green.release();
        cutover.store.awaitAcknowledged("green-1");
        cutover.store.awaitRound("blue-1");
        assertEquals("proposed", cutover.store.cutover());
        blue.release();
        cutover.store.awaitCutover("committed");
        cutover.finishExactly(BOUNDARY, COUNT);
    }

    /** Blue's tasks are not there: they are asked when they have come back with their state. */
    @Test
    void requestedWhileTheOldVersionRestarts() throws Exception {
        cutover.start(member(Color.BLUE).restarts(1), member(Color.GREEN), BEFORE);
        Hook.Stop start = Hook.stopStarts(Color.BLUE);
        Hook.failAt(Color.BLUE, BEFORE);
        cutover.from.allow(BEFORE + 1);
        start.awaitReached();
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        assertEquals("proposed", cutover.store.cutover());
        cutover.store.awaitAcknowledged("green-1");
        cutover.store.awaitRound("blue-1");
        assertEquals("proposed", cutover.store.cutover());
        start.release();
        cutover.store.awaitCutover("committed");
        cutover.finishExactly(BOUNDARY, COUNT);
    }

    /**
     * Blue owns all there is, and writes it; green owns what would come after, and nothing comes.
     * The end of the input is above every boundary: both jobs end by themselves, and the cutover is
     * over.
     */
    @Test
    void requestedForAfterTheLastRecord() throws Exception {
        requestedForAfterTheLastRecord(member(Color.BLUE), member(Color.GREEN));
    }

    /**
     * What a committer tells in a task of its own is numbered otherwise at the end of the input.
     */
    @Test
    void requestedForAfterTheLastRecordWithoutChains() throws Exception {
        requestedForAfterTheLastRecord(
                member(Color.BLUE).unchained(), member(Color.GREEN).unchained());
    }

    private void requestedForAfterTheLastRecord(SteppedJob from, SteppedJob to) throws Exception {
        long beyond = COUNT + 1_000;
        cutover.start(from, to, BEFORE);
        cutover.store.promote("green-1", Long.toString(beyond));
        cutover.store.awaitCutover("committed");
        cutover.finishExactly(COUNT, COUNT);
        // the agents' last words come after the jobs' ends
        cutover.store.awaitCutover("");
        assertEquals("green-1 since " + beyond, cutover.store.active());
    }

    /** Green is at the end of its input, and does not end before what it holds is written. */
    @Test
    void theNewVersionEndsFirst() throws Exception {
        cutover.start(member(Color.BLUE), member(Color.GREEN), BEFORE);
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        cutover.store.awaitCutover("committed");
        cutover.to.allow(COUNT);
        cutover.store.awaitHeld("green-1", COUNT - BOUNDARY);
        Eventually.becomes(
                "the end of green's input",
                () -> cutover.store.gate("green-1"),
                gate -> gate.path("watermark_low").asText().equals("+inf"));
        cutover.finishExactly(BOUNDARY, COUNT);
    }
}
