package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The records that a subtask holds, in arrival order, serialized from the start: so that the bound
 * in bytes is real, nobody changes a held record, and a snapshot only copies. They are read again
 * only when they are released.
 *
 * <p>Format of one record, all numbers big-endian: event time that it counts with (8 bytes), flags
 * (1 byte), its own timestamp (8 bytes, only when flagged), the record by the input's serializer.
 * The two times differ for records whose time is not believed; those leave the gate as they came.
 */
final class HeldRecords<T> {
    private static final int FLAGS = Long.BYTES;
    private static final byte TIMED = 1;

    /** Held by another member, and nobody has said yet whose it is. */
    private static final byte INHERITED = 2;

    private final TypeSerializer<T> serializer;
    private final ArrayDeque<byte[]> records = new ArrayDeque<>();
    private final DataOutputSerializer out = new DataOutputSerializer(256);
    private final DataInputDeserializer in = new DataInputDeserializer();

    /** Takes a record that is held no more, with the event time that it counts with. */
    interface Taker<T> {
        void take(StreamRecord<T> record, long eventTime, int disposition);
    }

    HeldRecords(TypeSerializer<T> serializer) {
        this.serializer = serializer;
    }

    /**
     * @param eventTime the time that the record counts with, epoch milliseconds
     * @return its size in bytes
     */
    int add(StreamRecord<T> record, long eventTime) throws IOException {
        out.clear();
        out.writeLong(eventTime);
        out.writeByte(record.hasTimestamp() ? TIMED : 0);
        if (record.hasTimestamp()) {
            out.writeLong(record.getTimestamp());
        }
        serializer.serialize(record.getValue(), out);
        records.addLast(out.getCopyOfBuffer());
        return out.length();
    }

    /** Appends records as {@link #snapshot} gave them. */
    void restore(Iterable<byte[]> restored) {
        restored.forEach(records::addLast);
    }

    /** Marks all as held by another member. */
    void inherit() {
        records.forEach(record -> mark(record, true));
    }

    List<byte[]> snapshot() {
        return new ArrayList<>(records);
    }

    int size() {
        return records.size();
    }

    long[] eventTimes() {
        return records.stream().mapToLong(record -> ByteBuffer.wrap(record).getLong()).toArray();
    }

    /** In bytes; negative for an inherited record. */
    int[] sizes() {
        return records.stream()
                .mapToInt(
                        record -> (record[FLAGS] & INHERITED) == 0 ? record.length : -record.length)
                .toArray();
    }

    long bytes() {
        return records.stream().mapToLong(record -> record.length).sum();
    }

    /**
     * Applies one disposition per held record, in arrival order; those that stay keep their order.
     *
     * @param withheldToo those that are not emitted are read and taken as well, but for inherited
     *     ones: another member's records are none of this one's
     * @return how many went without being taken
     * @throws TidegateException when there is not one disposition per record
     */
    int release(byte[] dispositions, boolean withheldToo, Taker<T> taker) throws IOException {
        if (dispositions.length != records.size()) {
            throw new TidegateException(
                    String.format(
                            "HeldRecords: %d dispositions for %d held records",
                            dispositions.length, records.size()));
        }
        int gone = 0;
        Iterator<byte[]> each = new ArrayDeque<>(records).iterator();
        records.clear();
        for (byte disposition : dispositions) {
            byte[] record = each.next();
            switch (disposition) {
                case Native.HOLD:
                case Native.HOLD_INHERITED:
                    mark(record, disposition == Native.HOLD_INHERITED);
                    records.addLast(record);
                    break;
                case Native.EMIT:
                case Native.LATE_EMIT:
                case Native.LATE_SIDE_OUTPUT:
                    taker.take(read(record), ByteBuffer.wrap(record).getLong(), disposition);
                    break;
                default:
                    if (withheldToo && (record[FLAGS] & INHERITED) == 0) {
                        taker.take(read(record), ByteBuffer.wrap(record).getLong(), disposition);
                    } else {
                        gone++;
                    }
            }
        }
        return gone;
    }

    private StreamRecord<T> read(byte[] record) throws IOException {
        in.setBuffer(record);
        in.readLong();
        boolean timed = (in.readByte() & TIMED) != 0;
        long timestamp = timed ? in.readLong() : 0;
        T value = serializer.deserialize(in);
        return timed ? new StreamRecord<>(value, timestamp) : new StreamRecord<>(value);
    }

    private static void mark(byte[] record, boolean inherited) {
        record[FLAGS] = (byte) (inherited ? record[FLAGS] | INHERITED : record[FLAGS] & ~INHERITED);
    }
}
