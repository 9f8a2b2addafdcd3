package io.tidegate.flink;

import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A member whose sources go as far as its test allows, so that nothing hangs on how fast they are.
 * Each number is its own event time; there is a watermark behind each.
 */
final class SteppedJob {
    private final TestingCluster cluster;
    private final Path folder;
    private final Color color;
    private final long count;
    private final Configuration config;
    private int parallelism = 1;
    private int sources = 1;
    private boolean chained;
    private boolean unaligned;
    private boolean unchained;

    /**
     * @param count of its numbers, all sources together
     */
    SteppedJob(TestingCluster cluster, Path folder, Color color, long count) throws Exception {
        this.cluster = cluster;
        this.folder = folder;
        this.color = color;
        this.count = count;
        this.config = TestingJob.options(folder, color);
    }

    /** Of all behind the source. */
    SteppedJob parallelism(int parallelism) {
        this.parallelism = parallelism;
        return this;
    }

    /** It is restarted, but not more often than this. */
    SteppedJob restarts(int attempts) {
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        config.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, attempts);
        config.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ZERO);
        return this;
    }

    /** Its barriers may overtake what is on its way to the gate. */
    SteppedJob unaligned() {
        unaligned = true;
        return this;
    }

    /** Gate, writer, committer and all else are tasks of their own. */
    SteppedJob unchained() {
        unchained = true;
        return this;
    }

    /**
     * It reads several sources, and its numbers are theirs in turn: number n of source i is n *
     * sources + i, and the watermark is that of the source that is behind.
     */
    SteppedJob sources(int sources) {
        this.sources = sources;
        return this;
    }

    int sources() {
        return sources;
    }

    /**
     * One chain of two partitions from source to sink. The second one's numbers begin above the
     * count: when they are never allowed, it is idle for ever, and says so. No partition ends.
     */
    SteppedJob chained() {
        chained = true;
        parallelism = 2;
        config.set(TidegateOptions.IDLE_AFTER, Duration.ofMillis(50));
        return this;
    }

    /** Lets numbers of all sources pass; a limit for each. */
    void allow(long... limits) {
        for (int source = 0; source < sources; source++) {
            Stepped.allow(color + "-" + source, limits[Math.min(source, limits.length - 1)]);
        }
    }

    TestingJob start() throws Exception {
        StreamExecutionEnvironment env = cluster.environment(config);
        env.setParallelism(parallelism);
        env.enableCheckpointing(100);
        if (unchained) {
            env.disableOperatorChaining();
        }
        if (unaligned) {
            env.getCheckpointConfig().enableUnalignedCheckpoints();
        }
        DataStream<Long> numbers = chained ? partitions(env) : union(env).rebalance();
        DataStream<Long> hooked = numbers.map(new Hook(color)).uid("hook");
        TestingJob.addSink(folder, color, hooked, false);
        JobClient job = env.executeAsync("numbers " + color);
        return new TestingJob(folder, color, job, cluster.result(job.getJobID()));
    }

    private DataStream<Long> partitions(StreamExecutionEnvironment env) {
        WatermarkStrategy<Long> watermarks =
                WatermarkStrategy.<Long>forGenerator(context -> new Unused())
                        .withTimestampAssigner((number, ignored) -> number);
        // while only some subtasks of a gate have ended, there are no checkpoints (decision 9)
        return env.fromSource(new Stepped(color + "-0", 2 * (count + 1)), watermarks, "numbers")
                .uid("numbers");
    }

    private DataStream<Long> union(StreamExecutionEnvironment env) {
        DataStream<Long> union = null;
        for (int source = 0; source < sources; source++) {
            String name = color + "-" + source;
            long index = source;
            long step = sources;
            DataStream<Long> numbers =
                    env.fromSource(
                                    new Stepped(name, count / sources),
                                    watermarks(sources, source),
                                    "numbers " + source)
                            .setParallelism(1)
                            .uid("numbers-" + source)
                            .map(number -> number * step + index)
                            .returns(Types.LONG)
                            .setParallelism(1);
            union = union == null ? numbers : union.union(numbers);
        }
        return union;
    }

    private static WatermarkStrategy<Long> watermarks(long step, long index) {
        return WatermarkStrategy.<Long>forGenerator(context -> new Behind())
                .withTimestampAssigner((number, ignored) -> number * step + index);
    }

    /** Idle until a number comes; one that waits for its test's leave to go on is not. */
    private static final class Unused implements WatermarkGenerator<Long> {
        private final Behind behind = new Behind();
        private boolean used;

        @Override
        public void onEvent(Long number, long timestamp, WatermarkOutput output) {
            used = true;
            behind.onEvent(number, timestamp, output);
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {
            if (!used) {
                output.markIdle();
            }
        }
    }

    /** After each number there is none that is as low. */
    private static final class Behind implements WatermarkGenerator<Long> {
        @Override
        public void onEvent(Long number, long timestamp, WatermarkOutput output) {
            output.emitWatermark(new Watermark(timestamp));
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }
}
