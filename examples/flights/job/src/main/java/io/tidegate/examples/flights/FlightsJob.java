package io.tidegate.examples.flights;

import io.tidegate.flink.GatedSink;
import io.tidegate.flink.Identity;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/**
 * Departures and delays per origin airport and hour, from a topic to a topic, exactly once, behind
 * a gate named {@code flights}. Which color this is stands in the options {@code tidegate.*};
 * nothing here knows of cutovers.
 *
 * <p>See {@link Arguments} for the program's arguments.
 */
public final class FlightsJob {
    static final String GATE = "flights";

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.parse(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        if (arguments.parallelism > 0) {
            env.setParallelism(arguments.parallelism);
        }
        build(env, arguments);
        env.execute("flights " + Identity.from(env));
    }

    static void build(StreamExecutionEnvironment env, Arguments arguments) {
        env.enableCheckpointing(arguments.checkpointInterval.toMillis());
        env.getCheckpointConfig().setMinPauseBetweenCheckpoints(10);
        DataStream<Row> rows = rows(flights(env, arguments, Identity.from(env)), arguments);
        GatedSink.forIdentity(GATE, identity -> sink(identity, arguments)).addTo(rows);
    }

    private static DataStream<Flight> flights(
            StreamExecutionEnvironment env, Arguments arguments, Identity identity) {
        KafkaSource<Flight> source =
                KafkaSource.<Flight>builder()
                        .setBootstrapServers(arguments.bootstrapServers)
                        .setTopics(arguments.input)
                        .setGroupId(identity.consumerGroup(GATE))
                        .setClientIdPrefix(identity.clientId(GATE))
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setValueOnlyDeserializer(new FlightReader())
                        .build();
        // per partition, so per airport: one that is quiet holds the others' windows open
        WatermarkStrategy<Flight> watermarks =
                WatermarkStrategy.<Flight>forBoundedOutOfOrderness(arguments.maxDelay)
                        .withTimestampAssigner((flight, ignored) -> flight.scheduled);
        return env.fromSource(source, watermarks, "flights").uid("flights-source");
    }

    private static DataStream<Row> rows(DataStream<Flight> flights, Arguments arguments) {
        return flights.keyBy(flight -> flight.origin)
                .process(new LateFilter(arguments.maxDelay))
                .name("late")
                .uid("flights-late")
                .keyBy(flight -> flight.origin)
                .window(TumblingEventTimeWindows.of(Duration.ofHours(1)))
                .aggregate(new Hourly.Count(), new Hourly.Write(arguments.version))
                .name("hourly")
                .uid("flights-hourly");
    }

    private static KafkaSink<Row> sink(Identity identity, Arguments arguments) {
        return KafkaSink.<Row>builder()
                .setBootstrapServers(arguments.bootstrapServers)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(identity.transactionalIdPrefix(GATE))
                .setProperty("transaction.timeout.ms", "60000")
                .setRecordSerializer(
                        KafkaRecordSerializationSchema.<Row>builder()
                                .setTopic(arguments.output)
                                .setKeySerializationSchema(new RowWriter.Key())
                                .setValueSerializationSchema(
                                        new RowWriter.Value(arguments.crashAfterRows))
                                .build())
                .build();
    }

    private FlightsJob() {}
}
