package io.tidegate.flink;

import io.tidegate.flink.internal.Settings;
import java.io.Serializable;
import java.util.Objects;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Who this job is: the rollout, its color and its generation. User code names with it whatever two
 * running versions must not share: consumer groups, client ids, transactional ids.
 */
public final class Identity implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String rollout;
    private final Color color;
    private final int generation;

    /**
     * For tests and tools; a job asks {@link #from(StreamExecutionEnvironment)}.
     *
     * @throws TidegateException when the rollout's name or the generation is not valid
     */
    public Identity(String rollout, Color color, int generation) {
        this.rollout = Settings.checkName("rollout", rollout);
        this.color = Objects.requireNonNull(color);
        this.generation = Settings.checkGeneration(generation);
    }

    /**
     * @return the identity in the options of the environment
     * @throws TidegateException when {@code tidegate.rollout} or {@code tidegate.color} is missing
     *     or not valid
     */
    public static Identity from(StreamExecutionEnvironment env) {
        return Settings.identity(env.getConfiguration());
    }

    public String rollout() {
        return rollout;
    }

    public Color color() {
        return color;
    }

    public int generation() {
        return generation;
    }

    /**
     * The only prefix that {@link GatedSink} accepts for a KafkaSink with exactly-once delivery:
     * {@code tidegate.<rollout>.<gate>.<color>-<generation>.}. It ends with a delimiter because
     * Kafka's sink looks for transactions to abort by {@code startsWith}, and generation 1 must not
     * find those of generation 11; the delimiter is one that no name contains.
     *
     * @param gate the name given to the gate
     */
    public String transactionalIdPrefix(String gate) {
        return "tidegate." + rollout + "." + gate + "." + color + "-" + generation + ".";
    }

    /** The same for the sink of late records: {@link GatedSink#lateRecordsForIdentity}. */
    public String lateTransactionalIdPrefix(String gate) {
        return transactionalIdPrefix(gate + ".late");
    }

    /** The same for the sink of a preview: {@link GatedSink#previewForIdentity}. */
    public String previewTransactionalIdPrefix(String gate) {
        return transactionalIdPrefix(gate + ".preview");
    }

    /**
     * A consumer group of this generation's own: {@code <base>-<color>-<generation>}. Flink keeps
     * the positions in its state; the group only shows them.
     */
    public String consumerGroup(String base) {
        return base + "-" + color + "-" + generation;
    }

    /** A client id of this generation's own: {@code <base>-<color>-<generation>}. */
    public String clientId(String base) {
        return base + "-" + color + "-" + generation;
    }

    /** {@code <rollout>/<color>-<generation>}. */
    @Override
    public String toString() {
        return rollout + "/" + color + "-" + generation;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Identity && toString().equals(other.toString());
    }

    @Override
    public int hashCode() {
        return toString().hashCode();
    }
}
