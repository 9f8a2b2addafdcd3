package io.tidegate.flink;

import java.util.Locale;

/** What the first owner does with a record below the settled event time. */
public enum LatePolicy {
    /** Emit it and count it. */
    EMIT,
    /** Drop it and count it. */
    DROP;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
