//! What came out of the operated demo.

use anyhow::{Result, bail};
use serde::Serialize;

use super::On;
use crate::flight::readable;
use crate::tidegate::{Cutover, Verified};

/// The figures of one run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(super) flink: String,
    pub(super) on: On,
    pub(super) rollouts: u32,
    pub(super) cutovers: Vec<Cutover>,
    pub(super) verified: Verified,
    /// The longest.
    pub(super) pause_ms: Option<i64>,
}

#[derive(Serialize)]
struct Summary<'a> {
    rollouts: u32,
    rolled_back: usize,
    expected: u64,
    lost: u64,
    duplicated: u64,
    pause_ms: Option<i64>,
    flink: &'a str,
    on: String,
}

impl Outcome {
    /// Cutovers to who had handed over in the one before.
    fn rolled_back(&self) -> usize {
        self.cutovers.windows(2).filter(|pair| pair[1].to == pair[0].from).count()
    }

    /// The last line of the demo.
    ///
    /// # Errors
    /// Never for these figures; JSON is fallible by type.
    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(&Summary {
            rollouts: self.rollouts,
            rolled_back: self.rolled_back(),
            expected: self.verified.expected,
            lost: self.verified.lost,
            duplicated: self.verified.duplicated,
            pause_ms: self.pause_ms,
            flink: &self.flink,
            on: self.on.to_string(),
        })?)
    }

    /// The figures for people.
    pub(crate) fn table(&self) -> String {
        let verified = &self.verified;
        let mut lines =
            vec![("Flink".to_owned(), self.flink.clone()), ("jobs run on".to_owned(), self.on.to_string())];
        lines.extend(self.cutovers.iter().map(|cutover| {
            let name = format!("{} -> {}, after {:.1} s", cutover.from, cutover.to, cutover.seconds);
            (name, readable(cutover.at))
        }));
        lines.push(("rows expected".to_owned(), verified.expected.to_string()));
        let found =
            verified.colors.iter().map(|(name, found)| (format!("rows of {name}"), found.found.to_string()));
        lines.extend(found);
        let pause = self.pause_ms.map_or_else(|| "not seen".to_owned(), |pause| format!("{pause} ms"));
        for (name, value) in [
            ("lost", verified.lost.to_string()),
            ("duplicated", verified.duplicated.to_string()),
            ("wrong", verified.wrong.to_string()),
            ("unexpected", verified.unexpected.to_string()),
            ("longest pause seen downstream", pause),
        ] {
            lines.push((name.to_owned(), value));
        }
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        lines.iter().map(|(name, value)| format!("  {name:width$}  {value:>24}\n")).collect()
    }

    /// # Errors
    /// When a row is lost, duplicated, wrong or unexpected, or the failing version was not rolled back: with examples.
    pub(crate) fn demand_exact(&self) -> Result<()> {
        let Verified { lost, duplicated, wrong, unexpected, examples, .. } = &self.verified;
        if [*lost, *duplicated, *wrong, *unexpected] != [0; 4] {
            bail!(
                "the output is not the truth: lost {lost}, duplicated {duplicated}, wrong {wrong}, unexpected \
                 {unexpected}; examples: {examples:#}"
            );
        }
        if self.rolled_back() != 1 {
            bail!("{} rollouts were rolled back instead of one: {:?}", self.rolled_back(), self.cutovers);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(lost: u64, cutovers: &[(&str, &str)]) -> Outcome {
        let cutover = |(from, to): &(&str, &str)| {
            let past =
                json!({"attempt": 1, "from": from, "to": to, "at": 5, "outcome": "done", "seconds": 1.5});
            serde_json::from_value(past).unwrap()
        };
        let verified = json!({"expected": 10, "read": 10, "lost": lost, "duplicated": 0, "wrong": 0, "unexpected": 0,
            "colors": {"v1": {"expected": 4, "found": 4}}, "examples": {}});
        Outcome {
            flink: "1.20.3".to_owned(),
            on: On::Session,
            rollouts: 3,
            cutovers: cutovers.iter().map(cutover).collect(),
            verified: serde_json::from_value(verified).unwrap(),
            pause_ms: Some(120),
        }
    }

    const ALL: [(&str, &str); 3] = [("blue-1", "green-1"), ("green-1", "blue-2"), ("blue-2", "green-1")];

    #[test]
    fn the_last_line_has_exactly_these_fields() {
        assert_eq!(
            outcome(0, &ALL).json().unwrap(),
            r#"{"rollouts":3,"rolled_back":1,"expected":10,"lost":0,"duplicated":0,"pause_ms":120,"flink":"1.20.3","on":"session"}"#
        );
    }

    #[test]
    fn only_an_exact_run_that_was_rolled_back_passes() {
        outcome(0, &ALL).demand_exact().unwrap();
        assert!(outcome(1, &ALL).demand_exact().is_err());
        assert!(outcome(0, &ALL[..2]).demand_exact().is_err());
    }
}
