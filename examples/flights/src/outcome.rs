//! What came out: a table for people, one JSON object for programs, and the verdict.

use anyhow::{Result, bail};
use serde::Serialize;
use tidegate_integration_tests::store::Kind;

use crate::flight::readable;
use crate::tidegate::{Promoted, Verified};

/// The figures of one run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) flink: String,
    pub(crate) store: Kind,
    pub(crate) flights: usize,
    pub(crate) late: u64,
    pub(crate) promoted: Promoted,
    pub(crate) verified: Verified,
    pub(crate) pause_ms: Option<i64>,
    /// Restarts of the old job, and of the new one.
    pub(crate) restarts: [u64; 2],
}

#[derive(Serialize)]
struct Summary<'a> {
    expected: u64,
    blue: u64,
    green: u64,
    lost: u64,
    duplicated: u64,
    late: u64,
    boundary: i64,
    pause_ms: Option<i64>,
    attempts: u64,
    flink: &'a str,
    store: String,
}

impl Outcome {
    fn found(&self, color: &str) -> u64 {
        self.verified.colors.get(color).map_or(0, |counts| counts.found)
    }

    /// The last line of the demo.
    ///
    /// # Errors
    /// Never for these figures; JSON is fallible by type.
    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(&Summary {
            expected: self.verified.expected,
            blue: self.found("blue"),
            green: self.found("green"),
            lost: self.verified.lost,
            duplicated: self.verified.duplicated,
            late: self.late,
            boundary: self.promoted.boundary,
            pause_ms: self.pause_ms,
            attempts: self.promoted.attempt,
            flink: &self.flink,
            store: self.store.to_string(),
        })?)
    }

    /// The figures for people.
    pub(crate) fn table(&self) -> String {
        let verified = &self.verified;
        let pause = self.pause_ms.map_or_else(|| "not seen".into(), |pause| format!("{pause} ms"));
        let lines = [
            ("Flink", self.flink.clone()),
            ("store", self.store.to_string()),
            ("flights replayed", self.flights.to_string()),
            ("flights too late, dropped by the rule", self.late.to_string()),
            ("rows expected", verified.expected.to_string()),
            ("rows of blue, below the boundary", self.found("blue").to_string()),
            ("rows of green, from the boundary on", self.found("green").to_string()),
            ("lost", verified.lost.to_string()),
            ("duplicated", verified.duplicated.to_string()),
            ("wrong", verified.wrong.to_string()),
            ("unexpected", verified.unexpected.to_string()),
            ("boundary, in event time", readable(self.promoted.boundary)),
            ("pause seen downstream", pause),
            ("attempts at the cutover", self.promoted.attempt.to_string()),
            ("restarts of blue, of green", format!("{}, {}", self.restarts[0], self.restarts[1])),
        ];
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        lines.iter().map(|(name, value)| format!("  {name:width$}  {value:>16}\n")).collect()
    }

    /// # Errors
    /// When a row is lost, duplicated, wrong or unexpected, or the old job was disturbed: with examples.
    pub(crate) fn demand_exact(&self) -> Result<()> {
        let Verified { lost, duplicated, wrong, unexpected, examples, .. } = &self.verified;
        if [*lost, *duplicated, *wrong, *unexpected] != [0; 4] {
            bail!(
                "the output is not the truth: lost {lost}, duplicated {duplicated}, wrong {wrong}, unexpected \
                 {unexpected}; examples: {examples:#}"
            );
        }
        if self.restarts[0] != 0 {
            bail!("blue was restarted {} times: the new version has disturbed it", self.restarts[0]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(lost: u64, blue_restarts: u64) -> Outcome {
        let promoted = json!({"outcome": "done", "attempt": 2, "boundary": 1_371_000_000_000_i64, "from": "blue-1", "to": "green-1"});
        let verified = json!({"expected": 10, "read": 10, "lost": lost, "duplicated": 0, "wrong": 0, "unexpected": 0,
            "colors": {"blue": {"expected": 4, "found": 4}, "green": {"expected": 6, "found": 6 - lost}}, "examples": {}});
        Outcome {
            flink: "1.20.3".into(),
            store: Kind::ZooKeeper,
            flights: 100,
            late: 7,
            promoted: serde_json::from_value(promoted).unwrap(),
            verified: serde_json::from_value(verified).unwrap(),
            pause_ms: Some(120),
            restarts: [blue_restarts, 0],
        }
    }

    #[test]
    fn the_last_line_has_exactly_these_fields() {
        assert_eq!(
            outcome(0, 0).json().unwrap(),
            r#"{"expected":10,"blue":4,"green":6,"lost":0,"duplicated":0,"late":7,"boundary":1371000000000,"pause_ms":120,"attempts":2,"flink":"1.20.3","store":"zookeeper"}"#
        );
    }

    #[test]
    fn only_an_exact_and_undisturbed_run_passes() {
        outcome(0, 0).demand_exact().unwrap();
        assert!(outcome(1, 0).demand_exact().is_err());
        assert!(outcome(0, 1).demand_exact().is_err());
    }
}
