import io.tidegate.flink.GatedSink;
import io.tidegate.flink.Identity;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Copies records {@code key,time} from a topic to a topic, exactly once, with {@code --version} in front of each, and keeps
 * {@code --bytes} of state for each key. {@code --gate no} leaves the gate out.
 */
public final class Ballast {
    private Ballast() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int index = 0; index + 1 < arguments.length; index += 2) {
            options.put(arguments[index], arguments[index + 1]);
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.enableCheckpointing(Long.parseLong(options.get("--checkpoint-interval")));
        environment.getCheckpointConfig().setMinPauseBetweenCheckpoints(10);
        KafkaSource<String> source =
                KafkaSource.<String>builder()
                        .setBootstrapServers(options.get("--bootstrap-servers"))
                        .setTopics(options.get("--input"))
                        .setGroupId("ballast-" + options.get("--version"))
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setValueOnlyDeserializer(new SimpleStringSchema())
                        .build();
        WatermarkStrategy<String> time =
                WatermarkStrategy.<String>forBoundedOutOfOrderness(Duration.ZERO)
                        .withTimestampAssigner((line, unused) -> Long.parseLong(line.split(",")[1]));
        DataStream<String> lines =
                environment
                        .fromSource(source, time, "lines")
                        .uid("lines")
                        .keyBy(line -> line.split(",")[0])
                        .process(new Load(options.get("--version"), Integer.parseInt(options.get("--bytes"))))
                        .uid("load");
        if (options.get("--gate").equals("no")) {
            lines.sinkTo(sink(options, "ballast")).uid("sink");
        } else {
            GatedSink.<String>forIdentity("ballast", identity -> sink(options, prefix(identity))).addTo(lines);
        }
        environment.execute();
    }

    private static String prefix(Identity identity) {
        return identity.transactionalIdPrefix("ballast");
    }

    private static KafkaSink<String> sink(Map<String, String> options, String prefix) {
        return KafkaSink.<String>builder()
                .setBootstrapServers(options.get("--bootstrap-servers"))
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(prefix)
                .setProperty("transaction.timeout.ms", "60000")
                .setRecordSerializer(
                        KafkaRecordSerializationSchema.<String>builder()
                                .setTopic(options.get("--output"))
                                .setValueSerializationSchema(new SimpleStringSchema())
                                .build())
                .build();
    }

    private static final class Load extends KeyedProcessFunction<String, String, String> {
        private static final long serialVersionUID = 1L;

        private final String version;
        private final int bytes;
        private transient ValueState<byte[]> load;

        Load(String version, int bytes) {
            this.version = version;
            this.bytes = bytes;
        }

        @Override
        public void open(OpenContext context) {
            load =
                    getRuntimeContext()
                            .getState(
                                    new ValueStateDescriptor<>(
                                            "load", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        }

        @Override
        public void processElement(String line, Context context, Collector<String> out) throws Exception {
            if (load.value() == null) {
                byte[] random = new byte[bytes];
                new Random(line.hashCode()).nextBytes(random);
                load.update(random);
            }
            out.collect(version + "," + line);
        }
    }
}
