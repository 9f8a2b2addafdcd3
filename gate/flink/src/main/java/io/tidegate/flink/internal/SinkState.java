package io.tidegate.flink.internal;

import io.tidegate.flink.Identity;
import io.tidegate.flink.TidegateException;
import io.tidegate.flink.TidegateOptions;
import java.lang.reflect.Field;
import java.util.Locale;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Keeps a sink from taking over the state of the other color's. An exactly-once Kafka writer that
 * is restored from it aborts that color's open transactions, which it finds by their prefix.
 */
final class SinkState {
    private static final String KAFKA_SINK = "org.apache.flink.connector.kafka.sink.KafkaSink";

    private final boolean unsafe;
    private final Identity identity;
    private final String gate;
    private final Role role;

    /** What a sink behind a gate is for. */
    enum Role {
        SINK,
        LATE,
        PREVIEW;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }

        private String prefix(Identity identity, String gate) {
            switch (this) {
                case LATE:
                    return identity.lateTransactionalIdPrefix(gate);
                case PREVIEW:
                    return identity.previewTransactionalIdPrefix(gate);
                default:
                    return identity.transactionalIdPrefix(gate);
            }
        }

        /** In words of the API, for messages. */
        private String wayOut(String gate) {
            switch (this) {
                case LATE:
                    return "lateRecordsForIdentity and call setTransactionalIdPrefix("
                            + "identity.lateTransactionalIdPrefix(\""
                            + gate
                            + "\"))";
                case PREVIEW:
                    return "previewForIdentity and call setTransactionalIdPrefix("
                            + "identity.previewTransactionalIdPrefix(\""
                            + gate
                            + "\"))";
                default:
                    return "forIdentity and call setTransactionalIdPrefix("
                            + "identity.transactionalIdPrefix(\""
                            + gate
                            + "\"))";
            }
        }
    }

    SinkState(ReadableConfig config, Identity identity, String gate, Role role) {
        this.unsafe = config.get(TidegateOptions.UNSAFE_INHERIT_SINK_STATE);
        this.identity = identity;
        this.gate = gate;
        this.role = role;
    }

    /** The sink's uid: of this generation only, since state is restored by uid. */
    String uid() {
        String base = "tidegate-" + role + "-" + gate;
        return unsafe ? base : base + "-" + identity.color() + "-" + identity.generation();
    }

    /**
     * @throws TidegateException when it is a KafkaSink with exactly-once delivery and another
     *     prefix than this generation's, or one whose prefix cannot be read
     */
    void check(Sink<?> sink) {
        Class<?> kafka = kafkaSink(sink.getClass());
        if (unsafe || kafka == null) {
            return;
        }
        // by name: its toString is another text
        Object guarantee = read(kafka, sink, "deliveryGuarantee");
        if (guarantee instanceof Enum && !"EXACTLY_ONCE".equals(((Enum<?>) guarantee).name())) {
            return;
        }
        Object prefix = read(kafka, sink, "transactionalIdPrefix");
        String own = role.prefix(identity, gate);
        if (!own.equals(prefix)) {
            throw new TidegateException(
                    String.format(
                            "SinkStateInherited: transactionalIdPrefix of the KafkaSink behind gate"
                                    + " '%s' is '%s', not '%s'; two versions of the job would abort"
                                    + " each other's transactions. Use GatedSink.%s",
                            gate, prefix, own, role.wayOut(gate)));
        }
    }

    private static Class<?> kafkaSink(Class<?> sink) {
        for (Class<?> each = sink; each != null; each = each.getSuperclass()) {
            if (each.getName().equals(KAFKA_SINK)) {
                return each;
            }
        }
        return null;
    }

    private Object read(Class<?> kafka, Sink<?> sink, String name) {
        try {
            Field field = kafka.getDeclaredField(name);
            field.setAccessible(true);
            return field.get(sink);
        } catch (ReflectiveOperationException | RuntimeException e) {
            throw new TidegateException(
                    String.format(
                            "SinkStateInherited: field %s of %s behind gate '%s' cannot be read, so"
                                    + " nobody knows whether two versions of the job would abort"
                                    + " each other's transactions; use a Kafka connector that"
                                    + " Tidegate knows (3.4 for Flink 1.20, 5.0 for Flink 2.x), and"
                                    + " open its package to Tidegate if it is a named module",
                            name, kafka.getName(), gate),
                    e);
        }
    }
}
