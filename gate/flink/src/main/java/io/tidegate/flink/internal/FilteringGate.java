package io.tidegate.flink.internal;

import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/** Lets through what this version is to write. */
final class FilteringGate<T> extends GateOperator<T, T> {
    private static final long serialVersionUID = 1L;

    private final OutputTag<T> late;
    private final OutputTag<T> preview;

    FilteringGate(
            StreamOperatorParameters<T> parameters,
            GateShape<T> shape,
            Settings settings,
            CoordinatorLink link) {
        super(parameters, shape, settings, link);
        this.late = shape.late;
        this.preview = shape.preview;
    }

    @Override
    void emit(StreamRecord<T> record, long eventTime, int disposition) {
        if (disposition == Native.LATE_SIDE_OUTPUT && late != null) {
            output.collect(late, record);
        } else {
            // late ones too when the rollout wants a side output and this job has none: never lost
            output.collect(record);
        }
    }

    @Override
    boolean wantsWithheld() {
        return preview != null;
    }

    @Override
    void withhold(StreamRecord<T> record, long eventTime, int disposition) {
        if (preview != null && disposition == Native.DISCARD) {
            output.collect(preview, record);
        }
    }
}
