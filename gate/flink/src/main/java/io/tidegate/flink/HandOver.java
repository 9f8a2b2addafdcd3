package io.tidegate.flink;

import java.util.Locale;

/** When the new version begins to emit from the boundary on. */
public enum HandOver {
    /** At finish, when all of the old version's output below the boundary is committed. */
    ORDERED,
    /** At the commit of the cutover: no pause, but an old value may overwrite a new one. */
    OVERLAPPED;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
