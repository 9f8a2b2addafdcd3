package io.tidegate.flink.internal;

import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/**
 * The group {@code tidegate} of a gate's operator: counters {@code emitted}, {@code discarded};
 * gauges {@code held} (records), {@code held_bytes}, {@code late}, {@code untimed}, {@code future},
 * {@code epoch}; {@code boundary} and {@code future_time}, what the last record of the far future
 * was dated (epoch milliseconds, {@code Long.MIN_VALUE} when there is none).
 */
final class GateMetrics {
    private final Counter emitted;
    private final Counter discarded;

    // read by reporters' threads
    private volatile JsonNode counters = Json.object();
    private volatile long heldBytes;

    GateMetrics(MetricGroup operator) {
        MetricGroup group = operator.addGroup("tidegate");
        emitted = group.counter("emitted");
        discarded = group.counter("discarded");
        for (String name : new String[] {"held", "late", "untimed", "future"}) {
            group.gauge(name, () -> counters.path(name).asLong(0));
        }
        group.gauge("held_bytes", () -> heldBytes);
        group.gauge("epoch", () -> counters.path("epoch").asLong(0));
        group.gauge("future_time", this::futureTime);
        group.gauge("boundary", () -> counters.path("boundary").asLong(Native.NONE));
    }

    void emitted(long records) {
        emitted.inc(records);
    }

    void discarded(long records) {
        discarded.inc(records);
    }

    /**
     * @param json what {@link Native#subtaskCounters} gave
     * @param bytes of the held records
     * @return whether records of the far future have come since the last time
     */
    boolean update(byte[] json, long bytes) {
        long before = future();
        heldBytes = bytes;
        counters = Json.parse(json);
        return future() > before;
    }

    /** How many records of the far future have come. */
    long future() {
        return counters.path("future").asLong(0);
    }

    /** What the last one of them was dated. */
    long futureTime() {
        return counters.path("future_time").asLong(Native.NONE);
    }
}
