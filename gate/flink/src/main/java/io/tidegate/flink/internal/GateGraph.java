package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.PartitionTransformation;

/**
 * Adds gates, and the sinks behind them, to a job graph; refuses graphs that would lose records.
 */
public final class GateGraph {

    /**
     * Adds a gate. It takes over the parallelism of the operator before it, so that it is chained
     * to that and reorders nothing; behind a keyBy or a rebalance it has the environment's.
     *
     * @param timestamps null: the records' own
     */
    public static <T> SingleOutputStreamOperator<T> gate(
            DataStream<T> stream,
            String name,
            Evidence evidence,
            SerializableTimestampAssigner<T> timestamps) {
        StreamExecutionEnvironment env = stream.getExecutionEnvironment();
        Settings settings = new Settings(env.getConfiguration());
        checkCheckpoints(name, env.getCheckpointConfig());
        GateNames names = GateNames.of(env);
        names.add(name);
        SingleOutputStreamOperator<T> gate =
                stream.transform(
                        "gate " + name,
                        stream.getType(),
                        new GateOperatorFactory<>(name, names, settings, evidence, timestamps));
        if (!(stream.getTransformation() instanceof PartitionTransformation)) {
            gate.getTransformation()
                    .setParallelism(
                            stream.getParallelism(),
                            stream.getTransformation().isParallelismConfigured());
        }
        // the same in both colors: a new version reads from the old one's gate what it has seen
        return gate.uid("tidegate-gate-" + name);
    }

    /**
     * Adds a gate and a sink behind it, with the gate's parallelism and a uid of this generation's
     * own.
     *
     * @throws TidegateException when the sink would take over the other color's state
     */
    public static <T> DataStreamSink<T> sink(
            DataStream<T> stream,
            String name,
            Sink<T> sink,
            SerializableTimestampAssigner<T> timestamps) {
        StreamExecutionEnvironment env = stream.getExecutionEnvironment();
        Settings settings = new Settings(env.getConfiguration());
        SinkState state = new SinkState(env.getConfiguration(), settings.identity(), name);
        state.check(sink);
        boolean commits = sink instanceof SupportsCommitter;
        Evidence evidence = commits ? Evidence.COMMITTER : Evidence.CHECKPOINT;
        SingleOutputStreamOperator<T> gate = gate(stream, name, evidence, timestamps);
        Sink<T> behind =
                commits
                        ? CommitReportingSink.of(
                                sink,
                                new CommitReporterFactory<>(name, GateNames.of(env), settings))
                        : sink;
        DataStreamSink<T> added = gate.sinkTo(behind).uid(state.uid()).name("sink " + name);
        added.getTransformation()
                .setParallelism(
                        gate.getParallelism(), gate.getTransformation().isParallelismConfigured());
        return added;
    }

    private static void checkCheckpoints(String gate, CheckpointConfig checkpoints) {
        if (!checkpoints.isCheckpointingEnabled()) {
            throw new TidegateException(
                    String.format(
                            "CheckpointingDisabled: gate '%s' learns from checkpoints what has been"
                                    + " committed, and without them no cutover ever finishes; call"
                                    + " enableCheckpointing before adding the gate, or set"
                                    + " execution.checkpointing.interval",
                            gate));
        }
        // A barrier that overtakes records between gate and sink makes them part of a checkpoint
        // whose commit does not contain them: the frontier would pass output that is not visible.
        if (checkpoints.isUnalignedCheckpointsEnabled()) {
            throw new TidegateException(
                    String.format(
                            "UnalignedCheckpoints: behind gate '%s' a committed checkpoint must"
                                    + " contain all records that the gate emitted before it; set"
                                    + " execution.checkpointing.unaligned.enabled to false",
                            gate));
        }
    }

    private GateGraph() {}
}
