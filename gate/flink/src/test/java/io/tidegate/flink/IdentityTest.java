package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;

class IdentityTest {

    @Test
    void comesFromTheEnvironmentsOptions() {
        Configuration config = TestingOptions.blue();
        config.setString("tidegate.color", "green");
        config.setString("tidegate.generation", "7");
        Identity identity = Identity.from(TestingOptions.environment(config));
        assertEquals(new Identity("rollout", Color.GREEN, 7), identity);
        assertEquals("rollout/green-7", identity.toString());
        assertEquals("base-green-7", identity.consumerGroup("base"));
        assertEquals("base-green-7", identity.clientId("base"));
    }

    /** F1: Kafka's sink finds transactions to abort by startsWith. */
    @Test
    void noPrefixOfAGenerationIsThePrefixOfAnothers() {
        String one = new Identity("orders", Color.BLUE, 1).transactionalIdPrefix("out");
        String eleven = new Identity("orders", Color.BLUE, 11).transactionalIdPrefix("out");
        assertEquals("tidegate.orders.out.blue-1.", one);
        assertFalse(eleven.startsWith(one));
        assertFalse(one.startsWith(eleven));
    }

    @Test
    void missingOptionsAreNamedWithTheWayOut() {
        Configuration config = TestingOptions.blue();
        config.removeConfig(TidegateOptions.COLOR);
        TidegateException refused =
                assertThrows(
                        TidegateException.class,
                        () -> Identity.from(TestingOptions.environment(config)));
        assertTrue(refused.getMessage().startsWith("OptionMissing: tidegate.color"));
        assertTrue(refused.getMessage().contains("blue or green"), refused.getMessage());
    }

    @Test
    void namesMustFitIntoUids() {
        for (String name : new String[] {"", "-a", "Orders", "a_b", "a.b", null}) {
            assertThrows(
                    TidegateException.class, () -> new Identity(name, Color.BLUE, 1), () -> name);
        }
        assertThrows(TidegateException.class, () -> new Identity("orders", Color.BLUE, 0));
    }
}
