package io.tidegate.examples.flights;

import java.io.IOException;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** Reads {@link Flight}s from JSON; fields that it does not know are left out. */
final class FlightReader extends AbstractDeserializationSchema<Flight> {
    private static final long serialVersionUID = 1L;

    private transient ObjectMapper mapper;

    FlightReader() {
        super(Flight.class);
    }

    @Override
    public void open(InitializationContext context) {
        mapper = new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    }

    @Override
    public Flight deserialize(byte[] message) throws IOException {
        return mapper.readValue(message, Flight.class);
    }
}
