package io.tidegate.examples.flights;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * The job of the flights with a fuse: {@code --fuse FILE} stands before its other arguments. When
 * the file is there, it is removed, and one of the job's tasks fails.
 */
public final class FusedFlights {
    private static final int LOOKS_PER_SECOND = 20;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 2 || !arguments[0].equals("--fuse")) {
            throw new IllegalArgumentException("--fuse FILE is missing");
        }
        Arguments others = Arguments.parse(Arrays.copyOfRange(arguments, 2, arguments.length));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        FlightsJob.build(env, others);
        GeneratorFunction<Long, Long> number = index -> index;
        DataGeneratorSource<Long> looks =
                new DataGeneratorSource<>(
                        number, Long.MAX_VALUE, RateLimiterStrategy.perSecond(LOOKS_PER_SECOND), Types.LONG);
        env.fromSource(looks, WatermarkStrategy.noWatermarks(), "looks")
                .uid("fuse-looks")
                .setParallelism(1)
                .map(new Fuse(arguments[1]))
                .uid("fuse")
                .setParallelism(1)
                .sinkTo(new DiscardingSink<>())
                .uid("fuse-end")
                .setParallelism(1);
        env.execute();
    }

    private static final class Fuse implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final String file;

        Fuse(String file) {
            this.file = file;
        }

        @Override
        public Long map(Long look) throws Exception {
            if (Files.deleteIfExists(Path.of(file))) {
                throw new IllegalStateException("the fuse " + file + " has blown");
            }
            return look;
        }
    }

    private FusedFlights() {}
}
