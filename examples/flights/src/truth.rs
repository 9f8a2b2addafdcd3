//! The rows that each version of the job must write, computed in one batch from the flights in their order of arrival.
//!
//! The rule, which the job applies, too: a flight that is scheduled more than `max_delay` before the latest scheduled
//! flight that the same origin has seen is late, dropped and counted; the others go into windows of an hour.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::str::FromStr;

use serde::Serialize;

use crate::flight::{Flight, MINUTE_MS, Origin};

/// How late a flight may be.
pub(crate) const MAX_DELAY_MINUTES: i64 = 120;

/// Milliseconds in a window.
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What is added to a row's `hour` to get its event time: the window's last millisecond.
pub(crate) const ROW_TIME_OFFSET_MS: i64 = HOUR_MS - 1;

/// A version of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Departures and the sum of their delays.
    V1,
    /// Also cancellations and the mean delay.
    V2,
    /// Also all flights together.
    V3,
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            "v3" => Ok(Self::V3),
            _ => Err("v1, v2 or v3".into()),
        }
    }
}

#[derive(Debug, Default)]
struct Window {
    departures: i64,
    delay_minutes: i64,
    cancelled: i64,
}

#[derive(Debug, Serialize)]
struct RowV1 {
    origin: Origin,
    hour: i64,
    departures: i64,
    delay_minutes: i64,
}

#[derive(Debug, Serialize)]
struct RowV2 {
    origin: Origin,
    hour: i64,
    departures: i64,
    delay_minutes: i64,
    cancelled: i64,
    mean_delay: Option<f64>,
}

#[derive(Debug, Serialize)]
struct RowV3 {
    #[serde(flatten)]
    row: RowV2,
    flights: i64,
}

/// All windows of the year.
#[derive(Debug)]
pub(crate) struct Truth {
    windows: BTreeMap<(i64, Origin), Window>,
    late: u64,
}

impl Truth {
    /// `flights` in their order of arrival.
    pub(crate) fn of(flights: &[Flight], max_delay_minutes: i64) -> Self {
        let mut truth = Self { windows: BTreeMap::new(), late: 0 };
        let mut highest: HashMap<Origin, i64> = HashMap::new();
        for flight in flights {
            let highest = highest.entry(flight.origin).or_insert(flight.scheduled);
            *highest = flight.scheduled.max(*highest);
            if flight.scheduled < *highest - max_delay_minutes * MINUTE_MS {
                truth.late += 1;
                continue;
            }
            let hour = flight.scheduled.div_euclid(HOUR_MS) * HOUR_MS;
            let window = truth.windows.entry((hour, flight.origin)).or_default();
            match flight.delay {
                Some(delay) => {
                    window.departures += 1;
                    window.delay_minutes += delay;
                }
                None => window.cancelled += 1,
            }
        }
        truth
    }

    /// How many rows each version writes: one per window.
    pub(crate) fn rows(&self) -> usize {
        self.windows.len()
    }

    /// How many flights are late.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    /// The event time of the last row, epoch milliseconds.
    pub(crate) fn last_row_time(&self) -> Option<i64> {
        self.windows.last_key_value().map(|((hour, _), _)| hour + ROW_TIME_OFFSET_MS)
    }

    /// A version's rows as JSON, one per line, by hour and origin.
    pub(crate) fn lines(&self, version: Version) -> String {
        let mut text = String::new();
        for (&(hour, origin), window) in &self.windows {
            let &Window { departures, delay_minutes, cancelled } = window;
            let line = match version {
                Version::V1 => serde_json::to_string(&RowV1 { origin, hour, departures, delay_minutes }),
                Version::V2 | Version::V3 => {
                    let mean_delay = mean(delay_minutes, departures);
                    let row = RowV2 { origin, hour, departures, delay_minutes, cancelled, mean_delay };
                    if version == Version::V2 {
                        serde_json::to_string(&row)
                    } else {
                        serde_json::to_string(&RowV3 { row, flights: departures + cancelled })
                    }
                }
            };
            // Neither plain structs to JSON nor text to a string can fail.
            let _ = writeln!(text, "{}", line.unwrap_or_default());
        }
        text
    }
}

