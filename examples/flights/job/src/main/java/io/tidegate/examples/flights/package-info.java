/**
 * Departures and delays per origin airport and hour of event time, as a job with two versions.
 *
 * <p>The input topic has one partition per origin airport and JSON records keyed by it, in the
 * order of actual departure; event time is the scheduled departure, so they are truly out of order.
 * {@link io.tidegate.examples.flights.FlightsJob} is the whole job graph.
 */
package io.tidegate.examples.flights;
