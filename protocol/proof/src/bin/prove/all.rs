//! Everything: the model, the simulation, the planted bugs, and what is written down of it.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::figures::Findings;
use crate::progress::Progress;
use crate::{hunt, model, page, repository, sim};

/// What the design asks of a full run.
const SEEDS: u64 = 1_000_000;
const DECISIONS: u64 = 1_000_000_000;
/// What it asks of the tests.
const QUICK_SEEDS: u64 = 10_000;

pub(crate) struct Plan {
    pub(crate) quick: bool,
    pub(crate) write: bool,
    pub(crate) restart: bool,
    pub(crate) threads: usize,
}

/// Runs everything; returns whether it is as it must be.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<bool> {
    let (root, begin) = (repository::root()?, Instant::now());
    let progress = Progress::new(None);
    let mut outcomes = Vec::new();
    for scenario in model::scenarios(!plan.quick) {
        let outcome = model::check(&scenario, plan.threads, &progress);
        println!("{outcome}");
        outcomes.push(outcome);
    }
    let sim = if plan.quick {
        sim::sweep(0..QUICK_SEEDS, plan.threads, &progress)
    } else {
        let path = Path::new(sim::SAVED);
        sim::campaign(&root, path, (SEEDS, DECISIONS), plan.restart, plan.threads, &progress)?
    };
    println!("{sim}");
    drop(progress);
    let (ids, tiers) = (Vec::new(), Vec::new());
    let mutants =
        hunt::run(&hunt::Plan { ids, tiers, quick: plan.quick, every_tier: false, threads: plan.threads })?;
    for verdict in &mutants {
        println!("{verdict}");
    }
    let findings = Findings { model: outcomes, sim, mutants };
    if plan.write {
        page::write(&root, &findings)?;
    }
    let figures = json!({
        "unique_states": findings.unique_states(),
        "seeds": findings.sim.seeds,
        "decisions": findings.sim.decisions,
        "mutants": findings.mutants.len(),
        "caught": findings.caught(),
        "seconds": (begin.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    });
    println!("{figures}");
    Ok(findings.are_good())
}
