package io.tidegate.examples.flights;

import java.time.Duration;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Drops the flights of an airport that were scheduled more than the longest delay before the latest
 * one seen there, and counts them as the metric {@code late}.
 *
 * <p>A window operator would drop by its watermark, which depends on when it was emitted; this rule
 * depends on the input alone, so both versions and a batch computation drop the same flights. The
 * watermark, which is behind by the same delay, is never above what this lets through.
 */
final class LateFilter extends KeyedProcessFunction<String, Flight, Flight> {
    private static final long serialVersionUID = 1L;

    private final long maxDelayMs;
    private transient ValueState<Long> highest;
    private transient Counter late;

    LateFilter(Duration maxDelay) {
        this.maxDelayMs = maxDelay.toMillis();
    }

    @Override
    public void processElement(Flight flight, Context context, Collector<Flight> out)
            throws Exception {
        if (late == null) {
            late = getRuntimeContext().getMetricGroup().counter("late");
            highest =
                    getRuntimeContext().getState(new ValueStateDescriptor<>("highest", Types.LONG));
        }
        Long before = highest.value();
        if (before != null && flight.scheduled < before - maxDelayMs) {
            late.inc();
            return;
        }
        if (before == null || flight.scheduled > before) {
            highest.update(flight.scheduled);
        }
        out.collect(flight);
    }
}
