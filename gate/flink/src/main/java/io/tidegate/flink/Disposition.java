package io.tidegate.flink;

/** What a gate decided about a record. */
public enum Disposition {
    /** This version owns its event time. */
    EMIT,
    /** The other version owns its event time. */
    DISCARD,
    /** Late, this version sees to it, and the policy is to emit it. */
    LATE_EMIT,
    /** Late, this version sees to it, and the policy is to drop it. */
    LATE_DROP,
    /** Late, this version sees to it, and the policy is a side output. */
    LATE_SIDE_OUTPUT,
    /** Late, and the other version sees to it. */
    LATE_DISCARD;

    /** Whether a sink behind the gate would have got the record. */
    public boolean isEmitted() {
        return this == EMIT || this == LATE_EMIT;
    }
}
