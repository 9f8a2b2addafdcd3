import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Counts a hundred numbers a second for ever; with the argument {@code fail} it fails at the first one. */
public final class Ticker {
    private Ticker() {}

    public static void main(String[] arguments) throws Exception {
        boolean fail = arguments.length > 0 && arguments[0].equals("fail");
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.enableCheckpointing(500);
        GeneratorFunction<Long, Long> number = index -> index;
        DataGeneratorSource<Long> numbers =
                new DataGeneratorSource<>(number, Long.MAX_VALUE, RateLimiterStrategy.perSecond(100), Types.LONG);
        environment
                .fromSource(numbers, WatermarkStrategy.noWatermarks(), "numbers")
                .uid("numbers")
                .map(new Count(fail))
                .uid("count")
                .sinkTo(new DiscardingSink<>())
                .uid("sink");
        environment.execute("ticker");
    }

    private static final class Count extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final boolean fail;
        private final LongCounter ticks = new LongCounter();

        Count(boolean fail) {
            this.fail = fail;
        }

        @Override
        public void open(OpenContext context) {
            getRuntimeContext().addAccumulator("ticks", ticks);
        }

        @Override
        public Long map(Long number) {
            if (fail) {
                throw new IllegalStateException("asked to fail");
            }
            ticks.add(1);
            return number;
        }
    }
}
