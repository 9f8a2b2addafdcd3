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

        /** 0: never. */
        private final long crashAfterRows;

        private transient boolean firstLife;
        private transient long rows;

        Value(long crashAfterRows) {
            this.crashAfterRows = crashAfterRows;
        }

        @Override
        public void open(InitializationContext context) {
            String attempt = context.getMetricGroup().getAllVariables().get("<task_attempt_num>");
            firstLife = "0".equals(attempt);
        }

        /**
         * Behind the gate: a row that is discarded is never written, so a new version that crashes
         * here does so after it has taken over.
         */
        @Override
        public byte[] serialize(Row row) {
            rows++;
            if (firstLife && crashAfterRows > 0 && rows > crashAfterRows) {
                throw new IllegalStateException(
                        "this version crashes after " + crashAfterRows + " rows, as it was told");
            }
            return row.value.getBytes(StandardCharsets.UTF_8);
        }
    }

    private RowWriter() {}
}
