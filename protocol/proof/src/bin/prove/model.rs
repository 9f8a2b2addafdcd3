//! The model's scenarios.

use tidegate_proof::model::{self, Expect, Found, Outcome, Scenario, Tier};

use crate::figures::ModelOutcome;
use crate::progress::Progress;

/// Those of the tests, or all.
pub(crate) fn scenarios(all: bool) -> Vec<Scenario> {
    model::scenarios().into_iter().filter(|scenario| all || scenario.tier == Tier::Test).collect()
}

/// Visits every state of a scenario.
pub(crate) fn check(scenario: &Scenario, threads: usize, progress: &Progress) -> ModelOutcome {
    progress.at(0, || format!("model: {}", scenario.name));
    let outcome = model::check(scenario, threads);
    let broken = broken(scenario, &outcome);
    let Outcome { unique_states, depth, seconds, violation, .. } = outcome;
    let (violated, trace) = match violation {
        Some(Found { property, states, trace }) => (Some((property.to_owned(), states)), trace),
        None => (None, Vec::new()),
    };
    ModelOutcome {
        scenario: scenario.name.to_owned(),
        about: scenario.about.to_owned(),
        must_break: scenario.expect == Expect::Breaks,
        // What a violation was found after counts, not what other threads went on to.
        unique_states: violated.as_ref().map_or(unique_states, |(_, states)| *states),
        depth,
        seconds,
        violated: violated.map(|(property, _)| property),
        trace,
        broken,
    }
}

/// Why an outcome is not as it must be.
fn broken(scenario: &Scenario, outcome: &Outcome) -> Option<String> {
    match (scenario.expect, &outcome.violation) {
        (Expect::Breaks, Some(_)) => None,
        (Expect::Breaks, None) => Some("nothing breaks, so the assumption is none".to_owned()),
        (Expect::Holds, Some(found)) => Some(found.property.to_owned()),
        (Expect::Holds, None) => {
            let never = outcome.sometimes.iter().find(|(_, reached)| !reached);
            let unfinished = || (!outcome.exhausted).then(|| "not every state was visited".to_owned());
            never.map(|(what, _)| format!("never reached: {what}")).or_else(unfinished)
        }
    }
}
