//! A flight, as the file has it and as Kafka gets it.
//!
//! The columns are local times of New York. They are taken as UTC: only differences matter here, and the clock change in
//! March and November moves no flight past another one of the same hour.

use anyhow::{Context, Result, bail};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Milliseconds in a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// An airport of New York. Each has a partition of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Origin {
    Ewr,
    Jfk,
    Lga,
}

impl Origin {
    pub(crate) const ALL: [Self; 3] = [Self::Ewr, Self::Jfk, Self::Lga];

    /// Its code, which is also the records' key.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Ewr => "EWR",
            Self::Jfk => "JFK",
            Self::Lga => "LGA",
        }
    }

    /// Its partition of the input topic.
    pub(crate) fn partition(self) -> i32 {
        self as i32
    }
}

/// One scheduled flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) origin: Origin,
    /// Scheduled departure, epoch milliseconds: the event time.
    pub(crate) scheduled: i64,
    /// Minutes from the scheduled to the actual departure; none when it was cancelled.
    pub(crate) delay: Option<i64>,
    pub(crate) carrier: String,
}

impl Flight {
    /// When its record arrives: at the actual departure, or, when it was cancelled, at the scheduled one.
    pub(crate) fn arrival(&self) -> i64 {
        self.scheduled + self.delay.unwrap_or(0) * MINUTE_MS
    }

    /// The record of the flight that is number `seq` of the replay.
    pub(crate) fn record(&self, seq: usize) -> Record<'_> {
        Record {
            origin: self.origin,
            scheduled: self.scheduled,
            delay: self.delay,
            cancelled: self.delay.is_none(),
            seq,
            carrier: &self.carrier,
            sentinel: None,
        }
    }
}

/// What Kafka gets, as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    origin: Origin,
    scheduled: i64,
    delay: Option<i64>,
    cancelled: bool,
    seq: usize,
    carrier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sentinel: Option<bool>,
}

impl Record<'_> {
    /// The record that ends the replay of one origin: far ahead in event time, it closes every window before it; its own
    /// one never closes, so it has no row.
    pub(crate) fn sentinel(origin: Origin, scheduled: i64, seq: usize) -> Self {
        Self { origin, scheduled, delay: Some(0), cancelled: false, seq, carrier: "--", sentinel: Some(true) }
    }
}

/// Parses the whole file and puts it into the order of arrival; flights that arrive at once keep the file's order.
///
/// # Errors
/// With the line's number, when a column is missing or a value cannot be read.
pub(crate) fn parse(text: &str) -> Result<Vec<Flight>> {
    let mut lines = text.lines();
    let columns = Columns::find(lines.next().context("the file is empty")?)?;
    let mut flights = lines
        .enumerate()
        .map(|(index, line)| columns.flight(line).with_context(|| format!("line {}: {line}", index + 2)))
        .collect::<Result<Vec<_>>>()?;
    flights.sort_by_key(Flight::arrival);
    Ok(flights)
}

/// Where the columns are; no field of this file is quoted.
struct Columns {
    year: usize,
    month: usize,
    day: usize,
    departure: usize,
    scheduled: usize,
    delay: usize,
    carrier: usize,
    origin: usize,
}

impl Columns {
    fn find(header: &str) -> Result<Self> {
        let names: Vec<&str> = header.split(',').collect();
        let at = |name: &str| {
            names
                .iter()
                .position(|column| *column == name)
                .with_context(|| format!("there is no column {name}"))
        };
        Ok(Self {
            year: at("year")?,
            month: at("month")?,
            day: at("day")?,
            departure: at("dep_time")?,
            scheduled: at("sched_dep_time")?,
            delay: at("dep_delay")?,
            carrier: at("carrier")?,
            origin: at("origin")?,
        })
    }

    fn flight(&self, line: &str) -> Result<Flight> {
        let fields: Vec<&str> = line.split(',').collect();
        let text = |column: usize| fields.get(column).copied().context("the line is too short");
        let number = |column: usize| -> Result<i64> {
            let text = text(column)?;
            text.parse().with_context(|| format!("{text:?} is no number"))
        };
        let origin = match text(self.origin)? {
            "EWR" => Origin::Ewr,
            "JFK" => Origin::Jfk,
            "LGA" => Origin::Lga,
            other => bail!("{other} is no airport of New York"),
        };
        let cancelled = text(self.departure)? == "NA";
        Ok(Flight {
            origin,
            scheduled: epoch_ms(
                number(self.year)?,
                number(self.month)?,
                number(self.day)?,
                number(self.scheduled)?,
            )?,
            delay: if cancelled { None } else { Some(number(self.delay)?) },
            carrier: text(self.carrier)?.to_owned(),
        })
    }
}

