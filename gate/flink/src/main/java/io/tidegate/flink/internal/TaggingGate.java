package io.tidegate.flink.internal;

import io.tidegate.flink.Disposition;
import io.tidegate.flink.Tagged;
import io.tidegate.flink.TidegateException;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** Lets everything through, with what was decided. */
final class TaggingGate<T> extends GateOperator<T, Tagged<T>> {
    private static final long serialVersionUID = 1L;

    TaggingGate(
            StreamOperatorParameters<Tagged<T>> parameters,
            GateShape<T> shape,
            Settings settings,
            CoordinatorLink link) {
        super(parameters, shape, settings, link);
    }

    @Override
    void emit(StreamRecord<T> record, long eventTime, int disposition) {
        tag(record, eventTime, disposition);
    }

    @Override
    boolean wantsWithheld() {
        return true;
    }

    @Override
    void withhold(StreamRecord<T> record, long eventTime, int disposition) {
        tag(record, eventTime, disposition);
    }

    private void tag(StreamRecord<T> record, long eventTime, int disposition) {
        Tagged<T> tagged = new Tagged<>(record.getValue(), eventTime, named(disposition));
        output.collect(record.replace(tagged));
    }

    private static Disposition named(int disposition) {
        switch (disposition) {
            case Native.EMIT:
                return Disposition.EMIT;
            case Native.DISCARD:
                return Disposition.DISCARD;
            case Native.LATE_EMIT:
                return Disposition.LATE_EMIT;
            case Native.LATE_DROP:
                return Disposition.LATE_DROP;
            case Native.LATE_SIDE_OUTPUT:
                return Disposition.LATE_SIDE_OUTPUT;
            case Native.LATE_DISCARD:
                return Disposition.LATE_DISCARD;
            default:
                throw new TidegateException("Bug: a record with disposition " + disposition);
        }
    }
}