/// `sum / count` to two decimals, halves away from zero as Java's `RoundingMode.HALF_UP` does; none without a count.
fn mean(sum: i64, count: i64) -> Option<f64> {
    if count == 0 {
        return None;
    }
    let scaled = sum.abs() * 100;
    let hundredths = (2 * scaled + count) / (2 * count);
    Some((sum.signum() * hundredths) as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(origin: Origin, minute: i64, delay: Option<i64>) -> Flight {
        Flight { origin, scheduled: minute * MINUTE_MS, delay, carrier: "UA".into() }
    }

    fn lines(flights: &[Flight], version: Version) -> Vec<String> {
        Truth::of(flights, 120).lines(version).lines().map(str::to_owned).collect()
    }

    #[test]
    fn windows_per_origin_and_hour() {
        let flights = [
            flight(Origin::Jfk, 59, Some(7)),
            flight(Origin::Ewr, 0, Some(3)),
            flight(Origin::Ewr, 59, Some(-5)),
            flight(Origin::Ewr, 60, Some(1)),
        ];
        assert_eq!(
            lines(&flights, Version::V1),
            [
                r#"{"origin":"EWR","hour":0,"departures":2,"delay_minutes":-2}"#,
                r#"{"origin":"JFK","hour":0,"departures":1,"delay_minutes":7}"#,
                r#"{"origin":"EWR","hour":3600000,"departures":1,"delay_minutes":1}"#,
            ]
        );
    }

    #[test]
    fn the_second_version_tells_more() {
        let flights = [
            flight(Origin::Ewr, 0, Some(10)),
            flight(Origin::Ewr, 1, Some(10)),
            flight(Origin::Ewr, 2, Some(0)),
            flight(Origin::Ewr, 3, None),
        ];
        assert_eq!(
            lines(&flights, Version::V2),
            [
                r#"{"origin":"EWR","hour":0,"departures":3,"delay_minutes":20,"cancelled":1,"mean_delay":6.67}"#
            ]
        );
    }

    #[test]
    fn the_third_version_tells_all_flights() {
        assert_eq!(
            lines(&[flight(Origin::Ewr, 0, Some(4)), flight(Origin::Ewr, 3, None)], Version::V3),
            [
                r#"{"origin":"EWR","hour":0,"departures":1,"delay_minutes":4,"cancelled":1,"mean_delay":4.0,"flights":2}"#
            ]
        );
    }

    #[test]
    fn a_window_of_cancelled_flights_only_has_a_row() {
        let flights = [flight(Origin::Lga, 0, None)];
        assert_eq!(
            lines(&flights, Version::V1),
            [r#"{"origin":"LGA","hour":0,"departures":0,"delay_minutes":0}"#]
        );
        assert_eq!(
            lines(&flights, Version::V2),
            [r#"{"origin":"LGA","hour":0,"departures":0,"delay_minutes":0,"cancelled":1,"mean_delay":null}"#]
        );
    }

    #[test]
    fn late_is_judged_per_origin_and_strictly() {
        let flights = [
            flight(Origin::Ewr, 200, Some(0)),
            flight(Origin::Ewr, 80, Some(120)),
            flight(Origin::Ewr, 79, Some(121)),
            flight(Origin::Jfk, 10, Some(300)),
            flight(Origin::Ewr, 78, None),
        ];
        let truth = Truth::of(&flights, 120);
        assert_eq!((truth.late(), truth.rows()), (2, 3));
        assert_eq!(truth.last_row_time(), Some(3 * HOUR_MS + ROW_TIME_OFFSET_MS));
    }

    #[test]
    fn means_are_rounded_half_up() {
        assert_eq!(mean(1, 8), Some(0.13));
        assert_eq!(mean(-1, 8), Some(-0.13));
        assert_eq!(mean(1, 3), Some(0.33));
        assert_eq!(mean(-2, 3), Some(-0.67));
        assert_eq!(mean(0, 5), Some(0.0));
        assert_eq!(mean(5, 0), None);
    }
}
