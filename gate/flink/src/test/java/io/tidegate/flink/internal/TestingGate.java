package io.tidegate.flink.internal;

import io.tidegate.flink.TestingOptions;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
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

/**
 * One subtask of a gate in Flink's operator harness, with the real native library. Records are
 * numbers; a record's value is its event time unless a test says otherwise. Use it in one thread.
 */
final class TestingGate implements AutoCloseable {
    private static final int MAX_PARALLELISM = 8;

    final TestingLink link = new TestingLink();
    private final OneInputStreamOperatorTestHarness<Long, Long> harness;
    private final MockEnvironment environment;
    private GateOperator<Long> operator;

    private TestingGate(
            Configuration config,
            int subtask,
            int parallelism,
            SerializableTimestampAssigner<Long> timestamps)
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
                        new Factory(new Settings(config), timestamps),
                        LongSerializer.INSTANCE,
                        environment);
        harness.setup(LongSerializer.INSTANCE);
    }

    static TestingGate fresh() throws Exception {
        return fresh(TestingOptions.blue(), null);
    }

    static TestingGate fresh(Configuration config, SerializableTimestampAssigner<Long> timestamps)
            throws Exception {
        TestingGate gate = new TestingGate(config, 0, 1, timestamps);
        gate.harness.initializeEmptyState();
        gate.harness.open();
        return gate;
    }

    /** All subtasks of a gate that is restored with another parallelism. */
    static List<TestingGate> restore(
            Configuration config, int parallelism, OperatorSubtaskState... old) throws Exception {
        List<TestingGate> gates = new ArrayList<>();
        OperatorSubtaskState all = AbstractStreamOperatorTestHarness.repackageState(old);
        for (int subtask = 0; subtask < parallelism; subtask++) {
            TestingGate gate = new TestingGate(config, subtask, parallelism, null);
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

    /** The timestamps of the records that came out since the last look; null for one without. */
    List<Long> timestamps() {
        List<Long> seen = new ArrayList<>();
        for (StreamRecord<? extends Long> each : harness.extractOutputStreamRecords()) {
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

    private final class Factory extends AbstractStreamOperatorFactory<Long>
            implements OneInputStreamOperatorFactory<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final transient Settings settings;
        private final transient SerializableTimestampAssigner<Long> timestamps;

        Factory(Settings settings, SerializableTimestampAssigner<Long> timestamps) {
            this.settings = settings;
            this.timestamps = timestamps;
        }

        @Override
        @SuppressWarnings("unchecked")
        public <O extends StreamOperator<Long>> O createStreamOperator(
                StreamOperatorParameters<Long> parameters) {
            operator = new GateOperator<>(parameters, "gate", settings, timestamps, link);
            return (O) operator;
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
            return GateOperator.class;
        }
    }
}
