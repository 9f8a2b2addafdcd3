package io.tidegate.examples.flights;

/** A flight as it stands in the input topic. */
public class Flight {
    /** The airport it leaves from. */
    public String origin;

    /** Scheduled departure, epoch milliseconds: the event time. */
    public long scheduled;

    /** Minutes after the scheduled departure; null when it is not known. */
    public Integer delay;

    /** It never left. */
    public boolean cancelled;

    /** Its number in the input. */
    public long seq;

    /** The airline. */
    public String carrier;
}