/// `clock` is HHMM as a number: 515 is a quarter past five.
fn epoch_ms(year: i64, month: i64, day: i64, clock: i64) -> Result<i64> {
    let (hour, minute) = (i8::try_from(clock / 100)?, i8::try_from(clock % 100)?);
    let date = jiff::civil::Date::new(i16::try_from(year)?, i8::try_from(month)?, i8::try_from(day)?)?;
    let time =
        jiff::civil::Time::new(hour, minute, 0, 0).with_context(|| format!("{clock} is no time of day"))?;
    Ok(date.to_datetime(time).to_zoned(TimeZone::UTC)?.timestamp().as_millisecond())
}

/// An event time for people: to the minute, without a zone.
pub(crate) fn readable(epoch_ms: i64) -> String {
    let zoned =
        jiff::Timestamp::from_millisecond(epoch_ms).map(|timestamp| timestamp.to_zoned(TimeZone::UTC));
    // Outside what a calendar has: the ends of time.
    zoned.map_or_else(
        |_| if epoch_ms < 0 { "nothing yet".into() } else { "the end".into() },
        |zoned| {
            if zoned.date() < date(1971, 1, 1) {
                "nothing yet".into()
            } else {
                zoned.strftime("%Y-%m-%d %H:%M").to_string()
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,\
                          flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour";
    const FIVE_FIFTEEN: i64 = 1_357_017_300_000;

    fn file(lines: &[&str]) -> String {
        [&[HEADER], lines].concat().join("\n")
    }

    #[test]
    fn departed_and_cancelled_flights() {
        let flights = parse(&file(&[
            "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z",
            "2013,1,1,NA,515,NA,NA,1815,NA,EV,4308,N18120,LGA,RDU,NA,416,16,30,2013-01-01T21:00:00Z",
        ]))
        .unwrap();
        let (cancelled, departed) = (&flights[0], &flights[1]);
        assert_eq!(
            (cancelled.origin, cancelled.delay, cancelled.arrival()),
            (Origin::Lga, None, FIVE_FIFTEEN)
        );
        assert_eq!((departed.scheduled, departed.delay), (FIVE_FIFTEEN, Some(2)));
        assert_eq!(departed.arrival(), FIVE_FIFTEEN + 2 * MINUTE_MS);
    }

    #[test]
    fn arrival_is_the_order_and_it_is_stable() {
        let flights = parse(&file(&[
            "2013,1,1,615,515,60,830,819,11,AA,1,N1,EWR,IAH,1,1,5,15,x",
            "2013,1,1,600,600,0,830,819,11,BB,1,N1,JFK,IAH,1,1,6,0,x",
            "2013,1,1,600,600,0,830,819,11,CC,1,N1,LGA,IAH,1,1,6,0,x",
        ]))
        .unwrap();
        let carriers: Vec<_> = flights.iter().map(|flight| flight.carrier.as_str()).collect();
        assert_eq!(carriers, ["BB", "CC", "AA"]);
    }

    #[test]
    fn bad_lines_are_named() {
        for (line, wanted) in [
            ("2013,1,1,517,2515,2,8,8,1,UA,1,N,EWR,IAH,2,1,5,1,x", "2515 is no time of day"),
            ("2013,1,1,517,515,2,8,8,1,UA,1,N,SFO,IAH,2,1,5,1,x", "SFO is no airport"),
            ("2013,1,1", "the line is too short"),
        ] {
            let text = format!("{:#}", parse(&file(&[line])).unwrap_err());
            assert!(text.starts_with("line 2: ") && text.contains(wanted), "{text}");
        }
        assert!(parse("a,b\n").is_err());
    }

    #[test]
    fn the_record_is_what_the_job_reads() {
        let flight = Flight { origin: Origin::Ewr, scheduled: 5, delay: None, carrier: "UA".into() };
        assert_eq!(
            serde_json::to_string(&flight.record(7)).unwrap(),
            r#"{"origin":"EWR","scheduled":5,"delay":null,"cancelled":true,"seq":7,"carrier":"UA"}"#
        );
        let sentinel = serde_json::to_string(&Record::sentinel(Origin::Lga, 9, 8)).unwrap();
        assert!(
            sentinel.contains(r#""delay":0,"cancelled":false"#) && sentinel.ends_with(r#""sentinel":true}"#)
        );
    }

    #[test]
    fn readable_times() {
        assert_eq!(readable(FIVE_FIFTEEN), "2013-01-01 05:15");
        assert_eq!(readable(i64::MIN), "nothing yet");
        assert_eq!(readable(i64::MAX), "the end");
    }
}
