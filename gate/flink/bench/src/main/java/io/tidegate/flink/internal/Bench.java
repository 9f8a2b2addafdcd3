package io.tidegate.flink.internal;

import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * Runs {@link PerRecord} in rounds, and compares the best iteration of each: what else the machine
 * does can only make one slower. The last line of standard output is one JSON object; a ratio of
 * 1.1 means that the gate takes 1.1 times as long.
 */
public final class Bench {
    private static final int ROUNDS = 3;

    public static void main(String[] arguments) throws Exception {
        Map<String, Double> best = new HashMap<>();
        double bytes = 0;
        for (int round = 0; round < ROUNDS; round++) {
            Collection<RunResult> results =
                    new Runner(
                                    new OptionsBuilder()
                                            .include(PerRecord.class.getName())
                                            .forks(1)
                                            .warmupIterations(3)
                                            .warmupTime(TimeValue.seconds(1))
                                            .measurementIterations(6)
                                            .measurementTime(TimeValue.milliseconds(500))
                                            .addProfiler(GCProfiler.class)
                                            .shouldFailOnError(true)
                                            .jvmArgsAppend(
                                                    "-Xmx512m",
                                                    "--add-opens=java.base/java.util=ALL-UNNAMED",
                                                    "--add-opens=java.base/java.lang=ALL-UNNAMED")
                                            .build())
                            .run();
            for (RunResult result : results) {
                String name = result.getPrimaryResult().getLabel();
                result.getBenchmarkResults().stream()
                        .flatMap(each -> each.getIterationResults().stream())
                        .map(IterationResult::getPrimaryResult)
                        .forEach(each -> best.merge(name, each.getScore(), Math::min));
                if (name.equals("emit") || name.equals("discard")) {
                    bytes = Math.max(bytes, allocated(result));
                }
            }
        }
        System.out.println("best times per record, in nanoseconds: " + best);
        System.out.printf(
                Locale.ROOT,
                "{\"emit_to_map\":%.3f,\"emit_to_nothing\":%.3f,\"discard_to_map\":%.3f,"
                        + "\"discard_to_nothing\":%.3f,\"bytes_per_record\":%.3f}%n",
                best.get("emit") / best.get("identityMap"),
                best.get("emit") / best.get("nothing"),
                best.get("discard") / best.get("identityMap"),
                best.get("discard") / best.get("nothing"),
                bytes);
    }

    private static double allocated(RunResult result) {
        return result.getSecondaryResults().entrySet().stream()
                .filter(each -> each.getKey().endsWith("gc.alloc.rate.norm"))
                .mapToDouble(each -> each.getValue().getScore())
                .findFirst()
                .orElseThrow();
    }

    private Bench() {}
}
