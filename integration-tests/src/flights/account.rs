//! The rows that both versions of the job must write, and how a topic differs from them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::{Value, json};

use super::{Flight, HOUR_MS, MAX_DELAY_MINUTES, MINUTE_MS, ORIGINS};
use crate::kafka::Record;

/// A version of the job: `--version v1` or `v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Departures and the sum of their delays.
    V1,
    /// Also cancellations and the mean delay.
    V2,
}

/// Whose rows are to be seen: each version from its event time on, ascending.
pub type Owners = Vec<(i64, Version)>;

/// All windows of a stream.
#[derive(Debug)]
pub struct Account {
    windows: BTreeMap<(i64, usize), Window>,
    /// How many flights were too late.
    pub late: usize,
}

#[derive(Debug, Default)]
struct Window {
    departures: i64,
    cancelled: i64,
    minutes: i64,
}

/// What is wrong with a topic; the keys of the rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// No row.
    pub lost: Vec<String>,
    /// More than one row.
    pub duplicated: Vec<String>,
    /// One row, but not the owner's.
    pub wrong: Vec<String>,
    /// A row that nobody should have written.
    pub unexpected: Vec<String>,
}

impl Account {
    /// `flights` in the order in which they were sent. The job's rule: what is more than the longest delay behind the latest
    /// one of its origin is dropped.
    #[must_use]
    pub fn of(flights: &[Flight]) -> Self {
        let mut account = Self { windows: BTreeMap::new(), late: 0 };
        let mut highest = [i64::MIN; ORIGINS.len()];
        for &Flight { origin, scheduled, delay } in flights {
            highest[origin] = highest[origin].max(scheduled);
            if scheduled < highest[origin] - MAX_DELAY_MINUTES * MINUTE_MS {
                account.late += 1;
                continue;
            }
            let hour = scheduled.div_euclid(HOUR_MS) * HOUR_MS;
            let window = account.windows.entry((hour, origin)).or_default();
            match delay {
                Some(minutes) => {
                    window.departures += 1;
                    window.minutes += minutes;
                }
                None => window.cancelled += 1,
            }
        }
        account
    }

    /// How many rows there are to be.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.windows.len()
    }

    /// The keys of the last row of each origin.
    #[must_use]
    pub fn last_rows(&self) -> Vec<String> {
        let last = |origin| self.windows.keys().rev().find(|(_, of)| *of == origin);
        (0..ORIGINS.len()).filter_map(last).map(|&(hour, origin)| key(hour, origin)).collect()
    }

    /// Compares the rows of a topic with those of the owners.
    #[must_use]
    pub fn compare(&self, owners: &Owners, records: &[Record]) -> Difference {
        let mut found: HashMap<String, Vec<Value>> = HashMap::new();
        for record in records {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
            found.entry(key).or_default().push(serde_json::from_slice(&record.value).unwrap_or_default());
        }
        let mut difference = Difference::default();
        for (&(hour, origin), window) in &self.windows {
            let key = key(hour, origin);
            let owner = owners.iter().rev().find(|(since, _)| *since < hour + HOUR_MS);
            let right = owner.map(|(_, version)| window.row(*version, hour, origin));
            match (found.remove(&key).as_deref(), right) {
                (None, None) => {}
                (None, Some(_)) => difference.lost.push(key),
                (Some([row]), Some(right)) if *row == right => {}
                (Some([row]), Some(_)) => difference.wrong.push(format!("{key}: {row}")),
                (Some(_), Some(_)) => difference.duplicated.push(key),
                (Some(_), None) => difference.unexpected.push(key),
            }
        }
        difference.unexpected.extend(found.into_keys());
        difference
    }
}

impl Window {
    fn row(&self, version: Version, hour: i64, origin: usize) -> Value {
        let &Window { departures, cancelled, minutes } = self;
        let mut row = json!({"origin": ORIGINS[origin], "hour": hour, "departures": departures, "delay_minutes": minutes});
        if version == Version::V2 {
            // Halves are rounded away from zero, as Java's HALF_UP does.
            let mean = (departures > 0).then(|| {
                let hundredths = (minutes.abs() * 200 + departures) / (2 * departures);
                (minutes.signum() * hundredths) as f64 / 100.0
            });
            row["cancelled"] = cancelled.into();
            row["mean_delay"] = mean.into();
        }
        row
    }
}

impl Difference {
    /// Every row is there once, and nothing else.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("lost", &self.lost),
            ("duplicated", &self.duplicated),
            ("wrong", &self.wrong),
            ("unexpected", &self.unexpected),
        ];
        for (kind, rows) in kinds {
            let some: Vec<&str> = rows.iter().map(String::as_str).take(5).collect();
            write!(formatter, "{kind} {} {some:?}; ", rows.len())?;
        }
        Ok(())
    }
}

/// The event time of a row: the last millisecond of its window.
#[must_use]
pub fn row_time(record: &Record) -> Option<i64> {
    let row: Value = serde_json::from_slice(&record.value).ok()?;
    Some(row.get("hour")?.as_i64()? + HOUR_MS - 1)
}

fn key(hour: i64, origin: usize) -> String {
    format!("{}/{hour}", ORIGINS[origin])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::Flights;
    use super::*;

    fn record(hour: i64, value: &str) -> Record {
        let key = Some(format!("EWR/{hour}").into_bytes());
        Record { partition: 0, offset: 0, key, value: value.into(), arrived: Instant::now() }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let flight = |hour, delay| Flight { origin: 0, scheduled: hour * HOUR_MS, delay };
        let flights =
            [flight(0, Some(1)), flight(1, Some(1)), flight(1, Some(1)), flight(2, None), flight(5, Some(1))];
        let account = Account::of(&[&flights[..], &[flight(2, Some(1))]].concat());
        assert_eq!((account.late, account.rows()), (1, 4));
        let second = r#"{"origin":"EWR","hour":3600000,"departures":2,"delay_minutes":2}"#;
        let third = r#"{"origin":"EWR","hour":7200000,"departures":0,"delay_minutes":0,"cancelled":1,"mean_delay":null}"#;
        let owners = vec![(i64::MIN, Version::V1), (2 * HOUR_MS, Version::V2)];
        let topic = [
            record(HOUR_MS, second),
            record(HOUR_MS, second),
            record(2 * HOUR_MS, third),
            record(5 * HOUR_MS, third),
            record(9 * HOUR_MS, third),
        ];
        let difference = account.compare(&owners, &topic);
        assert_eq!(difference.lost, ["EWR/0"]);
        assert_eq!(difference.duplicated, ["EWR/3600000"]);
        assert_eq!(difference.wrong.len(), 1);
        assert_eq!(difference.unexpected, ["EWR/32400000"]);
        assert_eq!(account.last_rows(), ["EWR/18000000"]);
    }

    #[test]
    fn means_are_rounded_half_away_from_zero() {
        let mean = |minutes, departures| {
            Window { departures, cancelled: 0, minutes }.row(Version::V2, 0, 0)["mean_delay"].as_f64()
        };
        assert_eq!(
            [mean(1, 8), mean(-1, 8), mean(-2, 3), mean(0, 0)],
            [Some(0.13), Some(-0.13), Some(-0.67), None]
        );
    }

    #[test]
    fn the_stream_has_what_it_is_for() {
        let flights: Vec<Flight> = Flights::new(7).take(10_000).collect();
        let account = Account::of(&flights);
        assert!(account.late > 50 && account.late < 500, "{}", account.late);
        assert!(flights.iter().any(|flight| flight.delay.is_none()));
        assert!(!flights.is_sorted_by_key(|flight| flight.scheduled));
    }
}
