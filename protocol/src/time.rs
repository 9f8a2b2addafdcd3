//! Points in time: event time, wall-clock time, and the way people write a cutover watermark.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Event time in epoch milliseconds. The two ends stand for minus and plus infinity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// Before every record.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// After every record.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// From epoch milliseconds.
    pub const fn from_millis(millis: i64) -> EventTime {
        EventTime(millis)
    }

    /// Epoch milliseconds; `i64::MIN` and `i64::MAX` are the infinities.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// `None` for the two infinities.
    pub const fn finite(self) -> Option<i64> {
        if self.0 == i64::MIN || self.0 == i64::MAX { None } else { Some(self.0) }
    }

    /// Later by `millis` (earlier when negative); an infinity stays what it is, a finite time becomes an infinity at most.
    pub const fn plus(self, millis: i64) -> EventTime {
        if self.0 == i64::MIN || self.0 == i64::MAX { self } else { EventTime(self.0.saturating_add(millis)) }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, jiff::Timestamp::from_millisecond(self.0)) {
            (EventTime::MIN, _) => f.write_str("-inf"),
            (EventTime::MAX, _) => f.write_str("+inf"),
            (_, Ok(timestamp)) => write!(f, "{timestamp}"),
            (_, Err(_)) => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Wall-clock time in epoch milliseconds: deadlines and records of what was done when. It never decides who owns a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    /// From epoch milliseconds.
    pub const fn from_millis(millis: u64) -> WallTime {
        WallTime(millis)
    }

    /// Epoch milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Later by `millis`.
    pub const fn plus(self, millis: u64) -> WallTime {
        WallTime(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`, zero when the clock went back.
    pub const fn since(self, earlier: WallTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<WallTime> for EventTime {
    /// The event time of a record that is made at that moment.
    fn from(now: WallTime) -> EventTime {
        EventTime(i64::try_from(now.0).unwrap_or(i64::MAX))
    }
}

/// Where a person wants the cutover watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as both members can agree; the conductor chooses and may choose again.
    Now,
    /// This many milliseconds of event time above what the gates have seen.
    In(i64),
    /// Exactly there; refused, with the reason, where that is not possible.
    At(EventTime),
}

/// A `promote` value that is none of the four forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "PromoteUnreadable: promote = {value:?} is not a cutover watermark; write now, +30s, an RFC 3339 time such as \
     2026-03-01T12:00:00Z, or epoch milliseconds"
)]
pub struct WhenError {
    /// What was written.
    pub value: String,
}

impl std::str::FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<When, WhenError> {
        let error = || WhenError { value: text.chars().take(80).collect() };
        let text = text.trim();
        if text == "now" {
            return Ok(When::Now);
        }
        if let Some(span) = text.strip_prefix('+') {
            let duration: jiff::SignedDuration = span.parse().map_err(|_| error())?;
            let millis = i64::try_from(duration.as_millis()).map_err(|_| error())?;
            return if millis > 0 { Ok(When::In(millis)) } else { Err(error()) };
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let millis: i64 = text.parse().map_err(|_| error())?;
            return if millis < i64::MAX { Ok(When::At(EventTime(millis))) } else { Err(error()) };
        }
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| error())?;
        Ok(When::At(EventTime(timestamp.as_millisecond())))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Now => f.write_str("now"),
            When::In(millis) => write!(f, "+{:#}", jiff::SignedDuration::from_millis(*millis)),
            When::At(at) => write!(f, "{at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promote_value_has_four_forms() {
        assert_eq!("now".parse(), Ok(When::Now));
        assert_eq!("+30s".parse(), Ok(When::In(30_000)));
        assert_eq!("+5m".parse(), Ok(When::In(300_000)));
        assert_eq!("1767225600000".parse(), Ok(When::At(EventTime(1_767_225_600_000))));
        assert_eq!("2026-01-01T00:00:00Z".parse(), Ok(When::At(EventTime(1_767_225_600_000))));
    }

    #[test]
    fn anything_else_is_refused_with_the_way_out() {
        for bad in [
            "",
            "soon",
            "+",
            "+-3s",
            "+0s",
            "-30s",
            "99999999999999999999",
            "2026-13-01T00:00:00Z",
            "9223372036854775807",
        ] {
            let error = bad.parse::<When>().unwrap_err().to_string();
            assert!(error.contains("PromoteUnreadable") && error.contains("+30s"), "{bad}: {error}");
        }
    }

    #[test]
    fn infinities_do_not_move() {
        assert_eq!(EventTime::MIN.plus(5), EventTime::MIN);
        assert_eq!(EventTime::MAX.plus(-5), EventTime::MAX);
        assert_eq!(EventTime(i64::MAX - 1).plus(5), EventTime::MAX);
        assert_eq!(EventTime::MIN.to_string(), "-inf");
        assert_eq!(EventTime(0).to_string(), "1970-01-01T00:00:00Z");
    }
}
