package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class GateGraphTest {
    private final Configuration config = TestingOptions.blue();
    private StreamExecutionEnvironment env;
    private DataStream<Long> numbers;

    @BeforeEach
    void stream() {
        env = TestingOptions.environment(config);
        env.setParallelism(2);
        numbers = env.fromSequence(1, 10);
    }

    @Test
    void theGateHasTheSameUidInBothColorsAndTheSinkItsOwn() {
        List<String> uids = new ArrayList<>();
        for (Color color : Color.values()) {
            config.set(TidegateOptions.COLOR, color);
            stream();
            GatedSink.<Long>forIdentity("orders", TestingSinks::kafka).addTo(numbers);
            env.getStreamGraph()
                    .getStreamNodes()
                    .forEach(node -> uids.add(node.getTransformationUID()));
        }
        assertEquals(
                2, uids.stream().filter("tidegate-gate-orders"::equals).count(), uids::toString);
        for (Color color : Color.values()) {
            String sink = "tidegate-sink-orders-" + color + "-1";
            assertTrue(
                    uids.containsAll(
                            List.of(
                                    sink,
                                    "Sink Committer: " + sink,
                                    sink + ": tidegate-commit-reporter")),
                    uids::toString);
        }
    }

    /** The second way to the evidence, and the order of records, rest on the chain. */
    @Test
    void gateWriterCommitterAndReporterAreOneChain() {
        GatedSink.<Long>forIdentity("orders", TestingSinks::kafka).addTo(numbers);
        JobGraph graph = env.getStreamGraph().getJobGraph();
        List<JobVertex> vertices = graph.getVerticesSortedTopologicallyFromSources();
        assertEquals(1, vertices.size(), vertices::toString);
        assertEquals(
                3, // the source's, the gate's, the commit reporter's
                vertices.get(0).getOperatorCoordinators().size());
    }

    @Test
    void theGateTakesOverTheParallelismOfItsStream() {
        DataStream<Long> four = numbers.map(number -> number).returns(Long.class).setParallelism(4);
        assertEquals(4, Gate.wrap(four).getParallelism());
        assertEquals(
                4,
                GatedSink.<Long>forIdentity("orders", TestingSinks::kafka)
                        .addTo(four)
                        .getTransformation()
                        .getParallelism());
    }

    @Test
    void anySinkOfAnyGuaranteeMayStandBehindAGate() {
        GatedSink.of("a", TestingSinks.kafka(DeliveryGuarantee.NONE, "")).addTo(numbers);
        GatedSink.of("b", TestingSinks.kafka(DeliveryGuarantee.AT_LEAST_ONCE, "")).addTo(numbers);
        GatedSink.<Long>forIdentity("orders", TestingSinks::kafka).addTo(numbers);
        Gate.wrap(numbers, "d").print();
        List<String> coordinators =
                env
                        .getStreamGraph()
                        .getJobGraph()
                        .getVertices()
                        .iterator()
                        .next()
                        .getOperatorCoordinators()
                        .stream()
                        .map(Object::toString)
                        .collect(Collectors.toList());
        assertEquals(8, coordinators.size());
    }

    @Test
    void aNameMayBeTakenOnceInAJob() {
        Gate.wrap(numbers, "orders");
        TidegateException refused =
                assertThrows(TidegateException.class, () -> Gate.wrap(numbers, "orders"));
        assertTrue(refused.getMessage().startsWith("GateNameTaken: "), refused.getMessage());
        stream();
        Gate.wrap(numbers, "orders");
    }

    @Test
    void aNameMustFitIntoAUid() {
        TidegateException refused =
                assertThrows(TidegateException.class, () -> Gate.wrap(numbers, "Orders!"));
        assertTrue(refused.getMessage().startsWith("InvalidName: gate 'Orders!'"));
    }

    @Test
    void withoutCheckpointsNoCutoverWouldEverFinish() {
        StreamExecutionEnvironment without =
                StreamExecutionEnvironment.getExecutionEnvironment(config);
        TidegateException refused =
                assertThrows(TidegateException.class, () -> Gate.wrap(without.fromSequence(1, 2)));
        assertTrue(refused.getMessage().startsWith("CheckpointingDisabled: "));
    }

    @Test
    void unalignedCheckpointsAreRefused() {
        env.getCheckpointConfig().enableUnalignedCheckpoints();
        TidegateException refused = assertThrows(TidegateException.class, () -> Gate.wrap(numbers));
        assertTrue(refused.getMessage().startsWith("UnalignedCheckpoints: "));
    }

    @Test
    void aForeignPrefixIsRefusedAtGraphBuild() {
        GatedSink<Long> gated =
                GatedSink.of(
                        "orders", TestingSinks.kafka(DeliveryGuarantee.EXACTLY_ONCE, "orders"));
        TidegateException refused =
                assertThrows(TidegateException.class, () -> gated.addTo(numbers));
        assertTrue(refused.getMessage().startsWith("SinkStateInherited: "));
    }
}
