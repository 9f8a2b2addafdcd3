package io.tidegate.flink;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A member of a rollout in a MiniCluster of its own: the numbers from 0 on, at a steady rate, each
 * its own event time, through a gate into files that appear when a checkpoint is committed.
 */
final class TestingJob {
    /** No number is dated in the far future. */
    static final long NONE = -1;

    /** The year 2100. */
    static final long FAR = 4_102_444_800_000L;

    /**
     * Watermarks that go by the numbers, as a source does that knows better than one record; among
     * them, since thousands of numbers wait in buffers before a clock that ticks beside them does.
     */
    private static final class Believing implements WatermarkGenerator<Long> {
        @Override
        public void onEvent(Long number, long timestamp, WatermarkOutput output) {
            if (number % 100 == 0) {
                output.emitWatermark(new Watermark(number - 1));
            }
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }

    private final Path output;
    private final Path preview;
    private final JobClient job;
    private final CompletableFuture<?> result;

    /**
     * @param result done when the job is
     */
    TestingJob(Path folder, Color color, JobClient job, CompletableFuture<?> result) {
        this.output = output(folder, color);
        this.preview = preview(folder, color);
        this.job = job;
        this.result = result;
    }

    /** Starts a member; its sources read from the beginning. */
    static TestingJob start(
            Path folder, Color color, int parallelism, long count, double perSecond, long bound)
            throws Exception {
        Configuration nothing = new Configuration();
        return start(folder, color, parallelism, count, perSecond, bound, NONE, nothing);
    }

    /**
     * Starts a member with unaligned checkpoints, channels between its gate and its sink, and a
     * sink for its preview; unless {@code poison} is {@link #NONE}.
     *
     * @param poison the number that is dated {@link #FAR}, while watermarks go by the others
     * @param more options beside those of every member, or in their place
     */
    static TestingJob start(
            Path folder,
            Color color,
            int parallelism,
            long count,
            double perSecond,
            long bound,
            long poison,
            Configuration more)
            throws Exception {
        Configuration config = options(folder, color);
        config.set(TidegateOptions.HOLD_MAX_RECORDS, bound);
        // answers to waiting gates cross as bytes, as between processes
        config.set(RpcOptions.FORCE_RPC_INVOCATION_SERIALIZATION, true);
        // where nothing is chained a barrier waits behind what is in buffers, and an order to a
        // gate waits for the checkpoint: seconds, with buffers of the usual size
        config.set(TaskManagerOptions.MEMORY_SEGMENT_SIZE, MemorySize.parse("4kb"));
        config.addAll(more);

        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, config);
        env.enableCheckpointing(200);
        DataGeneratorSource<Long> source =
                new DataGeneratorSource<>(number -> number, count, Types.LONG);
        WatermarkStrategy<Long> watermarks =
                WatermarkStrategy.<Long>forGenerator(context -> new Believing())
                        .withTimestampAssigner(
                                (number, ignored) -> number == poison ? FAR : number);
        DataStream<Long> numbers =
                env.fromSource(source, watermarks, "numbers")
                        .setParallelism(1)
                        .uid("numbers")
                        .map(new Paced(perSecond))
                        .setParallelism(1);
        if (poison != NONE) {
            env.getCheckpointConfig().enableUnalignedCheckpoints();
            env.disableOperatorChaining();
        }
        addSink(folder, color, numbers.rebalance(), poison != NONE);
        JobClient job = env.executeAsync("numbers " + color);
        return new TestingJob(folder, color, job, job.getJobExecutionResult());
    }

    /** The options of every member; its sources read from the beginning. */
    static Configuration options(Path folder, Color color) throws IOException {
        Files.createDirectories(folder.resolve("store"));
        Configuration config = new Configuration();
        config.set(TidegateOptions.STORE, "directory://" + folder.resolve("store"));
        config.set(TidegateOptions.ROLLOUT, "numbers");
        config.set(TidegateOptions.COLOR, color);
        config.set(TidegateOptions.STARTS_AT_BEGINNING, true);
        // a job that fails must not hide it behind a restart
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        return config;
    }

    /** Adds the gate and its files. */
    static void addSink(Path folder, Color color, DataStream<Long> numbers, boolean previewed) {
        GatedSink<Long> sink = GatedSink.of("out", TestingSinks.files(output(folder, color)));
        if (previewed) {
            sink = sink.preview(TestingSinks.files(preview(folder, color)));
        }
        sink.addTo(numbers);
    }

    private static Path output(Path folder, Color color) {
        return folder.resolve(color.toString());
    }

    private static Path preview(Path folder, Color color) {
        return folder.resolve("preview-" + color);
    }

    /** The threads of agents; one ends after its job, and until then writes its report. */
    static List<String> agents() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter("tidegate-agent"::equals)
                .collect(Collectors.toList());
    }

    JobID id() {
        return job.getJobID();
    }

    boolean isDone() {
        return result.isDone();
    }

    /** Waits for the end of the input; throws what made the job fail. */
    void join() throws Exception {
        result.get(2, TimeUnit.MINUTES);
    }

    void cancel() throws Exception {
        if (!isDone()) {
            job.cancel().get(1, TimeUnit.MINUTES);
        }
    }

    /** As a version is retired: its sink commits. */
    void stop(Path savepoints) throws Exception {
        job.stopWithSavepoint(false, savepoints.toUri().toString(), SavepointFormatType.NATIVE)
                .get(1, TimeUnit.MINUTES);
        join();
    }

    /** The numbers that are visible downstream. */
    List<Long> committed() throws IOException {
        return numbers(output);
    }

    /** The numbers that are visible in the preview. */
    List<Long> previewed() throws IOException {
        return numbers(preview);
    }

    private static List<Long> numbers(Path output) throws IOException {
        if (!Files.exists(output)) {
            return new ArrayList<>();
        }
        List<Path> visible = new ArrayList<>();
        Files.walkFileTree(
                output,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                        if (!file.getFileName().toString().startsWith(".")) {
                            visible.add(file);
                        }
                        return FileVisitResult.CONTINUE;
                    }

                    /** One in progress that has just been committed, under another name. */
                    @Override
                    public FileVisitResult visitFileFailed(Path file, IOException e)
                            throws IOException {
                        if (e instanceof NoSuchFileException) {
                            return FileVisitResult.CONTINUE;
                        }
                        throw e;
                    }
                });
        List<Long> numbers = new ArrayList<>();
        for (Path file : visible) {
            Files.readAllLines(file).forEach(line -> numbers.add(Long.parseLong(line)));
        }
        return numbers;
    }
}
