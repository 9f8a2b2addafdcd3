package io.tidegate.flink.internal;

import java.util.Locale;

/** How a gate learns that what it emitted is visible downstream. */
public enum Evidence {
    /** The sink's committer has committed a checkpoint. */
    COMMITTER,
    /** A checkpoint was completed: enough for sinks that flush before it, weaker for others. */
    CHECKPOINT;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
