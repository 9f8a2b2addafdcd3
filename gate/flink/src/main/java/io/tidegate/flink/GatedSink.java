package io.tidegate.flink;

import io.tidegate.flink.internal.GateGraph;
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

    private GatedSink(
            String name,
            Function<Identity, ? extends Sink<T>> sink,
            SerializableTimestampAssigner<T> timestamps) {
        this.name = name;
        this.sink = sink;
        this.timestamps = timestamps;
    }

    /**
     * @param name of the gate: unique in the job, the same in both colors; {@code
     *     [a-z0-9]([-a-z0-9]*)}
     */
    public static <T> GatedSink<T> of(String name, Sink<T> sink) {
        return new GatedSink<>(name, identity -> sink, null);
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
        return new GatedSink<>(name, sink, null);
    }

    /** See {@link Gate#timestamps}. */
    public GatedSink<T> timestamps(SerializableTimestampAssigner<T> timestamps) {
        return new GatedSink<>(name, sink, timestamps);
    }

    /**
     * @throws TidegateException when an option is missing or not valid, the name is not valid or
     *     taken, or the sink would take over the other color's state (SinkStateInherited)
     */
    public DataStreamSink<T> addTo(DataStream<T> stream) {
        Identity identity = Identity.from(stream.getExecutionEnvironment());
        return GateGraph.sink(stream, name, sink.apply(identity), timestamps);
    }
}
