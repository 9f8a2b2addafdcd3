package io.tidegate.flink.internal;

import io.tidegate.flink.Tagged;
import io.tidegate.flink.TidegateException;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.streaming.api.connector.sink2.SupportsPreWriteTopology;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.PartitionTransformation;
import org.apache.flink.util.OutputTag;

/**
 * Adds gates, and the sinks behind them, to a job graph; refuses graphs that would lose records.
 */
public final class GateGraph {

    /**
     * Adds a gate. It takes over the parallelism of the operator before it, so that it is chained
     * to that and reorders nothing; behind a keyBy or a rebalance it has the environment's.
     */
    public static <T> SingleOutputStreamOperator<T> gate(
            DataStream<T> stream, GateShape<T> shape, Evidence evidence) {
        refuseUnaligned(shape.name, stream.getExecutionEnvironment().getCheckpointConfig());
        return filtering(stream, shape, evidence);
    }

    /** Adds a gate that lets everything through with what was decided about it. */
    public static <T> SingleOutputStreamOperator<Tagged<T>> tagged(
            DataStream<T> stream, GateShape<T> shape) {
        if (shape.late != null || shape.preview != null) {
            throw new TidegateException(
                    String.format(
                            "SideOutputUnused: gate '%s' is tagged, so that late records and those"
                                    + " of the other version pass with all others; leave lateRecords"
                                    + " and preview out, or add it with addTo",
                            shape.name));
        }
        StreamExecutionEnvironment env = stream.getExecutionEnvironment();
        refuseUnaligned(shape.name, env.getCheckpointConfig());
        Settings settings = new Settings(env.getConfiguration());
        return add(
                stream,
                shape.name,
                Tagged.type(stream.getType()),
                GateOperatorFactory.tagging(
                        shape, GateNames.of(env), settings, Evidence.CHECKPOINT));
    }

    private static <T> SingleOutputStreamOperator<T> filtering(
            DataStream<T> stream, GateShape<T> shape, Evidence evidence) {
        StreamExecutionEnvironment env = stream.getExecutionEnvironment();
        Settings settings = new Settings(env.getConfiguration());
        if (settings.lateRecordsGoAside() && shape.late == null) {
            throw new TidegateException(
                    String.format(
                            "SideOutputMissing: tidegate.late-policy is side-output, and gate '%s'"
                                    + " has none; give it one with lateRecords, or set the policy"
                                    + " to emit or drop",
                            shape.name));
        }
        return add(
                stream,
                shape.name,
                stream.getType(),
                GateOperatorFactory.filtering(shape, GateNames.of(env), settings, evidence));
    }

    private static <T, OUT> SingleOutputStreamOperator<OUT> add(
            DataStream<T> stream,
            String name,
            TypeInformation<OUT> type,
            GateOperatorFactory<T, OUT> factory) {
        checkCheckpoints(name, stream.getExecutionEnvironment().getCheckpointConfig());
        factory.names().add(name);
        SingleOutputStreamOperator<OUT> gate = stream.transform("gate " + name, type, factory);
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
     * own; and the sinks of its side outputs.
     *
     * @param late null: none
     * @param preview null: none
     * @throws TidegateException when a sink would take over the other color's state
     */
    public static <T> DataStreamSink<T> sink(
            DataStream<T> stream, GateShape<T> shape, Sink<T> sink, Sink<T> late, Sink<T> preview) {
        StreamExecutionEnvironment env = stream.getExecutionEnvironment();
        Settings settings = new Settings(env.getConfiguration());
        String name = shape.name;
        SinkState state = state(env, settings, name, SinkState.Role.SINK, sink);
        boolean commits = sink instanceof SupportsCommitter;
        Evidence evidence = commits ? Evidence.COMMITTER : Evidence.CHECKPOINT;
        if (sink instanceof SupportsPreWriteTopology) {
            refuseUnaligned(name, env.getCheckpointConfig());
        }
        OutputTag<T> lateTag = late == null ? null : tag(SinkState.Role.LATE, stream);
        OutputTag<T> previewTag = preview == null ? null : tag(SinkState.Role.PREVIEW, stream);
        SingleOutputStreamOperator<T> gate =
                filtering(stream, shape.late(lateTag).preview(previewTag), evidence);
        Sink<T> behind =
                commits
                        ? CommitReportingSink.of(
                                sink,
                                new CommitReporterFactory<>(name, GateNames.of(env), settings))
                        : sink;
        if (late != null) {
            SinkState own = state(env, settings, name, SinkState.Role.LATE, late);
            add(gate, gate.getSideOutput(lateTag), late, own.uid(), "late records of " + name);
        }
        if (preview != null) {
            SinkState own = state(env, settings, name, SinkState.Role.PREVIEW, preview);
            add(gate, gate.getSideOutput(previewTag), preview, own.uid(), "preview of " + name);
        }
        return add(gate, gate, behind, state.uid(), "sink " + name);
    }

    private static <T> OutputTag<T> tag(SinkState.Role role, DataStream<T> stream) {
        return new OutputTag<>("tidegate-" + role, stream.getType());
    }

    private static SinkState state(
            StreamExecutionEnvironment env,
            Settings settings,
            String gate,
            SinkState.Role role,
            Sink<?> sink) {
        SinkState state = new SinkState(env.getConfiguration(), settings.identity(), gate, role);
        state.check(sink);
        return state;
    }

    /**
     * A forward edge keeps the records' order, and a barrier overtakes no record on it: Flink
     * aligns checkpoints there, where it does not chain the sink to the gate.
     */
    private static <T> DataStreamSink<T> add(
            SingleOutputStreamOperator<T> gate,
            DataStream<T> stream,
            Sink<T> sink,
            String uid,
            String name) {
        DataStreamSink<T> added = stream.forward().sinkTo(sink).uid(uid).name(name);
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
    }

    /**
     * Between a gate and a sink that may be in another task, a barrier that overtakes records makes
     * them part of a checkpoint whose commit does not contain them: the frontier would pass output
     * that is not visible.
     */
    private static void refuseUnaligned(String gate, CheckpointConfig checkpoints) {
        if (checkpoints.isUnalignedCheckpointsEnabled()) {
            throw new TidegateException(
                    String.format(
                            "UnalignedCheckpoints: behind gate '%s' a committed checkpoint must"
                                    + " contain all records that the gate emitted before it; use"
                                    + " GatedSink with a sink that shuffles nothing before its"
                                    + " writer, or set execution.checkpointing.unaligned.enabled to"
                                    + " false",
                            gate));
        }
    }

    private GateGraph() {}
}
