package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.Color;
import io.tidegate.flink.Identity;
import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TestingSinks;
import io.tidegate.flink.TidegateException;
import io.tidegate.flink.TidegateOptions;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.junit.jupiter.api.Test;

/** F1, against the KafkaSink of the connector that belongs to this Flink version. */
class SinkStateTest {
    private static final Identity BLUE_1 = new Identity("rollout", Color.BLUE, 1);

    private final Configuration config = TestingOptions.blue();

    private SinkState state() {
        return new SinkState(config, BLUE_1, "orders", SinkState.Role.SINK);
    }

    @Test
    void thePrefixOfThisGenerationIsAccepted() {
        Sink<Long> sink =
                TestingSinks.kafka(
                        DeliveryGuarantee.EXACTLY_ONCE, BLUE_1.transactionalIdPrefix("orders"));
        assertDoesNotThrow(() -> state().check(sink));
    }

    @Test
    void anyOtherPrefixIsRefusedWithFieldValueAndWayOut() {
        for (String prefix :
                new String[] {
                    "orders",
                    new Identity("rollout", Color.GREEN, 1).transactionalIdPrefix("orders"),
                    new Identity("rollout", Color.BLUE, 2).transactionalIdPrefix("orders"),
                    BLUE_1.transactionalIdPrefix("orders") + "x",
                }) {
            Sink<Long> sink = TestingSinks.kafka(DeliveryGuarantee.EXACTLY_ONCE, prefix);
            TidegateException refused =
                    assertThrows(TidegateException.class, () -> state().check(sink));
            String message = refused.getMessage();
            assertTrue(message.startsWith("SinkStateInherited: transactionalIdPrefix"), message);
            assertTrue(message.contains("'" + prefix + "'"), message);
            assertTrue(message.contains("identity.transactionalIdPrefix(\"orders\")"), message);
        }
    }

    /** A sink of late records or of a preview would abort the main one's transactions as well. */
    @Test
    void eachSinkBehindAGateHasAPrefixAndAUidOfItsOwn() {
        Map<SinkState.Role, String> prefixes =
                Map.of(
                        SinkState.Role.SINK, BLUE_1.transactionalIdPrefix("orders"),
                        SinkState.Role.LATE, BLUE_1.lateTransactionalIdPrefix("orders"),
                        SinkState.Role.PREVIEW, BLUE_1.previewTransactionalIdPrefix("orders"));
        Set<String> uids = new HashSet<>();
        for (SinkState.Role role : SinkState.Role.values()) {
            SinkState state = new SinkState(config, BLUE_1, "orders", role);
            uids.add(state.uid());
            prefixes.forEach(
                    (whose, prefix) -> {
                        Sink<Long> sink =
                                TestingSinks.kafka(DeliveryGuarantee.EXACTLY_ONCE, prefix);
                        if (whose == role) {
                            assertDoesNotThrow(() -> state.check(sink));
                        } else {
                            assertThrows(TidegateException.class, () -> state.check(sink));
                            String own = prefixes.get(role);
                            assertFalse(own.startsWith(prefix), own);
                        }
                    });
        }
        assertEquals(3, uids.size());
    }

    @Test
    void aSinkWithoutTransactionsNeedsNoPrefix() {
        Sink<Long> sink = TestingSinks.kafka(DeliveryGuarantee.AT_LEAST_ONCE, "orders");
        assertDoesNotThrow(() -> state().check(sink));
    }

    @Test
    void theUidIsThisGenerationsOwn() {
        assertEquals("tidegate-sink-orders-blue-1", state().uid());
    }

    @Test
    void theUnsafeOptionTakesTheGuardAway() {
        config.set(TidegateOptions.UNSAFE_INHERIT_SINK_STATE, true);
        Sink<Long> sink = TestingSinks.kafka(DeliveryGuarantee.EXACTLY_ONCE, "orders");
        assertDoesNotThrow(() -> state().check(sink));
        assertEquals("tidegate-sink-orders", state().uid());
    }
}
