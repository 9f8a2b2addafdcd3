package io.tidegate.flink;

import java.util.Locale;

/** Which of the two members of a rollout a job is. */
public enum Color {
    BLUE,
    GREEN;

    /** Lower case, as in uids, transactional ids and documents. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
