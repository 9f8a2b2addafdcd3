package io.tidegate.examples.flights;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.util.SimpleUserCodeClassLoader;
import org.apache.flink.util.UserCodeClassLoader;
import org.junit.jupiter.api.Test;

class RowWriterTest {
    private static final Row ROW = Row.of(Version.V1, "EWR", 0, new Tally());

    @Test
    void aVersionThatIsToldToCrashDoesSoOnceInItsFirstLife() {
        RowWriter.Value first = writer(2, "0");
        assertEquals(ROW.value, new String(first.serialize(ROW), StandardCharsets.UTF_8));
        first.serialize(ROW);
        assertEquals(
                "this version crashes after 2 rows, as it was told",
                assertThrows(IllegalStateException.class, () -> first.serialize(ROW)).getMessage());
        RowWriter.Value second = writer(2, "1");
        for (int i = 0; i < 10; i++) {
            second.serialize(ROW);
        }
    }

    @Test
    void anyOtherVersionDoesNot() {
        RowWriter.Value writer = writer(0, "0");
        for (int i = 0; i < 10; i++) {
            writer.serialize(ROW);
        }
    }

    private static RowWriter.Value writer(long crashAfterRows, String attempt) {
        RowWriter.Value writer = new RowWriter.Value(crashAfterRows);
        writer.open(new TestingContext(attempt));
        return writer;
    }

    private static final class TestingContext implements SerializationSchema.InitializationContext {
        private final String attempt;

        TestingContext(String attempt) {
            this.attempt = attempt;
        }

        @Override
        public MetricGroup getMetricGroup() {
            return new UnregisteredMetricsGroup() {
                @Override
                public Map<String, String> getAllVariables() {
                    return Map.of("<task_attempt_num>", attempt);
                }
            };
        }

        @Override
        public UserCodeClassLoader getUserCodeClassLoader() {
            return SimpleUserCodeClassLoader.create(getClass().getClassLoader());
        }
    }
}
