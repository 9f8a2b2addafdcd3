package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tidegate.flink.TidegateException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;

class HeldRecordsTest {
    private final HeldRecords<String> held = new HeldRecords<>(StringSerializer.INSTANCE);
    private final List<StreamRecord<String>> released = new ArrayList<>();

    @Test
    void someStayAndKeepTheirOrder() throws IOException {
        add("a", 1);
        add("b", 2);
        add("c", 3);
        assertEquals(0, release(Native.HOLD, Native.EMIT, Native.HOLD));
        assertEquals("b", released.get(0).getValue());
        assertArrayEquals(new long[] {1, 3}, held.eventTimes());
        assertEquals(1, release(Native.DISCARD, Native.LATE_EMIT));
        assertEquals("c", released.get(1).getValue());
        assertEquals(0, held.size());
    }

    @Test
    void aSnapshotRestoresToTheSame() throws IOException {
        add("a", 1);
        held.add(new StreamRecord<>("untimed"), 7);
        HeldRecords<String> restored = new HeldRecords<>(StringSerializer.INSTANCE);
        restored.restore(held.snapshot());
        assertArrayEquals(new long[] {1, 7}, restored.eventTimes());
        assertArrayEquals(held.sizes(), restored.sizes());
        restored.release(
                new byte[] {Native.EMIT, Native.EMIT},
                false,
                (record, eventTime, disposition) -> released.add(record));
        assertEquals(1, released.get(0).getTimestamp());
        assertFalse(released.get(1).hasTimestamp(), "it leaves the gate as it came");
    }

    @Test
    void inheritedRecordsAreMarkedUntilSomebodyAdoptsThem() throws IOException {
        int size = held.add(new StreamRecord<>("a", 1), 1);
        add("b", 2);
        held.inherit();
        assertEquals(-size, held.sizes()[0]);
        release(Native.HOLD, Native.HOLD_INHERITED);
        assertEquals(size, held.sizes()[0]);
        assertEquals(-size, held.sizes()[1]);
        assertEquals(2L * size, held.bytes());
    }

    /** For a preview; but what another member held is none of this one's output. */
    @Test
    void withheldRecordsAreTakenWhenAskedForButNoInheritedOnes() throws IOException {
        add("inherited", 1);
        held.inherit();
        add("own", 2);
        List<String> taken = new ArrayList<>();
        int gone =
                held.release(
                        new byte[] {Native.DISCARD, Native.DISCARD},
                        true,
                        (record, time, disposition) ->
                                taken.add(record.getValue() + time + disposition));
        assertEquals(List.of("own2" + Native.DISCARD), taken);
        assertEquals(1, gone);
    }

    @Test
    void asManyDispositionsAsRecordsOrNoneIsTouched() throws IOException {
        add("a", 1);
        assertThrows(TidegateException.class, () -> release());
        assertEquals(1, held.size());
    }

    private void add(String value, long time) throws IOException {
        held.add(new StreamRecord<>(value, time), time);
    }

    private int release(int... dispositions) throws IOException {
        byte[] bytes = new byte[dispositions.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) dispositions[i];
        }
        return held.release(bytes, false, (record, eventTime, disposition) -> released.add(record));
    }
}
