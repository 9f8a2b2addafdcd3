package io.tidegate.examples.flights;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** A line of the output topic. */
public class Row {
    /** {@code origin/hour}. */
    public String key;

    /** JSON, its fields in a fixed order. */
    public String value;

    /** For Flink. */
    public Row() {}

    private Row(String key, String value) {
        this.key = key;
        this.value = value;
    }

    /**
     * {@code {"origin","hour","departures","delay_minutes"}}, from version 2 on {@code
     * "cancelled","mean_delay"} after these, and in version 3 {@code "flights"}. The mean is that
     * of the departures, in minutes, rounded half up to two decimals; null when there are none.
     *
     * @param hour start of the window, epoch milliseconds
     */
    static Row of(Version version, String origin, long hour, Tally tally) {
        StringBuilder json = new StringBuilder(128);
        json.append("{\"origin\":\"").append(origin).append("\",\"hour\":").append(hour);
        json.append(",\"departures\":").append(tally.departures);
        json.append(",\"delay_minutes\":").append(tally.delayMinutes);
        if (version.compareTo(Version.V2) >= 0) {
            json.append(",\"cancelled\":").append(tally.cancelled);
            json.append(",\"mean_delay\":").append(mean(tally));
        }
        if (version == Version.V3) {
            json.append(",\"flights\":").append(tally.departures + tally.cancelled);
        }
        return new Row(origin + "/" + hour, json.append('}').toString());
    }

    private static String mean(Tally tally) {
        if (tally.departures == 0) {
            return "null";
        }
        return BigDecimal.valueOf(tally.delayMinutes)
                .divide(BigDecimal.valueOf(tally.departures), 2, RoundingMode.HALF_UP)
                .toPlainString();
    }
}
