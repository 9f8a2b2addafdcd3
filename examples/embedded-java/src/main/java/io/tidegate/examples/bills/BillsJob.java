package io.tidegate.examples.bills;

import io.tidegate.flink.GatedSink;
import io.tidegate.flink.Identity;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Bills of orders, from a topic to a topic, exactly once. Lines {@code id,at,cents} come in, {@code
 * at} in epoch milliseconds; the second argument is the tax in percent, which is what a new version
 * changes.
 */
public final class BillsJob {
    private static final String GATE = "bills";

    public static void main(String[] args) throws Exception {
        String brokers = args[0];
        long percent = Long.parseLong(args[1]);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment().enableCheckpointing(1_000);
        // Who this is stands in the options tidegate.*: each color reads and writes under names of
        // its own.
        Identity identity = Identity.from(env);
        KafkaSource<String> source =
                KafkaSource.<String>builder()
                        .setBootstrapServers(brokers)
                        .setTopics("orders")
                        .setGroupId(identity.consumerGroup(GATE))
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setValueOnlyDeserializer(new SimpleStringSchema())
                        .build();
        WatermarkStrategy<String> watermarks =
                WatermarkStrategy.<String>forBoundedOutOfOrderness(Duration.ofSeconds(1))
                        .withTimestampAssigner((line, ignored) -> number(line, 1));
        DataStream<String> bills =
                env.fromSource(source, watermarks, "orders")
                        .uid("orders")
                        .map(line -> bill(line, percent))
                        .uid("tax");
        // The sink of before, with a gate in front of it.
        GatedSink.forIdentity(GATE, own -> sink(brokers, own)).addTo(bills);
        env.execute("bills " + identity);
    }

    private static KafkaSink<String> sink(String brokers, Identity identity) {
        return KafkaSink.<String>builder()
                .setBootstrapServers(brokers)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(identity.transactionalIdPrefix(GATE))
                .setProperty("transaction.timeout.ms", "60000")
                .setRecordSerializer(
                        KafkaRecordSerializationSchema.<String>builder()
                                .setTopic("bills")
                                .setValueSerializationSchema(new SimpleStringSchema())
                                .build())
                .build();
    }

    private static String bill(String line, long percent) {
        long cents = number(line, 2);
        return String.format(
                "{\"id\":%d,\"at\":%d,\"cents\":%d,\"tax\":%d}",
                number(line, 0), number(line, 1), cents, cents * percent / 100);
    }

    private static long number(String line, int field) {
        return Long.parseLong(line.split(",")[field]);
    }

    private BillsJob() {}
}
