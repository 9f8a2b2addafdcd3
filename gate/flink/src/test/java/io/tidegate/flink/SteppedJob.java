package io.tidegate.flink;

import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A member whose sources go as far as its test allows, so that nothing hangs on how fast they are:
 * {@code {color}-{source}} in {@link Stepped#allow}. Each number is its own event time; there is a
 * watermark behind each.
 */
final class SteppedJob {
    private final TestingCluster cluster;
    private final Path folder;
    private final Color color;
    private final long count;
    private final Configuration config;
    private int parallelism = 1;
    private boolean unaligned;

    /**
     * @param count of its numbers
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

    /** Starts it with one source. */
    TestingJob start() throws Exception {
        StreamExecutionEnvironment env = cluster.environment(config);
        env.setParallelism(parallelism);
        env.enableCheckpointing(100);
        if (unaligned) {
            env.getCheckpointConfig().enableUnalignedCheckpoints();
        }
        DataStream<Long> numbers =
                env.fromSource(new Stepped(color + "-0", count), watermarks(), "numbers")
                        .setParallelism(1)
                        .uid("numbers");
        DataStream<Long> hooked = numbers.rebalance().map(new Hook(color)).uid("hook");
        TestingJob.addSink(folder, color, hooked, false);
        JobClient job = env.executeAsync("numbers " + color);
        return new TestingJob(folder, color, job, cluster.result(job.getJobID()));
    }

    private static WatermarkStrategy<Long> watermarks() {
        return WatermarkStrategy.<Long>forGenerator(context -> new Behind())
                .withTimestampAssigner((number, ignored) -> number);
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
