package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.util.OutputTag;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

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
    void unalignedCheckpointsAreRefusedWhereNobodyKnowsWhatIsBehindTheGate() {
        env.getCheckpointConfig().enableUnalignedCheckpoints();
        for (Executable add :
                new Executable[] {
                    () -> Gate.wrap(numbers), () -> Gate.<Long>named("b").tagged(numbers)
                }) {
            TidegateException refused = assertThrows(TidegateException.class, add);
            assertTrue(refused.getMessage().startsWith("UnalignedCheckpoints: "));
        }
    }

    /** Decision 7: a barrier never overtakes a record between a gate and its sink. */
    @Test
    void behindAGateBarriersOvertakeNothingAlsoWhereNothingIsChained() {
        env.getCheckpointConfig().enableUnalignedCheckpoints();
        env.disableOperatorChaining();
        GatedSink.<Long>forIdentity("orders", TestingSinks::kafka)
                .lateRecords(TestingSinks.kafka(DeliveryGuarantee.AT_LEAST_ONCE, ""))
                .preview(TestingSinks.kafka(DeliveryGuarantee.AT_LEAST_ONCE, ""))
                .addTo(numbers.rebalance());
        StreamGraph graph = env.getStreamGraph();
        StreamNode gate =
                graph.getStreamNodes().stream()
                        .filter(node -> "tidegate-gate-orders".equals(node.getTransformationUID()))
                        .findFirst()
                        .orElseThrow();
        assertEquals(3, gate.getOutEdges().size());
        gate.getOutEdges()
                .forEach(edge -> assertFalse(edge.supportsUnalignedCheckpoints(), edge::toString));
        // before it they may
        gate.getInEdges()
                .forEach(edge -> assertTrue(edge.supportsUnalignedCheckpoints(), edge::toString));
    }

    @Test
    void theSinksOfSideOutputsHaveUidsOfThisGeneration() {
        GatedSink.<Long>forIdentity("orders", TestingSinks::kafka)
                .lateRecords(TestingSinks.kafka(DeliveryGuarantee.AT_LEAST_ONCE, ""))
                .previewForIdentity(
                        identity ->
                                TestingSinks.kafka(
                                        DeliveryGuarantee.EXACTLY_ONCE,
                                        identity.previewTransactionalIdPrefix("orders")))
                .addTo(numbers);
        StreamGraph graph = env.getStreamGraph();
        List<String> uids =
                graph.getStreamNodes().stream()
                        .map(StreamNode::getTransformationUID)
                        .collect(Collectors.toList());
        assertTrue(
                uids.containsAll(
                        List.of(
                                "tidegate-sink-orders-blue-1",
                                "tidegate-late-orders-blue-1",
                                "tidegate-preview-orders-blue-1")),
                uids::toString);
        assertEquals(1, graph.getJobGraph().getNumberOfVertices());
    }

    @Test
    void aPreviewMustNotShareTheSinksTransactions() {
        GatedSink<Long> gated =
                GatedSink.<Long>forIdentity("orders", TestingSinks::kafka)
                        .previewForIdentity(TestingSinks::kafka);
        TidegateException refused =
                assertThrows(TidegateException.class, () -> gated.addTo(numbers));
        assertTrue(
                refused.getMessage().contains("identity.previewTransactionalIdPrefix(\"orders\")"),
                refused.getMessage());
    }

    @Test
    void aSideOutputForLateRecordsIsNeededWhereThePolicyIsOne() {
        config.set(TidegateOptions.LATE_POLICY, LatePolicy.SIDE_OUTPUT);
        stream();
        for (Executable add :
                new Executable[] {
                    () -> Gate.wrap(numbers, "orders"),
                    () -> GatedSink.<Long>forIdentity("orders", TestingSinks::kafka).addTo(numbers),
                }) {
            TidegateException refused = assertThrows(TidegateException.class, add);
            assertTrue(
                    refused.getMessage().startsWith("SideOutputMissing: "), refused.getMessage());
        }
        OutputTag<Long> late = new OutputTag<>("late", Types.LONG);
        Gate.<Long>named("tagged").tagged(numbers);
        Gate.<Long>named("with").lateRecords(late).addTo(numbers).getSideOutput(late);
        TidegateException refused =
                assertThrows(
                        TidegateException.class,
                        () -> Gate.<Long>named("both").lateRecords(late).tagged(numbers));
        assertTrue(refused.getMessage().startsWith("SideOutputUnused: "), refused.getMessage());
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
