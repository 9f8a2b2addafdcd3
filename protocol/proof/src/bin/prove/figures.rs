//! What the parts of the proof found, as plain data: printed, passed between processes, and put into the tables.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_proof::sim::tally::Tally;

/// What a check of one scenario found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ModelOutcome {
    pub(crate) scenario: String,
    pub(crate) about: String,
    /// A violation must be found: an assumption is taken away.
    pub(crate) must_break: bool,
    pub(crate) unique_states: u64,
    pub(crate) depth: u64,
    pub(crate) seconds: f64,
    /// What was violated, if anything.
    pub(crate) violated: Option<String>,
    /// How it came to that.
    pub(crate) trace: Vec<String>,
    /// Why this is not as it must be.
    pub(crate) broken: Option<String>,
}

/// What some seeds found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SimOutcome {
    pub(crate) seeds: u64,
    pub(crate) decisions: u64,
    pub(crate) seconds: f64,
    pub(crate) tally: Tally,
    /// What went wrong, and in which seed.
    pub(crate) broken: Option<BrokenSeed>,
}

/// A seed in which an invariant does not hold; none when all seeds together prove too little.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BrokenSeed {
    pub(crate) seed: Option<u64>,
    pub(crate) violation: String,
}

/// How a mutant was caught by one tier.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Catch {
    pub(crate) tier: String,
    /// The property, or the test.
    pub(crate) broke: String,
    /// So many seeds, states or tests.
    pub(crate) after: String,
    pub(crate) replay: String,
    pub(crate) seconds: f64,
}

/// What became of one mutant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) id: String,
    pub(crate) mistake: String,
    /// In the order in which the tiers were asked; empty when it got through.
    pub(crate) catches: Vec<Catch>,
    /// What the tiers that did not catch it said.
    pub(crate) missed: Vec<String>,
}

impl fmt::Display for ModelOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ModelOutcome { scenario, unique_states, depth, seconds, violated, trace, broken, .. } = self;
        let rate = *unique_states as f64 / seconds.max(0.001);
        write!(f, "{scenario}: {unique_states} unique states, depth {depth}, {seconds:.1} s, {rate:.0}/s")?;
        match (broken, violated) {
            (None, None) => Ok(()),
            (None, Some(violated)) => write!(f, "; breaks as it must: {violated}"),
            (Some(broken), _) => write!(f, "; BROKEN: {broken}\n  {}", trace.join("\n  ")),
        }
    }
}

impl fmt::Display for SimOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SimOutcome { seeds, decisions, seconds, tally, broken } = self;
        let rate = *seeds as f64 / seconds.max(0.001);
        write!(
            f,
            "{seeds} seeds, {decisions} record decisions, {seconds:.1} s, {rate:.0} seeds/s\n{tally:?}"
        )?;
        match broken {
            None => Ok(()),
            Some(BrokenSeed { seed: None, violation }) => write!(f, "\nBROKEN: {violation}"),
            Some(BrokenSeed { seed: Some(seed), violation }) => {
                write!(f, "\nBROKEN in seed {seed}: {violation}\nreplay: prove seed {seed}")
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { id, mistake, catches, missed } = self;
        write!(f, "{id:<5} {}: {mistake}", if catches.is_empty() { "NOT CAUGHT" } else { "caught" })?;
        for Catch { tier, broke, after, replay, seconds } in catches {
            write!(f, "\n      {tier} after {after} in {seconds:.1} s: {broke}\n        {replay}")?;
        }
        missed.iter().try_for_each(|missed| write!(f, "\n      {missed}"))
    }
}

/// What all parts found.
pub(crate) struct Findings {
    pub(crate) model: Vec<ModelOutcome>,
    pub(crate) sim: SimOutcome,
    pub(crate) mutants: Vec<Verdict>,
}

impl Findings {
    /// Of all scenarios together.
    pub(crate) fn unique_states(&self) -> u64 {
        self.model.iter().map(|outcome| outcome.unique_states).sum()
    }

    pub(crate) fn caught(&self) -> usize {
        self.mutants.iter().filter(|verdict| !verdict.catches.is_empty()).count()
    }

    /// Nothing is broken, and every planted bug is caught.
    pub(crate) fn are_good(&self) -> bool {
        self.model.iter().all(|outcome| outcome.broken.is_none())
            && self.sim.broken.is_none()
            && self.caught() == self.mutants.len()
    }
}
