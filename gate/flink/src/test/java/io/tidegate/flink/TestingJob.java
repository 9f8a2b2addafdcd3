package io.tidegate.flink;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A member of a rollout in a MiniCluster of its own: the numbers from 0 on, at a steady rate, each
 * its own event time, through a gate into files that appear when a checkpoint is committed.
 */
final class TestingJob {
    private final Path output;
    private final JobClient job;

    private TestingJob(Path output, JobClient job) {
        this.output = output;
        this.job = job;
    }

    /** Starts a member; its sources read from the beginning. */
    static TestingJob start(
            Path folder, Color color, int parallelism, long count, double perSecond, long bound)
            throws Exception {
        Files.createDirectories(folder.resolve("store"));
        Configuration config = new Configuration();
        config.set(TidegateOptions.STORE, "directory://" + folder.resolve("store"));
        config.set(TidegateOptions.ROLLOUT, "numbers");
        config.set(TidegateOptions.COLOR, color);
        config.set(TidegateOptions.STARTS_AT_BEGINNING, true);
        config.set(TidegateOptions.HOLD_MAX_RECORDS, bound);
        // a job that fails must not hide it behind a restart
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        // answers to waiting gates cross as bytes, as between processes
        config.set(RpcOptions.FORCE_RPC_INVOCATION_SERIALIZATION, true);

        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, config);
        env.enableCheckpointing(200);
        env.getConfig().setAutoWatermarkInterval(20);
        DataGeneratorSource<Long> source =
                new DataGeneratorSource<>(number -> number, count, Types.LONG);
        WatermarkStrategy<Long> watermarks =
                WatermarkStrategy.<Long>forMonotonousTimestamps()
                        .withTimestampAssigner((number, ignored) -> number);
        DataStream<Long> numbers =
                env.fromSource(source, watermarks, "numbers")
                        .setParallelism(1)
                        .uid("numbers")
                        .map(new Paced(perSecond))
                        .setParallelism(1);
        Path output = folder.resolve(color.toString());
        GatedSink.of("out", TestingSinks.files(output)).addTo(numbers.rebalance());
        return new TestingJob(output, env.executeAsync("numbers " + color));
    }

    boolean isDone() {
        return job.getJobExecutionResult().isDone();
    }

    /** Waits for the end of the input; throws what made the job fail. */
    void join() throws Exception {
        job.getJobExecutionResult().get(2, TimeUnit.MINUTES);
    }

    void cancel() throws Exception {
        if (!isDone()) {
            job.cancel().get(1, TimeUnit.MINUTES);
        }
    }

    /** The numbers that are visible downstream. */
    List<Long> committed() throws IOException {
        if (!Files.exists(output)) {
            return new ArrayList<>();
        }
        try (Stream<Path> files = Files.walk(output)) {
            List<Path> visible =
                    files.filter(Files::isRegularFile)
                            .filter(file -> !file.getFileName().toString().startsWith("."))
                            .collect(Collectors.toList());
            List<Long> numbers = new ArrayList<>();
            for (Path file : visible) {
                Files.readAllLines(file).forEach(line -> numbers.add(Long.parseLong(line)));
            }
            return numbers;
        }
    }
}
