package io.tidegate.flink.internal;

import java.nio.charset.StandardCharsets;

/** Orders as an agent gives them to gates of blue, with a boundary at {@link #BOUNDARY}. */
final class TestingOrders {
    static final long BOUNDARY = 100;

    /** The only owner. */
    static OrderEvent emitAll(long number) {
        return order(number, "forget", null, "emit");
    }

    /** A standby. */
    static OrderEvent discardAll(long number) {
        return order(number, "forget", null, "discard");
    }

    /** A cutover is proposed and this is the old side. */
    static OrderEvent proposedFrom(long number) {
        return order(number, "forget", "from", "emit", "hold");
    }

    /** It is committed and this is the old side. */
    static OrderEvent committedFrom(long number) {
        return order(number, "forget", null, "emit", "discard");
    }

    /** It is proposed, or committed and ordered, and this is the new side. */
    static OrderEvent waitingTo(long number) {
        return order(number, "forget", null, "discard", "hold");
    }

    /** It is finished and this is the new side. */
    static OrderEvent finishedTo(long number) {
        return order(number, "forget", null, "discard", "emit");
    }

    /** The boundary is settled: below it all is late. */
    static OrderEvent settled(long number, String below, String above) {
        return order(number, "forget", null, below, above);
    }

    /**
     * @param inherited what becomes of records that another member held: wait, forget, adopt
     * @param side of the question, or null when nothing is asked
     * @param dispositions below and from the boundary on, or one for all
     */
    static OrderEvent order(long number, String inherited, String side, String... dispositions) {
        StringBuilder spans = new StringBuilder();
        long since = Long.MIN_VALUE;
        for (String disposition : dispositions) {
            spans.append(spans.length() == 0 ? "" : ",");
            spans.append("{\"since\":").append(since);
            spans.append(",\"disposition\":\"").append(disposition).append("\"}");
            since = BOUNDARY;
        }
        String question =
                side == null
                        ? "null"
                        : "{\"attempt\":1,\"at\":" + BOUNDARY + ",\"side\":\"" + side + "\"}";
        String json =
                "{\"serial\":"
                        + number
                        + ",\"epoch\":"
                        + number
                        + ",\"spans\":["
                        + spans
                        + "],\"question\":"
                        + question
                        + ",\"inherited\":\""
                        + inherited
                        + "\"}";
        return new OrderEvent(number, json.getBytes(StandardCharsets.UTF_8));
    }

    private TestingOrders() {}
}
