package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.description.HtmlFormatter;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.util.TimeUtils;
import org.junit.jupiter.api.Test;

/** The reference of the options in the docs is that of {@link TidegateOptions}. */
class OptionsReferenceTest {
    private static final Path COMMITTED = Paths.get("..", "..", "docs", "configuration-flink.md");
    private static final String GATE = "orders";

    private static final String INTRODUCTION =
            String.join(
                    "\n",
                    "# Options of a gated job",
                    "",
                    "Written by a test from `TidegateOptions` (`make reference`); do not edit it.",
                    "",
                    "They are read once, when a gate is added to the job graph, from the"
                            + " environment's configuration: from",
                    "`config.yaml`, from `-D` of `flink run`, from `flinkConfiguration` of a"
                            + " FlinkDeployment or of `POST /jars/:id/run`. A value that",
                    "cannot be used is refused before the job starts, by the option's name"
                            + " (`OptionMissing`, `OptionInvalid`). The controller sets",
                    "`store`, `rollout`, `color` and `generation` itself, and the resource's"
                            + " `handOver`, `latePolicy` and `allowedLateness` unless the job's own",
                    "configuration has `hand-over`, `late-policy` or `lateness`.",
                    "",
                    "`hand-over`, `late-policy` and `lateness` belong to the rollout: the job that"
                            + " creates it decides.",
                    "",
                    "| option | type | default | |",
                    "|---|---|---|---|",
                    "");

    @Test
    void theCommittedReferenceIsThatOfTheOptions() throws Exception {
        String generated = INTRODUCTION + options() + derived();
        if (System.getenv("UPDATE_GOLDEN") != null) {
            Files.writeString(COMMITTED, generated);
        }
        String committed = Files.exists(COMMITTED) ? Files.readString(COMMITTED) : "";
        assertEquals(generated, committed, "write it anew with `make reference`");
    }

    private static String options() throws IllegalAccessException {
        TreeMap<String, String> rows = new TreeMap<>();
        for (Field field : TidegateOptions.class.getFields()) {
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == ConfigOption.class) {
                ConfigOption<?> option = (ConfigOption<?>) field.get(null);
                Class<?> type =
                        (Class<?>)
                                ((ParameterizedType) field.getGenericType())
                                        .getActualTypeArguments()[0];
                rows.put(option.key(), row(option, type));
            }
        }
        return String.join("", rows.values());
    }

    private static String row(ConfigOption<?> option, Class<?> type) {
        String standard = option.hasDefaultValue() ? "`" + text(option.defaultValue()) + "`" : "";
        String what = new HtmlFormatter().format(option.description());
        return String.format(
                "| `%s` | %s | %s | %s |\n",
                option.key(), kind(type), standard, what.replace("|", "\\|"));
    }

    private static String kind(Class<?> type) {
        if (type.isEnum()) {
            return Arrays.stream(type.getEnumConstants())
                    .map(constant -> "`" + constant + "`")
                    .collect(Collectors.joining(", "));
        } else if (type == Boolean.class) {
            return "`true`, `false`";
        } else if (type == Duration.class) {
            return "duration, as `30 s`";
        } else if (type == MemorySize.class) {
            return "size, as `64 mb`";
        }
        return Number.class.isAssignableFrom(type) ? "number" : "text";
    }

    private static String text(Object value) {
        return value instanceof Duration
                ? TimeUtils.formatWithHighestUnit((Duration) value)
                : value.toString();
    }

    /** What user code and operators of Flink's tools see, as the code makes it. */
    private static String derived() {
        Configuration config = TestingOptions.blue();
        config.set(TidegateOptions.ROLLOUT, "shop");
        config.set(TidegateOptions.COLOR, Color.GREEN);
        config.set(TidegateOptions.GENERATION, 2);
        StreamExecutionEnvironment env = TestingOptions.environment(config);
        GatedSink.<Long>forIdentity(GATE, TestingSinks::kafka).addTo(env.fromSequence(1, 10));
        Identity identity = Identity.from(env);
        String uids =
                env.getStreamGraph().getStreamNodes().stream()
                        .map(StreamNode::getTransformationUID)
                        .filter(Objects::nonNull)
                        .sorted()
                        .map(uid -> row("uid in the job graph", uid))
                        .collect(Collectors.joining());
        return String.join(
                        "\n",
                        "",
                        "## What follows from them",
                        "For the gate `" + GATE + "` of " + identity + ":",
                        "",
                        "| what | value |",
                        "|---|---|",
                        "")
                + row("`identity.consumerGroup(\"" + GATE + "\")`", identity.consumerGroup(GATE))
                + row("`identity.clientId(\"" + GATE + "\")`", identity.clientId(GATE))
                + row(
                        "`identity.transactionalIdPrefix(\"" + GATE + "\")`",
                        identity.transactionalIdPrefix(GATE))
                + uids
                + "\nThe gate's uid is the same in both colors, the sink's is this generation's"
                + " own. A KafkaSink with exactly-once delivery and another\ntransactional id"
                + " prefix is refused (`SinkStateInherited`).\n";
    }

    private static String row(String what, String value) {
        return "| " + what + " | `" + value + "` |\n";
    }
}
