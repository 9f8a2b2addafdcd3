package io.tidegate.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;

/**
 * A record with what the gate decided about it: see {@link Gate#tagged}. A tuple, so that Flink
 * serializes it by the type of its value.
 *
 * @param <T> the records
 */
@SuppressWarnings("unchecked") // Tuple3 overrides Tuple's copy() so
public final class Tagged<T> extends Tuple3<T, Long, Disposition> {
    private static final long serialVersionUID = 1L;

    /** For Flink's serializer. */
    public Tagged() {}

    public Tagged(T value, long eventTime, Disposition disposition) {
        super(value, eventTime, disposition);
    }

    /** The record. */
    public T value() {
        return f0;
    }

    /**
     * The event time that it counts with, epoch milliseconds: its own, or the watermark's when that
     * is missing or not believed; {@code Long.MIN_VALUE} when there was none of both.
     */
    public long eventTime() {
        return f1;
    }

    /** What was decided. */
    public Disposition disposition() {
        return f2;
    }

    /** The type of tagged records. */
    @SuppressWarnings({"unchecked", "rawtypes"}) // a class literal has no type argument
    public static <T> TypeInformation<Tagged<T>> type(TypeInformation<T> value) {
        return new TupleTypeInfo<>(
                (Class) Tagged.class, value, Types.LONG, Types.ENUM(Disposition.class));
    }
}
