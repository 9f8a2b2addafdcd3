package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Cutovers of whole jobs whose inputs are not alike. */
class SourcesITCase extends SteppedTestBase {
    /**
     * One source is at its end, another has not come to the boundary; in green it is the other one.
     * What counts is the one that is behind: until it is there nothing is finished, whatever is
     * written and committed above the boundary, and then each number is there.
     */
    @Test
    void oneSourceIsFarBehindTheOther() throws Exception {
        SteppedJob from = member(Color.BLUE).sources(2);
        SteppedJob to = member(Color.GREEN).sources(2);
        cutover.start(from, to, 450);
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        cutover.store.awaitCutover("committed");
        from.allow(COUNT / 2, 450);
        to.allow(450, COUNT / 2);
        cutover.store.awaitDiscarded("blue-1", (COUNT - BOUNDARY) / 2);
        cutover.store.awaitHeld("green-1", (COUNT - BOUNDARY) / 2);
        Hook.awaitCheckpoints(Color.BLUE, 2);
        cutover.store.awaitRound("blue-1");
        assertEquals("committed", cutover.store.cutover());
        assertEquals(List.of(), cutover.green.committed());
        cutover.finishExactly(BOUNDARY, COUNT);
    }

    /**
     * A subtask of the gate to which nothing ever comes, not even a watermark, is not waited for.
     */
    @Test
    void aPartitionThatIsIdleForEverBlocksNothing() throws Exception {
        SteppedJob from = member(Color.BLUE).chained();
        SteppedJob to = member(Color.GREEN).chained();
        cutover.start(from, to, 900);
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        cutover.store.awaitCutover("committed");
        from.allow(COUNT);
        to.allow(COUNT);
        cutover.store.awaitCutover("");
        Eventually.becomes(
                "green's output",
                cutover.green::committed,
                seen -> seen.size() == COUNT - BOUNDARY);
        assertEquals("green-1 since " + BOUNDARY, cutover.store.active());
        cutover.blue.stop(folder.resolve("savepoints"));
        cutover.green.stop(folder.resolve("savepoints"));
        cutover.assertExact(BOUNDARY, COUNT);
    }
}
