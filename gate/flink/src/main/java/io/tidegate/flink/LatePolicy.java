package io.tidegate.flink;

import java.util.Locale;

/** What the first owner does with a record below the settled event time; it is counted anyway. */
public enum LatePolicy {
    /** Emit it. */
    EMIT,
    /** Drop it. */
    DROP,
    /** Send it to the side output for late records: {@link Gate#lateRecords}. */
    SIDE_OUTPUT;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
