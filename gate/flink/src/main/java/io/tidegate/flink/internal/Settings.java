package io.tidegate.flink.internal;

import io.tidegate.flink.Color;
import io.tidegate.flink.Identity;
import io.tidegate.flink.LatePolicy;
import io.tidegate.flink.TidegateException;
import io.tidegate.flink.TidegateOptions;
import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.regex.Pattern;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * The options of a job, parsed once at graph build and carried with the job graph. Holds only valid
 * values; gives them to the native side as JSON.
 */
public final class Settings implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9]*)");

    private final Identity identity;
    private final String store;
    private final long holdMaxRecords;
    private final long holdMaxBytes;
    private final Long maxAheadMs;
    private final long idleAfterMs;
    private final long latenessMs;
    private final LatePolicy latePolicy;
    private final String handOver;
    private final boolean fromBeginning;
    private final long reportIntervalMs;
    private final String sidecar;

    /**
     * @throws TidegateException naming the option, its value and the way out
     */
    public Settings(ReadableConfig config) {
        identity = identity(config);
        store = store(config);
        holdMaxRecords = read(config, TidegateOptions.HOLD_MAX_RECORDS);
        if (holdMaxRecords < 1) {
            throw invalid(
                    TidegateOptions.HOLD_MAX_RECORDS, holdMaxRecords, "give a number above 0");
        }
        holdMaxBytes = read(config, TidegateOptions.HOLD_MAX_BYTES).getBytes();
        if (holdMaxBytes < 1) {
            throw invalid(TidegateOptions.HOLD_MAX_BYTES, holdMaxBytes, "give a size above 0");
        }
        Duration ahead = read(config, TidegateOptions.MAX_AHEAD);
        maxAheadMs = ahead == null ? null : millis(TidegateOptions.MAX_AHEAD, ahead, 1);
        idleAfterMs = millis(config, TidegateOptions.IDLE_AFTER, 0);
        latenessMs = millis(config, TidegateOptions.LATENESS, 0);
        latePolicy = read(config, TidegateOptions.LATE_POLICY);
        handOver = read(config, TidegateOptions.HAND_OVER).toString();
        fromBeginning = read(config, TidegateOptions.STARTS_AT_BEGINNING);
        reportIntervalMs = millis(config, TidegateOptions.REPORT_INTERVAL, 1);
        sidecar = sidecar(config);
    }

    /** See {@link Identity#from}. */
    public static Identity identity(ReadableConfig config) {
        String rollout = required(config, TidegateOptions.ROLLOUT, "name the rollout, e.g. orders");
        Color color = required(config, TidegateOptions.COLOR, "give blue or green");
        return new Identity(rollout, color, read(config, TidegateOptions.GENERATION));
    }

    /**
     * @param what the kind of name, for the message
     * @return the name
     * @throws TidegateException when the name could not be part of a uid or a transactional id
     */
    public static String checkName(String what, String name) {
        if (name == null || !NAME.matcher(name).matches()) {
            throw new TidegateException(
                    String.format(
                            "InvalidName: %s '%s' does not match %s; it becomes part of uids and"
                                    + " transactional ids: use lower-case letters, digits and '-'",
                            what, name, NAME.pattern()));
        }
        return name;
    }

    /**
     * @throws TidegateException when below 1
     */
    public static int checkGeneration(int generation) {
        if (generation < 1) {
            throw invalid(TidegateOptions.GENERATION, generation, "count generations from 1");
        }
        return generation;
    }

    public Identity identity() {
        return identity;
    }

    boolean lateRecordsGoAside() {
        return latePolicy == LatePolicy.SIDE_OUTPUT;
    }

    long reportIntervalMs() {
        return reportIntervalMs;
    }

    /** The socket of the sidecar; null: the native library is loaded. */
    Path sidecar() {
        return sidecar == null ? null : Path.of(sidecar);
    }

    /** The configuration of one subtask's machine, as in {@link Native#subtaskOpen}. */
    byte[] subtaskConfig(String gate, int subtask, int parallelism) {
        ObjectNode node = member().put("gate", gate);
        node.put("subtask", subtask).put("parallelism", parallelism);
        node.put("hold_max_records", holdMaxRecords).put("hold_max_bytes", holdMaxBytes);
        node.put("max_ahead_ms", maxAheadMs).put("idle_after_ms", idleAfterMs);
        return Json.bytes(node);
    }

    /** The configuration of a job's agent, as in {@link Native#agentOpen}. */
    byte[] agentConfig(String jobId, Collection<String> gates) {
        ObjectNode node = member().put("store", store).put("rollout", identity.rollout());
        node.put("job", jobId);
        gates.forEach(node.putArray("gates")::add);
        node.put("from_beginning", fromBeginning).put("late_policy", latePolicy.toString());
        node.put("lateness_ms", latenessMs).put("hand_over", handOver);
        return Json.bytes(node);
    }

    private ObjectNode member() {
        return Json.object()
                .put("color", identity.color().toString())
                .put("generation", identity.generation());
    }

    private static String store(ReadableConfig config) {
        String wayOut = "give the address of the shared store, e.g. directory:///shared/tidegate";
        String value = required(config, TidegateOptions.STORE, wayOut);
        try {
            if (new URI(value).getScheme() != null) {
                return value;
            }
        } catch (URISyntaxException e) {
            throw new TidegateException(
                    invalid(TidegateOptions.STORE, value, wayOut).getMessage(), e);
        }
        throw invalid(TidegateOptions.STORE, value, wayOut);
    }

    private static String sidecar(ReadableConfig config) {
        String value = read(config, TidegateOptions.SIDECAR);
        String wayOut = "give the absolute path of the socket of `tidegate sidecar`, or unset it";
        try {
            if (value == null || Path.of(value).isAbsolute()) {
                return value;
            }
        } catch (InvalidPathException e) {
            throw new TidegateException(
                    invalid(TidegateOptions.SIDECAR, value, wayOut).getMessage(), e);
        }
        throw invalid(TidegateOptions.SIDECAR, value, wayOut);
    }

    private static <T> T required(ReadableConfig config, ConfigOption<T> option, String wayOut) {
        T value = read(config, option);
        if (value == null || value.toString().isBlank()) {
            throw new TidegateException(
                    String.format(
                            "OptionMissing: %s is not set; %s, in the job's configuration (-D%s=...,"
                                    + " flinkConfiguration of a submission, or config.yaml)",
                            option.key(), wayOut, option.key()));
        }
        return value;
    }

    private static <T> T read(ReadableConfig config, ConfigOption<T> option) {
        try {
            return config.get(option);
        } catch (IllegalArgumentException e) {
            // Flink's own text names key and value, but not what would be accepted
            throw new TidegateException(
                    String.format(
                            "OptionInvalid: %s cannot be read; %s",
                            option.key(), option.description() == null ? "" : accepted(option)),
                    e);
        }
    }

    private static String accepted(ConfigOption<?> option) {
        Object example = option.defaultValue();
        return option == (Object) TidegateOptions.COLOR
                ? "give blue or green"
                : "give a value such as " + example;
    }

    private static long millis(ReadableConfig config, ConfigOption<Duration> option, long atLeast) {
        return millis(option, read(config, option), atLeast);
    }

    private static long millis(ConfigOption<Duration> option, Duration value, long atLeast) {
        try {
            if (value.toMillis() >= atLeast) {
                return value.toMillis();
            }
        } catch (ArithmeticException e) {
            throw new TidegateException(
                    invalid(option, value, "it does not fit in milliseconds").getMessage(), e);
        }
        throw invalid(option, value, "give a duration of at least " + atLeast + " ms");
    }

    private static TidegateException invalid(ConfigOption<?> option, Object value, String wayOut) {
        return new TidegateException(
                String.format("OptionInvalid: %s is '%s'; %s", option.key(), value, wayOut));
    }
}
