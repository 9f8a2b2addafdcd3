//! Random cutovers of jobs over one log, on the very machines. `TIDEGATE_SEED=n` replays one seed and tells what happened;
//! `TIDEGATE_SEEDS=n` runs so many instead of the usual number.

use std::io::Write as _;

use tidegate_proof::sim::sweep;
use tidegate_proof::sim::world::{replay, run};

/// Enough for all that is asserted below, and few enough for every `cargo test`.
const SEEDS: u64 = 10_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn sim_no_seed_breaks_an_invariant() {
    if let Some(seed) = variable("TIDEGATE_SEED") {
        let (result, told) = replay(seed, true);
        println!("{}", told.join("\n"));
        match result {
            Ok(tally) => println!("seed {seed}: {tally:?}"),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
        return;
    }
    let seeds = variable("TIDEGATE_SEEDS").unwrap_or(SEEDS);
    match sweep(0..seeds, 2, &|_, _| ()) {
        Ok(tally) => {
            println!("{seeds} seeds: {tally:?}");
            // Past the test's own output, which is kept back when all is well.
            let decisions = tally.decisions;
            writeln!(std::io::stderr(), "simulation: {seeds} seeds, {decisions} record decisions")
                .expect("standard error takes a line");
            tally.assert_not_trivial(seeds);
        }
        Err(failed) => panic!("{}", run(failed.seed, true).expect_err("a seed is deterministic")),
    }
}

#[test]
fn sim_a_seed_replays_byte_for_byte() {
    for seed in 0..40 {
        let (first, again) = (replay(seed, true), replay(seed, true));
        assert_eq!(first.1, again.1, "seed {seed} tells two stories");
        assert_eq!(first.0, again.0, "seed {seed} has two results");
        assert_eq!(first.0, replay(seed, false).0, "seed {seed} depends on whether it is told");
    }
}
