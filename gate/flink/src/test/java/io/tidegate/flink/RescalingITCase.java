package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.JobManagerOptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Flink's adaptive scheduler changes the parallelism of whole jobs in the middle of a cutover. */
class RescalingITCase extends SteppedTestBase {
    private static final long BEFORE = 900;
    private static final long HELD = 500;

    @BeforeAll
    static void startCluster() throws Exception {
        Configuration config = new Configuration();
        config.set(JobManagerOptions.SCHEDULER, JobManagerOptions.SchedulerType.Adaptive);
        // by their names: one of the constants is called otherwise in Flink 2
        String scheduler = "jobmanager.adaptive-scheduler.";
        config.setString(scheduler + "scaling-interval.min", "0 ms");
        config.setString(scheduler + "resource-stabilization-timeout", "0 ms");
        cluster = TestingCluster.start(6, config);
    }

    /** What green holds is split over more subtasks, while blue goes on with fewer. */
    @Test
    void bothVersionsWhileTheNewOneHolds() throws Exception {
        cutover.start(member(Color.BLUE), member(Color.GREEN), BEFORE);
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        cutover.store.awaitCutover("committed");
        cutover.to.allow(BOUNDARY + HELD);
        cutover.store.awaitHeld("green-1", HELD);
        cluster.rescale(cutover.green.id(), 3);
        cluster.rescale(cutover.blue.id(), 1);
        cutover.store.awaitParallelism("green-1", 3);
        cutover.store.awaitParallelism("blue-1", 1);
        cutover.store.awaitHeld("green-1", HELD);
        assertEquals("committed", cutover.store.cutover());
        cutover.finishExactly(BOUNDARY, COUNT);
    }

    /**
     * Blue's subtasks are asked for their acknowledgement while they are being replaced: only the
     * new ones give it.
     */
    @Test
    void theOldVersionWhileABoundaryIsProposed() throws Exception {
        cutover.start(member(Color.BLUE), member(Color.GREEN), BEFORE);
        Hook.Stop start = Hook.stopStarts(Color.BLUE);
        cluster.rescale(cutover.blue.id(), 3);
        start.awaitReached();
        cutover.store.promote("green-1", Long.toString(BOUNDARY));
        cutover.store.awaitAcknowledged("green-1");
        cutover.store.awaitRound("blue-1");
        assertEquals("proposed", cutover.store.cutover());
        start.release();
        cutover.store.awaitCutover("committed");
        cutover.store.awaitParallelism("blue-1", 3);
        cutover.finishExactly(BOUNDARY, COUNT);
    }
}
