import io.tidegate.flink.GatedSink;
import io.tidegate.flink.Identity;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaSinkBuilder;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.util.Collector;

/**
 * Reads lines {@code partition number time key amount} and writes, for each, {@code partition number time color count sum key}: how
 * many lines of that key there were, and the sum of their amounts. The same lines go to two topics and a folder, behind three gates
 * that cut over as one: {@code --exact} exactly once, {@code --least} at least once, {@code --files} exactly once. With {@code
 * --sinks apart} the sinks are in slots of their own.
 */
public final class Relay {
    private Relay() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int index = 0; index + 1 < arguments.length; index += 2) {
            options.put(arguments[index], arguments[index + 1]);
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.enableCheckpointing(500);
        environment.getCheckpointConfig().setMinPauseBetweenCheckpoints(10);
        Identity identity = Identity.from(environment);
        DataStream<String> lines = lines(environment, options, identity);
        for (String gate : new String[] {"exact", "least", "files"}) {
            DataStreamSink<String> sink = GatedSink.forIdentity(gate, own -> sink(own, gate, options)).addTo(lines);
            if ("apart".equals(options.get("--sinks"))) {
                sink.slotSharingGroup("sinks");
            }
        }
        environment.execute(options.get("--name"));
    }

    private static DataStream<String> lines(
            StreamExecutionEnvironment environment, Map<String, String> options, Identity identity) {
        KafkaSource<String> source =
                KafkaSource.<String>builder()
                        .setBootstrapServers(options.get("--bootstrap-servers"))
                        .setTopics(options.get("--input"))
                        .setGroupId(identity.consumerGroup("relay"))
                        .setClientIdPrefix(identity.clientId("relay"))
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        // After an outage no partition is read far ahead of the others.
                        .setProperty("max.partition.fetch.bytes", "16384")
                        .setValueOnlyDeserializer(new SimpleStringSchema())
                        .build();
        WatermarkStrategy<String> time =
                WatermarkStrategy.<String>forBoundedOutOfOrderness(Duration.ofSeconds(5))
                        .withTimestampAssigner((line, unused) -> Long.parseLong(line.split(" ")[2]))
                        .withIdleness(Duration.ofSeconds(2));
        return environment
                .fromSource(source, time, "lines")
                .uid("lines")
                .keyBy(line -> line.split(" ")[3])
                .process(new Tally(identity.color().toString()))
                .uid("tally");
    }

    private static Sink<String> sink(Identity identity, String gate, Map<String, String> options) {
        return gate.equals("files") ? files(identity, options.get("--files")) : topic(identity, gate, options);
    }

    /** Both versions write into one folder, and a file's name says of whom it is. A file can be seen when it is committed. */
    private static FileSink<String> files(Identity identity, String folder) {
        String prefix = identity.color() + "-" + identity.generation();
        return FileSink.forRowFormat(new Path(folder), new SimpleStringEncoder<String>())
                .withBucketAssigner(new BasePathBucketAssigner<>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .withOutputFileConfig(OutputFileConfig.builder().withPartPrefix(prefix).build())
                .build();
    }

    private static KafkaSink<String> topic(Identity identity, String gate, Map<String, String> options) {
        KafkaSinkBuilder<String> builder =
                KafkaSink.<String>builder()
                        .setBootstrapServers(options.get("--bootstrap-servers"))
                        .setRecordSerializer(
                                KafkaRecordSerializationSchema.<String>builder()
                                        .setTopic(options.get("--" + gate))
                                        .setKeySerializationSchema(new Key())
                                        .setValueSerializationSchema(new SimpleStringSchema())
                                        .build());
        return gate.equals("least")
                ? builder.setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE).build()
                : builder.setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                        .setTransactionalIdPrefix(identity.transactionalIdPrefix(gate))
                        .setProperty("transaction.timeout.ms", options.get("--transaction-timeout-ms"))
                        .build();
    }

    private static final class Tally extends KeyedProcessFunction<String, String, String> {
        private static final long serialVersionUID = 1L;

        private final String color;
        private transient ValueState<Long> count;
        private transient ValueState<Long> sum;

        Tally(String color) {
            this.color = color;
        }

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
            sum = getRuntimeContext().getState(new ValueStateDescriptor<>("sum", Types.LONG));
        }

        @Override
        public void processElement(String line, Context context, Collector<String> out) throws Exception {
            String[] fields = line.split(" ");
            count.update(count.value() == null ? 1 : count.value() + 1);
            sum.update((sum.value() == null ? 0 : sum.value()) + Long.parseLong(fields[4]));
            out.collect(
                    String.join(" ", fields[0], fields[1], fields[2], color, "" + count.value(), "" + sum.value(), fields[3]));
        }
    }

    /** The line's key, so that a topic has all rows of a key in their order. No lambda: Flink 2's lineage wants to know the types. */
    private static final class Key implements SerializationSchema<String> {
        private static final long serialVersionUID = 1L;

        @Override
        public byte[] serialize(String line) {
            return line.substring(line.lastIndexOf(' ') + 1).getBytes(StandardCharsets.UTF_8);
        }
    }
}
