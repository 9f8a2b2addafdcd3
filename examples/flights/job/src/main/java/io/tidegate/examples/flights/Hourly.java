package io.tidegate.examples.flights;

import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** From the flights of an airport and an hour to a row. */
final class Hourly {

    static final class Count implements AggregateFunction<Flight, Tally, Tally> {
        private static final long serialVersionUID = 1L;

        @Override
        public Tally createAccumulator() {
            return new Tally();
        }

        @Override
        public Tally add(Flight flight, Tally tally) {
            tally.add(flight);
            return tally;
        }

        @Override
        public Tally getResult(Tally tally) {
            return tally;
        }

        @Override
        public Tally merge(Tally one, Tally other) {
            return one.plus(other);
        }
    }

    static final class Write extends ProcessWindowFunction<Tally, Row, String, TimeWindow> {
        private static final long serialVersionUID = 1L;

        private final Version version;

        Write(Version version) {
            this.version = version;
        }

        @Override
        public void process(
                String origin, Context context, Iterable<Tally> tallies, Collector<Row> out) {
            long hour = context.window().getStart();
            out.collect(Row.of(version, origin, hour, tallies.iterator().next()));
        }
    }

    private Hourly() {}
}
