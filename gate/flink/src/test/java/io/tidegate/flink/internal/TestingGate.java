package io.tidegate.flink.internal;

import io.tidegate.flink.Tagged;
import io.tidegate.flink.TestingOptions;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.util.OutputTag;

/**
 * One subtask of a gate in Flink's operator harness, with the real native library. Records are
 * numbers; a record's value is its event time unless a test says otherwise. Use it in one thread.
 */
final class TestingGate implements AutoCloseable {
    private static final int MAX_PARALLELISM = 8;

    final TestingLink link = new TestingLink();
    private final OneInputStreamOperatorTestHarness<Long, Object> harness;
    private final MockEnvironment environment;
    private GateOperator<Long, ?> operator;

    private TestingGate(
            Configuration config,
            int subtask,
            int parallelism,
            GateShape<Long> shape,
            boolean tagged)
            throws Exception {
        environment =
                new MockEnvironmentBuilder()
                        .setTaskName("gate")
                        .setMaxParallelism(MAX_PARALLELISM)
                        .setParallelism(parallelism)
                        .setSubtaskIndex(subtask)
                        .build();
        harness =
                new OneInputStreamOperatorTestHarness<>(
                        new Factory(new Settings(config), shape, tagged),
                        LongSerializer.INSTANCE,
                        environment);
        harness.setup(serializer(tagged));
    }

    static TestingGate fresh() throws Exception {
        return fresh(TestingOptions.blue(), null);
    }

    static TestingGate fresh(Configuration config, SerializableTimestampAssigner<Long> timestamps)
            throws Exception {
        return shaped(config, GateShape.<Long>named("gate").timestamps(timestamps), false);
    }

    /** A gate with side outputs, or one that tags. */
    static TestingGate shaped(Configuration config, GateShape<Long> shape, boolean tagged)
            throws Exception {
        TestingGate gate = new TestingGate(config, 0, 1, shape, tagged);
        gate.harness.initializeEmptyState();
        gate.harness.open();
        return gate;
    }

    @SuppressWarnings("unchecked") // what comes out is looked at as objects
    private static TypeSerializer<Object> serializer(boolean tagged) {
        TypeInformation<?> type = tagged ? Tagged.type(Types.LONG) : Types.LONG;
        return (TypeSerializer<Object>) type.createSerializer(new SerializerConfigImpl());
    }

    /** All subtasks of a gate that is restored with another parallelism. */
    static List<TestingGate> restore(
            Configuration config, int parallelism, OperatorSubtaskState... old) throws Exception {
        return restore(config, GateShape.named("gate"), parallelism, old);
    }

    /** As above, of any shape. */
    static List<TestingGate> restore(
            Configuration config,
            GateShape<Long> shape,
            int parallelism,
            OperatorSubtaskState... old)
            throws Exception {
        List<TestingGate> gates = new ArrayList<>();
        OperatorSubtaskState all = AbstractStreamOperatorTestHarness.repackageState(old);
        for (int subtask = 0; subtask < parallelism; subtask++) {
            TestingGate gate = new TestingGate(config, subtask, parallelism, shape, false);
            gate.harness.initializeState(
                    AbstractStreamOperatorTestHarness.repartitionOperatorState(
                            all, MAX_PARALLELISM, old.length, parallelism, subtask));
            gate.harness.open();
            gates.add(gate);
        }
        return gates;
    }

    TestingGate records(long... times) throws Exception {
        for (long time : times) {
            harness.processElement(time, time);
        }
        return this;
    }

    TestingGate untimed(long value) throws Exception {
        harness.processElement(new StreamRecord<>(value));
        return this;
    }

    TestingGate watermark(long time) throws Exception {
        harness.processWatermark(time);
        return this;
    }

    TestingGate idle(boolean idle) throws Exception {
        harness.processWatermarkStatus(idle ? WatermarkStatus.IDLE : WatermarkStatus.ACTIVE);
        return this;
    }

    TestingGate order(OrderEvent order) {
        operator.handleOperatorEvent(order);
        return this;
    }

    /**
     * What came out since the last look: numbers, {@code w<time>}, {@code idle}, {@code active}.
     */
    List<Object> out() {
        List<Object> seen = new ArrayList<>();
        for (Object each = harness.getOutput().poll();
                each != null;
                each = harness.getOutput().poll()) {
            if (each instanceof StreamRecord) {
                seen.add(((StreamRecord<?>) each).getValue());
            } else if (each instanceof Watermark) {
                seen.add("w" + ((Watermark) each).getTimestamp());
            } else {
                seen.add(each.equals(WatermarkStatus.IDLE) ? "idle" : "active");
            }
        }
        return seen;
    }

    /** What came out at the side, since the beginning. */
    List<Long> side(OutputTag<Long> tag) {
        List<Long> seen = new ArrayList<>();
        Queue<StreamRecord<Long>> records = harness.getSideOutput(tag);
        if (records != null) {
            records.forEach(record -> seen.add(record.getValue()));
        }
        return seen;
    }

    /** The last status that was sent. */
    String status() {
        int last = link.statuses.size() - 1;
        return new String(link.statuses.get(last).status, StandardCharsets.UTF_8);
    }

    /** The timestamps of the records that came out since the last look; null for one without. */
    List<Long> timestamps() {
        List<Long> seen = new ArrayList<>();
        for (StreamRecord<?> each : harness.extractOutputStreamRecords()) {
            seen.add(each.hasTimestamp() ? (Long) each.getTimestamp() : null);
        }
        return seen;
    }

    OperatorSubtaskState snapshot(long checkpoint) throws Exception {
        return harness.snapshot(checkpoint, checkpoint);
    }

    /** The end of the input: first {@code endInput}, then {@code finish}, as in a task. */
    void finish() throws Exception {
        operator.finish();
    }

    void advance(long millis) throws Exception {
        harness.advanceTime(millis);
    }

    /** As a task that fails or is cancelled; the harness's own close would end the input first. */
    @Override
    public void close() throws Exception {
        operator.close();
        environment.close();
    }

    private final class Factory extends AbstractStreamOperatorFactory<Object>
            implements OneInputStreamOperatorFactory<Long, Object> {
        private static final long serialVersionUID = 1L;

        private final transient Settings settings;
        private final transient GateShape<Long> shape;
        private final boolean tagged;

        Factory(Settings settings, GateShape<Long> shape, boolean tagged) {
            this.settings = settings;
            this.shape = shape;
            this.tagged = tagged;
        }

        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        public <O extends StreamOperator<Object>> O createStreamOperator(
                StreamOperatorParameters<Object> parameters) {
            operator =
                    tagged
                            ? new TaggingGate<>(
                                    (StreamOperatorParameters) parameters, shape, settings, link)
                            : new FilteringGate<>(
                                    (StreamOperatorParameters) parameters, shape, settings, link);
            return (O) operator;
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
            return GateOperator.class;
        }
    }
}
