package io.tidegate.flink;

import java.util.Map;
import java.util.NavigableSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * Stands in the gate's task, before the gate, and does to a job what a test asks for: fails it,
 * makes its snapshot or its start wait; and counts its completed checkpoints. For the whole JVM.
 */
final class Hook extends RichMapFunction<Long, Long>
        implements CheckpointedFunction, CheckpointListener {
    private static final long serialVersionUID = 1L;

    private static final Map<Color, Long> FAILURES = new ConcurrentHashMap<>();
    private static final Map<Color, Stop> SNAPSHOTS = new ConcurrentHashMap<>();
    private static final Map<Color, Stop> STARTS = new ConcurrentHashMap<>();
    private static final Map<Color, NavigableSet<Long>> COMPLETED = new ConcurrentHashMap<>();

    private final Color color;

    /** A place where tasks wait for a test. */
    static final class Stop {
        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);

        private void pass() throws InterruptedException {
            reached.countDown();
            released.await();
        }

        /** Waits until a task is here. */
        void awaitReached() throws Exception {
            Eventually.becomes("a task's stop", reached::getCount, tasks -> tasks == 0);
        }

        /** Nobody waits here any more. */
        void release() {
            released.countDown();
        }
    }

    Hook(Color color) {
        this.color = color;
    }

    /** Nothing is asked for. */
    static void reset() {
        FAILURES.clear();
        SNAPSHOTS.clear();
        STARTS.clear();
        COMPLETED.clear();
    }

    /** The job fails, once, when this number comes. */
    static void failAt(Color color, long number) {
        FAILURES.put(color, number);
    }

    /** Whether the failure that was asked for is still to come. */
    static boolean isToFail(Color color) {
        return FAILURES.containsKey(color);
    }

    /** From now on snapshots wait. */
    static Stop stopSnapshots(Color color) {
        return stop(SNAPSHOTS, color);
    }

    /** From now on tasks wait before they are started. */
    static Stop stopStarts(Color color) {
        return stop(STARTS, color);
    }

    private static Stop stop(Map<Color, Stop> stops, Color color) {
        Stop stop = new Stop();
        stops.put(color, stop);
        return stop;
    }

    /** Waits until more checkpoints have completed that were triggered after this call. */
    static void awaitCheckpoints(Color color, int more) throws Exception {
        // one may have been triggered before
        int enough = completed(color) + more + 1;
        Eventually.becomes(
                more + " more checkpoints of " + color,
                () -> completed(color),
                count -> count >= enough);
    }

    private static int completed(Color color) {
        return COMPLETED.computeIfAbsent(color, ignored -> new ConcurrentSkipListSet<>()).size();
    }

    @Override
    public Long map(Long number) {
        if (FAILURES.remove(color, number)) {
            throw new IllegalStateException("a test makes the job fail at " + number);
        }
        return number;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        pass(STARTS);
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        pass(SNAPSHOTS);
    }

    private void pass(Map<Color, Stop> stops) throws InterruptedException {
        Stop stop = stops.get(color);
        if (stop != null) {
            stop.pass();
        }
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        COMPLETED
                .computeIfAbsent(color, ignored -> new ConcurrentSkipListSet<>())
                .add(checkpointId);
    }
}
