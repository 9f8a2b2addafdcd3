package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {

    @Test
    void defaultsMakeTheSubtasksConfiguration() {
        byte[] config = new Settings(TestingOptions.blue()).subtaskConfig("orders", 1, 4);
        assertEquals(
                "{\"color\":\"blue\",\"generation\":1,\"gate\":\"orders\",\"subtask\":1,"
                        + "\"parallelism\":4,\"hold_max_records\":100000,"
                        + "\"hold_max_bytes\":67108864,\"max_ahead_ms\":null,"
                        + "\"idle_after_ms\":60000}",
                new String(config, StandardCharsets.UTF_8));
    }

    @Test
    void everyOptionReachesTheAgent() {
        Configuration config = TestingOptions.blue();
        config.setString("tidegate.color", "green");
        config.setString("tidegate.generation", "3");
        config.setString("tidegate.lateness", "5 s");
        config.setString("tidegate.late-policy", "side-output");
        config.setString("tidegate.hand-over", "overlapped");
        config.setString("tidegate.starts-at-beginning", "true");
        byte[] json = new Settings(config).agentConfig("job", List.of("a", "b"));
        assertEquals(
                "{\"color\":\"green\",\"generation\":3,\"store\":\"directory:///nowhere\","
                        + "\"rollout\":\"rollout\",\"job\":\"job\",\"gates\":[\"a\",\"b\"],"
                        + "\"from_beginning\":true,\"late_policy\":\"side-output\","
                        + "\"lateness_ms\":5000,"
                        + "\"hand_over\":\"overlapped\"}",
                new String(json, StandardCharsets.UTF_8));
    }

    @Test
    void maxAheadReachesTheSubtask() {
        Configuration config = TestingOptions.blue();
        config.setString("tidegate.max-ahead", "1 d");
        String json =
                new String(new Settings(config).subtaskConfig("a", 0, 1), StandardCharsets.UTF_8);
        assertTrue(json.contains("\"max_ahead_ms\":86400000"), json);
    }

    @ParameterizedTest
    @CsvSource({
        "tidegate.store,no scheme",
        "tidegate.store,relative/path",
        "tidegate.rollout,Orders",
        "tidegate.color,red",
        "tidegate.generation,0",
        "tidegate.generation,one",
        "tidegate.hold.max-records,0",
        "tidegate.hold.max-bytes,much",
        "tidegate.idle-after,PT-1S",
        "tidegate.lateness,soon",
        "tidegate.max-ahead,PT0S",
        "tidegate.late-policy,side",
        "tidegate.hand-over,never",
        "tidegate.report-interval,PT0S",
        "tidegate.sidecar,run/sidecar.sock",
    })
    void anInvalidValueIsNamedWithItsOption(String option, String value) {
        Configuration config = TestingOptions.blue();
        config.setString(option, value);
        TidegateException refused =
                assertThrows(TidegateException.class, () -> new Settings(config));
        String text = refused.getMessage() + " " + refused.getCause();
        String named = option.equals("tidegate.rollout") ? "rollout" : option;
        assertTrue(refused.getMessage().contains(named), text);
        assertTrue(text.toLowerCase().contains(value.toLowerCase()), text);
    }
}
