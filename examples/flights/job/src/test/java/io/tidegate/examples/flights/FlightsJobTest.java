package io.tidegate.examples.flights;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;

class FlightsJobTest {
    private static final String[] ARGUMENTS = {
        "--bootstrap-servers", "127.0.0.1:1", "--input", "in", "--output", "out", "--version", "v2"
    };

    /** What the new version restores is named alike in both; what it must not restore is not. */
    @Test
    void bothColorsShareTheUidsOfAllButTheSink() {
        Set<String> blue = uids("blue");
        Set<String> green = uids("green");
        Set<String> shared = new TreeSet<>(blue);
        shared.retainAll(green);
        assertEquals(
                Set.of("flights-source", "flights-late", "flights-hourly", "tidegate-gate-flights"),
                shared);
        blue.removeAll(shared);
        assertEquals(3, blue.size(), blue::toString);
        assertTrue(
                blue.stream().allMatch(uid -> uid.contains("tidegate-sink-flights-blue-1")),
                blue::toString);
    }

    @Test
    void argumentsAreRefusedByName() {
        assertEquals(
                "--input is missing",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Arguments.parse("--bootstrap-servers", "x"))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> Arguments.parse("--nonsense", "1", "x"));
    }

    private static Set<String> uids(String color) {
        Configuration config =
                Configuration.fromMap(
                        Map.of(
                                "tidegate.store", "directory:///nowhere",
                                "tidegate.rollout", "flights",
                                "tidegate.color", color));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(config);
        FlightsJob.build(env, Arguments.parse(ARGUMENTS));
        Set<String> uids = new TreeSet<>();
        env.getStreamGraph()
                .getStreamNodes()
                .forEach(node -> uids.add(String.valueOf(node.getTransformationUID())));
        return uids;
    }
}
