package io.tidegate.flink;

import io.tidegate.flink.internal.Evidence;
import io.tidegate.flink.internal.GateGraph;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;

/**
 * A gate anywhere in a stream: of the two jobs that share a rollout, exactly one lets a record
 * pass.
 *
 * <p>Its evidence that output is visible is the next completed checkpoint. That is enough for a
 * sink that has flushed by then; for one that commits after it, it is weaker than {@link
 * GatedSink}, which asks the committer.
 *
 * <p>The options are read, and wrong ones refused, when the gate is added.
 *
 * @param <T> the records
 */
public final class Gate<T> {
    private final String name;
    private final SerializableTimestampAssigner<T> timestamps;

    private Gate(String name, SerializableTimestampAssigner<T> timestamps) {
        this.name = name;
        this.timestamps = timestamps;
    }

    /**
     * Adds a gate named {@code default}.
     *
     * @throws TidegateException when an option is missing or not valid, or the name is taken
     */
    public static <T> SingleOutputStreamOperator<T> wrap(DataStream<T> stream) {
        return wrap(stream, "default");
    }

    /**
     * Adds a gate.
     *
     * @param name unique in the job, the same in both colors; {@code [a-z0-9]([-a-z0-9]*)}
     * @throws TidegateException when an option is missing or not valid, or the name is not valid or
     *     taken
     */
    public static <T> SingleOutputStreamOperator<T> wrap(DataStream<T> stream, String name) {
        return Gate.<T>named(name).addTo(stream);
    }

    /** A gate that is still to be added to a stream. */
    public static <T> Gate<T> named(String name) {
        return new Gate<>(name, null);
    }

    /**
     * A gate that takes event times from the records' content.
     *
     * @param timestamps gives epoch milliseconds, or {@code Long.MIN_VALUE} when there is none; the
     *     records keep the timestamps they have
     */
    public Gate<T> timestamps(SerializableTimestampAssigner<T> timestamps) {
        return new Gate<>(name, timestamps);
    }

    /**
     * @throws TidegateException as {@link #wrap(DataStream, String)}
     */
    public SingleOutputStreamOperator<T> addTo(DataStream<T> stream) {
        return GateGraph.gate(stream, name, Evidence.CHECKPOINT, timestamps);
    }
}
