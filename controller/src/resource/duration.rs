//! Durations as people write them: `30s`, `5m`, `1h30m`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What the schema lets pass; the numbers are looked at when it is read.
pub(crate) const PATTERN: &str = "^([0-9]{1,12}(ms|s|m|h))+$";

/// A duration, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Duration(pub(crate) String);

/// It is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write 500ms, 30s, 5m, 1h30m, and at most a year")]
pub(crate) struct Unreadable(String);

/// Nobody waits longer.
const YEAR_MS: u64 = 366 * 24 * 3_600_000;

impl Duration {
    pub(crate) fn new(text: &str) -> Duration {
        Duration(text.to_owned())
    }

    /// In milliseconds.
    pub(crate) fn millis(&self) -> Result<u64, Unreadable> {
        let unreadable = || Unreadable(self.0.chars().take(80).collect());
        let signed: jiff::SignedDuration = self.0.parse().map_err(|_| unreadable())?;
        let millis = u64::try_from(signed.as_millis()).map_err(|_| unreadable())?;
        if millis <= YEAR_MS { Ok(millis) } else { Err(unreadable()) }
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN, "maxLength": 40})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_milliseconds() {
        for (text, millis) in
            [("0s", 0), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000)]
        {
            assert_eq!(Duration::new(text).millis(), Ok(millis), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_way_out() {
        for text in ["", "5", "5 parsecs", "-5m", "999999999999h", "1e9s", "P"] {
            let error = Duration::new(text).millis().unwrap_err().to_string();
            assert!(error.contains("1h30m"), "{text}: {error}");
        }
    }
}
