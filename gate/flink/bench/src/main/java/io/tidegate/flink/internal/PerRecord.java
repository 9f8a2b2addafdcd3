package io.tidegate.flink.internal;

import io.tidegate.flink.Color;
import io.tidegate.flink.TidegateOptions;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamMap;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/** Records through a gate, through an identity map, and through nothing. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PerRecord {
    static final int RECORDS = 10_000;

    private final StreamRecord<Long> record = new StreamRecord<>(42L, 0);
    private Blackholes.Hole hole;
    private OneInputStreamOperator<Long, Long> emitting;
    private OneInputStreamOperator<Long, Long> discarding;
    private OneInputStreamOperator<Long, Long> map;
    private long time;

    /** Each benchmark runs in a JVM of its own, so that only its own calls shape the code. */
    @Setup
    public void open(Blackhole blackhole) throws Exception {
        hole = new Blackholes.Hole(blackhole);
        emitting = gate("emit");
        discarding = gate("discard");
        MapFunction<Long, Long> identity = number -> number;
        map = operator(SimpleOperatorFactory.of(new StreamMap<>(identity)));
    }

    @Benchmark
    @OperationsPerInvocation(RECORDS)
    public void emit() throws Exception {
        pass(emitting);
    }

    @Benchmark
    @OperationsPerInvocation(RECORDS)
    public void discard() throws Exception {
        pass(discarding);
    }

    @Benchmark
    @OperationsPerInvocation(RECORDS)
    public void identityMap() throws Exception {
        pass(map);
    }

    @Benchmark
    @OperationsPerInvocation(RECORDS)
    public void nothing() {
        for (int each = 0; each < RECORDS; each++) {
            record.setTimestamp(time++);
            hole.collect(record);
        }
    }

    private void pass(OneInputStreamOperator<Long, Long> operator) throws Exception {
        for (int each = 0; each < RECORDS; each++) {
            record.setTimestamp(time++);
            operator.processElement(record);
        }
    }

    @SuppressWarnings("unchecked") // it is what the factory has made
    private OneInputStreamOperator<Long, Long> operator(AbstractStreamOperatorFactory<Long> factory)
            throws Exception {
        OneInputStreamOperatorTestHarness<Long, Long> harness =
                new OneInputStreamOperatorTestHarness<>(
                        new Blackholes(factory, hole), LongSerializer.INSTANCE);
        harness.setup(LongSerializer.INSTANCE);
        harness.initializeEmptyState();
        harness.open();
        return (OneInputStreamOperator<Long, Long>) harness.getOperator();
    }

    private OneInputStreamOperator<Long, Long> gate(String disposition) throws Exception {
        Configuration config = new Configuration();
        config.set(TidegateOptions.STORE, "directory:///nowhere");
        config.set(TidegateOptions.ROLLOUT, "bench");
        config.set(TidegateOptions.COLOR, Color.BLUE);
        OneInputStreamOperator<Long, Long> gate = operator(new Factory(new Settings(config)));
        String order =
                "{\"epoch\":1,\"spans\":[{\"since\":"
                        + Long.MIN_VALUE
                        + ",\"disposition\":\""
                        + disposition
                        + "\"}],\"question\":null,\"inherited\":\"forget\"}";
        ((GateOperator<?, ?>) gate)
                .handleOperatorEvent(new OrderEvent(1, order.getBytes(StandardCharsets.UTF_8)));
        return gate;
    }

    /** The operator of a gate without its coordinator. */
    private static final class Factory extends AbstractStreamOperatorFactory<Long>
            implements OneInputStreamOperatorFactory<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final Settings settings;

        Factory(Settings settings) {
            this.settings = settings;
        }

        @Override
        @SuppressWarnings("unchecked") // the signature leaves no other way
        public <O extends StreamOperator<Long>> O createStreamOperator(
                StreamOperatorParameters<Long> parameters) {
            CoordinatorLink nobody =
                    new CoordinatorLink() {
                        @Override
                        public void send(StatusEvent status) {}

                        @Override
                        public CompletableFuture<CoordinationResponse> ask(OrderRequest request) {
                            return new CompletableFuture<>();
                        }
                    };
            return (O) new FilteringGate<>(parameters, GateShape.named("bench"), settings, nobody);
        }

        @Override
        @SuppressWarnings("rawtypes") // Flink's signature
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
            return GateOperator.class;
        }
    }
}
