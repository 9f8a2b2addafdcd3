import io.tidegate.flink.GatedSink;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * A source of beats, and a sink with a gate in front of it. A quarter of a second of event time each, {@code --rate} of them a second:
 * by default event time runs five times as fast as the clock. Color and store come from the configuration.
 */
public final class GatedMetronome {
    private static final long FIRST_BEAT = 1_700_000_000_000L;

    private GatedMetronome() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int index = 0; index + 1 < arguments.length; index += 2) {
            options.put(arguments[index], arguments[index + 1]);
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        GeneratorFunction<Long, Long> beat = index -> FIRST_BEAT + 250 * index;
        double rate = Double.parseDouble(options.getOrDefault("--rate", "20"));
        DataGeneratorSource<Long> source =
                new DataGeneratorSource<>(beat, Long.MAX_VALUE, RateLimiterStrategy.perSecond(rate), Types.LONG);
        WatermarkStrategy<Long> time =
                WatermarkStrategy.<Long>forBoundedOutOfOrderness(Duration.ofSeconds(1)).withTimestampAssigner((at, unused) -> at);
        DataStream<Long> beats = environment.fromSource(source, time, "beats").uid("beats");
        GatedSink.of("beats", new DiscardingSink<Long>()).addTo(beats);
        environment.execute();
    }
}
