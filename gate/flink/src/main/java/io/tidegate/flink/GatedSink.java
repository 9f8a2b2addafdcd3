package io.tidegate.flink;

import io.tidegate.flink.internal.GateGraph;
import io.tidegate.flink.internal.GateShape;
import java.util.function.Function;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;

/**
 * A sink with a gate in front of it.
 *
 * <pre>{@code
 * GatedSink.forIdentity("orders", identity ->
 *         KafkaSink.<Order>builder()
 *             .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
 *             .setTransactionalIdPrefix(identity.transactionalIdPrefix("orders"))
 *             ...
 *             .build())
 *     .addTo(orders);
 * }</pre>
 *
 * <p>It adds itself to the stream, since the gate and the sink need unlike uids: {@code
 * tidegate-gate-<name>} in both colors, and {@code tidegate-sink-<name>-<color>-<generation>}, so
 * that a new version never restores the old one's open transactions. A new version is therefore
 * started with non-restored state allowed. Do not change the uid of the sink that is returned.
 *
 * <p>When the sink has a committer (FLIP-143), the gate learns from it what is visible downstream;
 * otherwise from completed checkpoints, before which a sink without a committer has flushed.
 *
 * @param <T> the records
 */
public final class GatedSink<T> {
    private final String name;
    private final Function<Identity, ? extends Sink<T>> sink;
    private final SerializableTimestampAssigner<T> timestamps;

    /** Null: none. */
    private final Function<Identity, ? extends Sink<T>> late;

    /** Null: none. */
    private final Function<Identity, ? extends Sink<T>> preview;

    private GatedSink(
            String name,
            Function<Identity, ? extends Sink<T>> sink,
            SerializableTimestampAssigner<T> timestamps,
            Function<Identity, ? extends Sink<T>> late,
            Function<Identity, ? extends Sink<T>> preview) {
        this.name = name;
        this.sink = sink;
        this.timestamps = timestamps;
        this.late = late;
        this.preview = preview;
    }

    /**
     * @param name of the gate: unique in the job, the same in both colors; {@code
     *     [a-z0-9]([-a-z0-9]*)}
     */
    public static <T> GatedSink<T> of(String name, Sink<T> sink) {
        return forIdentity(name, identity -> sink);
    }

    /**
     * For sinks that carry the identity, such as an exactly-once KafkaSink. Not another {@code of}:
     * a Sink is a functional interface too, and a lambda could mean either.
     *
     * @param name of the gate: unique in the job, the same in both colors; {@code
     *     [a-z0-9]([-a-z0-9]*)}
     * @param sink makes the sink for this job's identity
     */
    public static <T> GatedSink<T> forIdentity(
            String name, Function<Identity, ? extends Sink<T>> sink) {
        return new GatedSink<>(name, sink, null, null, null);
    }

    /** See {@link Gate#timestamps}. */
    public GatedSink<T> timestamps(SerializableTimestampAssigner<T> timestamps) {
        return new GatedSink<>(name, sink, timestamps, late, preview);
    }

    /**
     * A second sink, for late records when the rollout's {@code tidegate.late-policy} is {@code
     * side-output}.
     */
    public GatedSink<T> lateRecords(Sink<T> sink) {
        return lateRecordsForIdentity(identity -> sink);
    }

    /**
     * As {@link #lateRecords}; an exactly-once KafkaSink needs {@link
     * Identity#lateTransactionalIdPrefix}.
     */
    public GatedSink<T> lateRecordsForIdentity(Function<Identity, ? extends Sink<T>> late) {
        return new GatedSink<>(name, sink, timestamps, late, preview);
    }

    /**
     * A second sink, for what this version would have written while the other one writes: see
     * {@link Gate#preview}.
     */
    public GatedSink<T> preview(Sink<T> sink) {
        return previewForIdentity(identity -> sink);
    }

    /**
     * As {@link #preview}; an exactly-once KafkaSink needs {@link
     * Identity#previewTransactionalIdPrefix}.
     */
    public GatedSink<T> previewForIdentity(Function<Identity, ? extends Sink<T>> preview) {
        return new GatedSink<>(name, sink, timestamps, late, preview);
    }

    /**
     * @throws TidegateException when an option is missing or not valid, the name is not valid or
     *     taken, or the sink would take over the other color's state (SinkStateInherited)
     */
    public DataStreamSink<T> addTo(DataStream<T> stream) {
        Identity identity = Identity.from(stream.getExecutionEnvironment());
        return GateGraph.sink(
                stream,
                GateShape.<T>named(name).timestamps(timestamps),
                sink.apply(identity),
                late == null ? null : late.apply(identity),
                preview == null ? null : preview.apply(identity));
    }
}
