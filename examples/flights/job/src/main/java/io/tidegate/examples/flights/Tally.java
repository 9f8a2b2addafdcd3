package io.tidegate.examples.flights;

/**
 * What a window of one airport keeps. The same in all versions of the job, so that the new one can
 * start from the old one's snapshot.
 */
public class Tally {
    /** Flights that left. */
    public long departures;

    /** Flights that never left. */
    public long cancelled;

    /** Sum of the known delays of the flights that left, minutes; early departures are negative. */
    public long delayMinutes;

    void add(Flight flight) {
        if (flight.cancelled) {
            cancelled++;
            return;
        }
        departures++;
        if (flight.delay != null) {
            delayMinutes += flight.delay;
        }
    }

    Tally plus(Tally other) {
        departures += other.departures;
        cancelled += other.cancelled;
        delayMinutes += other.delayMinutes;
        return this;
    }
}
