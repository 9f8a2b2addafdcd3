//! The outcome, for people (`Display`) and for programs (serde).

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

const EXAMPLES: usize = 10;

/// How the topic differs from what is expected.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Rows that should be there.
    pub(crate) expected: u64,
    /// Records in the topic.
    pub(crate) read: u64,
    /// Keys with no row at all.
    pub(crate) lost: u64,
    /// Surplus rows under a key that has one.
    pub(crate) duplicated: u64,
    /// Keys with a row, but not the owner's.
    pub(crate) wrong: u64,
    /// Rows under a key that no owner writes.
    pub(crate) unexpected: u64,
    /// By color of the owner.
    pub(crate) colors: BTreeMap<String, ColorCounts>,
    /// Up to ten of each kind.
    pub(crate) examples: BTreeMap<Finding, Vec<String>>,
}

/// One owner's rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ColorCounts {
    /// Rows that it owns.
    pub(crate) expected: u64,
    /// Of those, the ones that are there with the right value.
    pub(crate) found: u64,
}

/// A kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Finding {
    Lost,
    Duplicated,
    Wrong,
    Unexpected,
}

impl Report {
    /// Whether each expected row is there exactly once, and nothing else is.
    pub(crate) fn is_exact(&self) -> bool {
        [self.lost, self.duplicated, self.wrong, self.unexpected] == [0; 4]
    }

    pub(super) fn add(&mut self, finding: Finding, example: impl FnOnce() -> String) {
        *match finding {
            Finding::Lost => &mut self.lost,
            Finding::Duplicated => &mut self.duplicated,
            Finding::Wrong => &mut self.wrong,
            Finding::Unexpected => &mut self.unexpected,
        } += 1;
        let examples = self.examples.entry(finding).or_default();
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_exact() { "exact" } else { "different" };
        writeln!(formatter, "{verdict}: {} rows expected, {} read", self.expected, self.read)?;
        for (color, counts) in &self.colors {
            writeln!(formatter, "  {color}: {} of {} rows", counts.found, counts.expected)?;
        }
        let Self { lost, duplicated, wrong, unexpected, .. } = self;
        writeln!(
            formatter,
            "  lost {lost}, duplicated {duplicated}, wrong {wrong}, unexpected {unexpected}"
        )?;
        for (finding, examples) in &self.examples {
            for example in examples {
                writeln!(formatter, "  {finding:?}: {example}")?;
            }
        }
        Ok(())
    }
}
