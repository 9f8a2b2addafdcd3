package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.io.IOException;
import java.util.List;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.apache.flink.streaming.api.operators.collect.CollectCoordinationResponse;

/**
 * The answer to an {@link OrderRequest}. A response travels unwrapped through Flink's RPC, which
 * deserializes it without the job's class loader: a class of the job's jar would not be found. So
 * it travels inside a response class of Flink's own.
 */
final class OrderAnswer {
    private static final String VERSION = "tidegate-order";

    /** There is no newer order yet. */
    static CoordinationResponse none() {
        return new CollectCoordinationResponse(VERSION, Native.NONE, List.of());
    }

    static CoordinationResponse of(OrderEvent order) {
        DataOutputSerializer out = new DataOutputSerializer(order.order.length + Integer.BYTES);
        try {
            BytePrimitiveArraySerializer.INSTANCE.serialize(order.order, out);
        } catch (IOException e) {
            throw new TidegateException("BridgeMessage: an order cannot be written", e);
        }
        return new CollectCoordinationResponse(
                VERSION, order.serial, List.of(out.getCopyOfBuffer()));
    }

    /**
     * @return the order, or null when there is no newer one
     */
    static OrderEvent read(CoordinationResponse response) {
        CollectCoordinationResponse answer = (CollectCoordinationResponse) response;
        try {
            List<byte[]> orders = answer.getResults(BytePrimitiveArraySerializer.INSTANCE);
            return orders.isEmpty()
                    ? null
                    : new OrderEvent(answer.getLastCheckpointedOffset(), orders.get(0));
        } catch (IOException e) {
            throw new TidegateException("BridgeMessage: an order cannot be read", e);
        }
    }

    private OrderAnswer() {}
}
