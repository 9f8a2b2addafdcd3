package io.tidegate.examples.flights;

import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * {@code --bootstrap-servers HOSTS --input TOPIC --output TOPIC --version v1|v2|v3
 * --max-delay-minutes 120 --checkpoint-interval-ms 500 --parallelism N --crash-after-rows N}; the
 * last four may be left out. With the last one each subtask of the sink crashes once, when it has
 * written so many rows: a version that fails after it has taken over.
 */
final class Arguments {
    final String bootstrapServers;
    final String input;
    final String output;
    final Version version;
    final Duration maxDelay;
    final Duration checkpointInterval;

    /** 0: the cluster's default. */
    final int parallelism;

    /** 0: never. */
    final long crashAfterRows;

    private Arguments(Map<String, String> values) {
        bootstrapServers = required(values, "bootstrap-servers");
        input = required(values, "input");
        output = required(values, "output");
        version = Version.valueOf(required(values, "version").toUpperCase(Locale.ROOT));
        maxDelay = Duration.ofMinutes(number(values, "max-delay-minutes", 120));
        checkpointInterval = Duration.ofMillis(number(values, "checkpoint-interval-ms", 500));
        parallelism = (int) number(values, "parallelism", 0);
        crashAfterRows = number(values, "crash-after-rows", 0);
        if (!values.isEmpty()) {
            throw new IllegalArgumentException("unknown arguments " + values.keySet());
        }
    }

    static Arguments parse(String... arguments) {
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < arguments.length; i += 2) {
            if (!arguments[i].startsWith("--") || i + 1 == arguments.length) {
                throw new IllegalArgumentException(
                        "arguments are pairs of --name and value, not '" + arguments[i] + "'");
            }
            values.put(arguments[i].substring(2), arguments[i + 1]);
        }
        return new Arguments(values);
    }

    private static String required(Map<String, String> values, String name) {
        String value = values.remove(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    private static long number(Map<String, String> values, String name, long otherwise) {
        String value = values.remove(name);
        return value == null ? otherwise : Long.parseLong(value);
    }
}
