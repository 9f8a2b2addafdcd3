package io.tidegate.flink;

import java.time.Duration;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * The options of a gated job. They are read once, when a gate is added to the job graph, from the
 * environment's configuration: from {@code config.yaml}, {@code -D}, or {@code flinkConfiguration}
 * of {@code POST /jars/:id/run}.
 */
public final class TidegateOptions {

    /** Where the cutover document lives. */
    public static final ConfigOption<String> STORE =
            ConfigOptions.key("tidegate.store")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Address of the store that both jobs share, such as"
                                    + " directory:///shared/tidegate or"
                                    + " zookeeper://zk1:2181,zk2:2181/tidegate.");

    /** The pair of jobs that share one output. */
    public static final ConfigOption<String> ROLLOUT =
            ConfigOptions.key("tidegate.rollout")
                    .stringType()
                    .noDefaultValue()
                    .withDescription("Name of the rollout, the same in both jobs.");

    /** Which of the two jobs this is. */
    public static final ConfigOption<Color> COLOR =
            ConfigOptions.key("tidegate.color")
                    .enumType(Color.class)
                    .noDefaultValue()
                    .withDescription("Which of the two jobs this one is.");

    /** Counts the deployments of a color. */
    public static final ConfigOption<Integer> GENERATION =
            ConfigOptions.key("tidegate.generation")
                    .intType()
                    .defaultValue(1)
                    .withDescription(
                            "Counts the deployments of a color from 1; a restart of the same"
                                    + " deployment keeps it.");

    /** Bound of one subtask, in records. */
    public static final ConfigOption<Long> HOLD_MAX_RECORDS =
            ConfigOptions.key("tidegate.hold.max-records")
                    .longType()
                    .defaultValue(100_000L)
                    .withDescription(
                            "How many records a subtask holds before it makes its input wait.");

    /** Bound of one subtask, in serialized bytes. */
    public static final ConfigOption<MemorySize> HOLD_MAX_BYTES =
            ConfigOptions.key("tidegate.hold.max-bytes")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(64))
                    .withDescription(
                            "How many bytes of serialized records a subtask holds, on the heap,"
                                    + " before it makes its input wait.");

    /** From which distance on a record's time is not believed. */
    public static final ConfigOption<Duration> MAX_AHEAD =
            ConfigOptions.key("tidegate.max-ahead")
                    .durationType()
                    .noDefaultValue()
                    .withDescription(
                            "A record further than this above the watermark gets the watermark as"
                                    + " its time, is counted, and is outside the guarantee. Unset:"
                                    + " one that is more than a day above the watermark and more"
                                    + " than a day above the clock.");

    /** When an idle subtask stops holding the frontier back. */
    public static final ConfigOption<Duration> IDLE_AFTER =
            ConfigOptions.key("tidegate.idle-after")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(1))
                    .withDescription(
                            "A subtask that has been idle for this long no longer holds a finish"
                                    + " back.");

    /** How late a record may be to be inside the guarantee. */
    public static final ConfigOption<Duration> LATENESS =
            ConfigOptions.key("tidegate.lateness")
                    .durationType()
                    .defaultValue(Duration.ZERO)
                    .withDescription(
                            "How far below the watermark a record still counts as in time: an old"
                                    + " owner's part is settled this much later.");

    /** What to do with later ones. */
    public static final ConfigOption<LatePolicy> LATE_POLICY =
            ConfigOptions.key("tidegate.late-policy")
                    .enumType(LatePolicy.class)
                    .defaultValue(LatePolicy.EMIT)
                    .withDescription(
                            "What the first owner does with records below the settled event"
                                    + " time: emit, drop or side-output.");

    /** Whether the new version waits for the old one's last commit. */
    public static final ConfigOption<HandOver> HAND_OVER =
            ConfigOptions.key("tidegate.hand-over")
                    .enumType(HandOver.class)
                    .defaultValue(HandOver.ORDERED)
                    .withDescription(
                            "ordered: the new version emits when the old one's part is committed."
                                    + " overlapped: it emits as soon as the cutover is committed.");

    /** Whether a job without a snapshot may take over. */
    public static final ConfigOption<Boolean> STARTS_AT_BEGINNING =
            ConfigOptions.key("tidegate.starts-at-beginning")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "The sources of this job read from the beginning, so it may take over"
                                    + " although it was started without a snapshot of the other"
                                    + " job.");

    /** How often a subtask reports. */
    public static final ConfigOption<Duration> REPORT_INTERVAL =
            ConfigOptions.key("tidegate.report-interval")
                    .durationType()
                    .defaultValue(Duration.ofMillis(100))
                    .withDescription("How often a subtask reports to the job's agent.");

    /** Who runs the machines when this JVM may load no native code. */
    public static final ConfigOption<String> SIDECAR =
            ConfigOptions.key("tidegate.sidecar")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Path of the socket of `tidegate sidecar`, the same beside the"
                                    + " JobManager and each TaskManager: it runs the gate's native"
                                    + " part, and no native code is loaded into Flink's JVMs."
                                    + " Unset: the native library in the job's jar does.");

    /** Takes the guard against inherited sink state away; harmful. */
    public static final ConfigOption<Boolean> UNSAFE_INHERIT_SINK_STATE =
            ConfigOptions.key("tidegate.unsafe.inherit-sink-state")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "HARMFUL, for tests that show the harm: gives the sink the same uid in"
                                    + " both colors and accepts any transactional id prefix. A job"
                                    + " started from the other color's snapshot then aborts that"
                                    + " color's open transactions, and records are lost.");

    private TidegateOptions() {}
}
