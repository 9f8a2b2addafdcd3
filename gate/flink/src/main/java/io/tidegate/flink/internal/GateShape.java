package io.tidegate.flink.internal;

import java.io.Serializable;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.util.OutputTag;

/**
 * What a gate is like, as the job's author has put it.
 *
 * @param <T> the records
 */
public final class GateShape<T> implements Serializable {
    private static final long serialVersionUID = 1L;

    final String name;

    /** Null: the records' own. */
    final SerializableTimestampAssigner<T> timestamps;

    /** Where late records go when the policy is a side output; null: nowhere. */
    final OutputTag<T> late;

    /** Where records go that the other version owns; null: nowhere. */
    final OutputTag<T> preview;

    private GateShape(
            String name,
            SerializableTimestampAssigner<T> timestamps,
            OutputTag<T> late,
            OutputTag<T> preview) {
        this.name = name;
        this.timestamps = timestamps;
        this.late = late;
        this.preview = preview;
    }

    public static <T> GateShape<T> named(String name) {
        return new GateShape<>(name, null, null, null);
    }

    public GateShape<T> timestamps(SerializableTimestampAssigner<T> timestamps) {
        return new GateShape<>(name, timestamps, late, preview);
    }

    public GateShape<T> late(OutputTag<T> late) {
        return new GateShape<>(name, timestamps, late, preview);
    }

    public GateShape<T> preview(OutputTag<T> preview) {
        return new GateShape<>(name, timestamps, late, preview);
    }
}
