package io.tidegate.examples.flights;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.serialization.SerializationSchema;

/** Writes {@link Row}s. No lambdas: Flink 2's lineage wants to know the types (FLIP-314). */
final class RowWriter {

    static final class Key implements SerializationSchema<Row> {
        private static final long serialVersionUID = 1L;

        @Override
        public byte[] serialize(Row row) {
            return row.key.getBytes(StandardCharsets.UTF_8);
        }
    }

    static final class Value implements SerializationSchema<Row> {
        private static final long serialVersionUID = 1L;

        @Override
        public byte[] serialize(Row row) {
            return row.value.getBytes(StandardCharsets.UTF_8);
        }
    }

    private RowWriter() {}
}
