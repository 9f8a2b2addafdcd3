package io.tidegate.flink;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/** Real sinks for tests. */
public final class TestingSinks {

    public static Sink<Long> kafka(DeliveryGuarantee guarantee, String prefix) {
        return KafkaSink.<Long>builder()
                .setBootstrapServers("127.0.0.1:1")
                .setDeliveryGuarantee(guarantee)
                .setTransactionalIdPrefix(prefix)
                .setRecordSerializer(
                        KafkaRecordSerializationSchema.<Long>builder()
                                .setTopic("topic")
                                .setValueSerializationSchema(new Text())
                                .build())
                .build();
    }

    /** Exactly once, behind a gate named {@code orders}. */
    public static Sink<Long> kafka(Identity identity) {
        return kafka(DeliveryGuarantee.EXACTLY_ONCE, identity.transactionalIdPrefix("orders"));
    }

    /** Its files get their names when a checkpoint is committed. */
    public static Sink<Long> files(Path folder) {
        return FileSink.<Long>forRowFormat(
                        new org.apache.flink.core.fs.Path(folder.toUri()),
                        new SimpleStringEncoder<>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .build();
    }

    /** No lambda: Flink 2's lineage wants to know the type. */
    private static final class Text implements SerializationSchema<Long> {
        private static final long serialVersionUID = 1L;

        @Override
        public byte[] serialize(Long number) {
            return number.toString().getBytes(StandardCharsets.UTF_8);
        }
    }

    private TestingSinks() {}
}
