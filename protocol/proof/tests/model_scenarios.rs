//! Every state of the scenarios of this tier is visited; what must be reached is reached, and nothing that must hold is broken.

use std::io::Write as _;

use tidegate_proof::model::{self, Expect, Scenario, Tier};

/// Fewer would mean that a scenario has lost what it was there for.
const LEAST: u64 = 1_200_000;

fn of_tier(expect: Expect) -> impl Iterator<Item = Scenario> {
    model::scenarios()
        .into_iter()
        .filter(move |scenario| scenario.tier == Tier::Test && scenario.expect == expect)
}

#[test]
fn model_every_state_of_the_scenarios_holds() {
    let mut states = 0;
    for scenario in of_tier(Expect::Holds) {
        let outcome = model::check(&scenario, 2);
        println!("{outcome}");
        if let Err(why) = outcome.verdict(scenario.expect) {
            panic!("{why}");
        }
        states += outcome.unique_states;
    }
    // Past the test's own output, which is kept back when all is well.
    writeln!(std::io::stderr(), "model: {states} unique states").expect("standard error takes a line");
    assert!(states >= LEAST, "only {states} unique states");
}

#[test]
fn model_what_the_design_assumes_is_needed() {
    for scenario in of_tier(Expect::Breaks) {
        let outcome = model::check(&scenario, 1);
        println!("{outcome}");
        if let Err(why) = outcome.verdict(scenario.expect) {
            panic!("{why}");
        }
    }
}

#[test]
fn model_no_run_goes_in_a_circle() {
    for name in ["late-retired", "stale-reads", "deadlines", "small-failover"] {
        let mut scenarios = model::scenarios().into_iter();
        let scenario = scenarios.find(|scenario| scenario.name == name).expect("a scenario of that name");
        match model::circle(&scenario) {
            Ok(states) => println!("{name}: {states} states, no circle"),
            Err(circle) => panic!("{name} runs in a circle:\n{}", circle.join("\n")),
        }
    }
}
