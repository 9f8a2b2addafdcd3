package io.tidegate.flink;

import io.tidegate.flink.internal.Evidence;
import io.tidegate.flink.internal.GateGraph;
import io.tidegate.flink.internal.GateShape;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.util.OutputTag;

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
    private final GateShape<T> shape;

    private Gate(GateShape<T> shape) {
        this.shape = shape;
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
        return new Gate<>(GateShape.named(name));
    }

    /**
     * A gate that takes event times from the records' content.
     *
     * @param timestamps gives epoch milliseconds, or {@code Long.MIN_VALUE} when there is none; the
     *     records keep the timestamps they have
     */
    public Gate<T> timestamps(SerializableTimestampAssigner<T> timestamps) {
        return new Gate<>(shape.timestamps(timestamps));
    }

    /**
     * A gate that sends late records to a side output when the rollout's {@code
     * tidegate.late-policy} is {@code side-output}; read them with {@code getSideOutput} from what
     * {@link #addTo} returns.
     */
    public Gate<T> lateRecords(OutputTag<T> tag) {
        return new Gate<>(shape.late(tag));
    }

    /**
     * A gate that sends to a side output what this version would have written: the records that it
     * discards because the other version owns their event time. Not among them are late ones, and
     * those that the other version held in the snapshot that this one was started from. What is
     * held goes there, or on, when it is decided.
     */
    public Gate<T> preview(OutputTag<T> tag) {
        return new Gate<>(shape.preview(tag));
    }

    /**
     * @throws TidegateException as {@link #wrap(DataStream, String)}
     */
    public SingleOutputStreamOperator<T> addTo(DataStream<T> stream) {
        return GateGraph.gate(stream, shape, Evidence.CHECKPOINT);
    }

    /**
     * Adds a gate that lets everything through, each record with what was decided about it, for
     * user code that must see more than what is to be written. What is held still waits, and passes
     * with its decision. Whoever writes must leave out what is not {@link Disposition#isEmitted()}:
     * then the guarantee is that of {@link #addTo}.
     *
     * @throws TidegateException as {@link #addTo}, and when a side output is given as well
     */
    public SingleOutputStreamOperator<Tagged<T>> tagged(DataStream<T> stream) {
        return GateGraph.tagged(stream, shape);
    }
}
