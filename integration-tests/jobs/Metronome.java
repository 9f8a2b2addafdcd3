import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * A source of beats, one second of event time each, and a second vertex that hears them. Name and checkpoints come from the
 * configuration. {@code --hear slow} is slower than the source, {@code --hear nothing} fails at the first beat,
 * {@code --hear to-the-end} when it is closed. {@code --refuse why} fails before anything is submitted, {@code --uid} names
 * the state of the source, {@code --rate} is in beats per second.
 */
public final class Metronome {
    private static final long FIRST_BEAT = 1_700_000_000_000L;

    private Metronome() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int index = 0; index + 1 < arguments.length; index += 2) {
            options.put(arguments[index], arguments[index + 1]);
        }
        if (options.containsKey("--refuse")) {
            throw new IllegalArgumentException("asked to refuse: " + options.get("--refuse"));
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        GeneratorFunction<Long, Long> beat = index -> FIRST_BEAT + 1000 * index;
        double rate = Double.parseDouble(options.getOrDefault("--rate", "200"));
        DataGeneratorSource<Long> beats =
                new DataGeneratorSource<>(beat, Long.MAX_VALUE, RateLimiterStrategy.perSecond(rate), Types.LONG);
        WatermarkStrategy<Long> time =
                WatermarkStrategy.<Long>forBoundedOutOfOrderness(Duration.ofSeconds(5)).withTimestampAssigner((at, unused) -> at);
        environment
                .fromSource(beats, time, "beats")
                .uid(options.getOrDefault("--uid", "beats"))
                .rebalance()
                .map(new Hear(options.getOrDefault("--hear", "all")))
                .uid("hear")
                .sinkTo(new DiscardingSink<>())
                .uid("sink");
        environment.execute();
    }

    private static final class Hear extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final String how;

        Hear(String how) {
            this.how = how;
        }

        @Override
        public void close() {
            if (how.equals("to-the-end")) {
                throw new IllegalStateException("asked not to close");
            }
        }

        @Override
        public Long map(Long at) throws InterruptedException {
            if (how.equals("nothing")) {
                throw new IllegalStateException("asked to hear nothing");
            }
            if (how.equals("slow")) {
                Thread.sleep(500);
            }
            return at;
        }
    }
}
