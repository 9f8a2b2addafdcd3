package io.tidegate.examples.flights;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RowTest {

    @Test
    void versionOneCountsDeparturesAndSumsKnownDelays() {
        Tally tally = tally(flight(10, false), flight(null, false), flight(-3, false), cancelled());
        Row row = Row.of(Version.V1, "EWR", 3_600_000L, tally);
        assertEquals("EWR/3600000", row.key);
        assertEquals(
                "{\"origin\":\"EWR\",\"hour\":3600000,\"departures\":3,\"delay_minutes\":7}",
                row.value);
    }

    @Test
    void versionTwoAddsCancelledAndTheMeanRoundedHalfUp() {
        // 7 / 8 = 0.875
        Tally tally = new Tally();
        tally.departures = 8;
        tally.delayMinutes = 7;
        tally.cancelled = 2;
        assertEquals(
                "{\"origin\":\"JFK\",\"hour\":0,\"departures\":8,\"delay_minutes\":7,"
                        + "\"cancelled\":2,\"mean_delay\":0.88}",
                Row.of(Version.V2, "JFK", 0, tally).value);
    }

    @Test
    void versionThreeAddsAllFlights() {
        assertEquals(
                "{\"origin\":\"JFK\",\"hour\":0,\"departures\":1,\"delay_minutes\":4,"
                        + "\"cancelled\":1,\"mean_delay\":4.00,\"flights\":2}",
                Row.of(Version.V3, "JFK", 0, tally(flight(4, false), cancelled())).value);
    }

    @Test
    void anHourWithoutDeparturesHasNoMean() {
        assertEquals(
                "{\"origin\":\"LGA\",\"hour\":0,\"departures\":0,\"delay_minutes\":0,"
                        + "\"cancelled\":1,\"mean_delay\":null}",
                Row.of(Version.V2, "LGA", 0, tally(cancelled())).value);
    }

    @Test
    void talliesOfTwoPartsAddUp() {
        Tally sum = tally(flight(4, false), cancelled()).plus(tally(flight(6, false)));
        assertEquals(2, sum.departures);
        assertEquals(1, sum.cancelled);
        assertEquals(10, sum.delayMinutes);
    }

    private static Tally tally(Flight... flights) {
        Tally tally = new Tally();
        for (Flight flight : flights) {
            tally.add(flight);
        }
        return tally;
    }

    private static Flight cancelled() {
        return flight(null, true);
    }

    private static Flight flight(Integer delay, boolean cancelled) {
        Flight flight = new Flight();
        flight.delay = delay;
        flight.cancelled = cancelled;
        return flight;
    }
}
