//! Random cutovers of two jobs over one log, on the very machines. `TIDEGATE_SEED=n` replays one seed and tells what happened.

#[allow(unreachable_pub, reason = "shared by several test binaries")]
mod sim;

use sim::tally::Tally;
use sim::world::run;

/// Enough for all that is asserted below, and few enough for every `cargo test`.
const SEEDS: u64 = 2_000;

#[test]
fn sim_no_seed_breaks_an_invariant() {
    if let Some(seed) = std::env::var("TIDEGATE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        match run(seed, true) {
            Ok(tally) => println!("seed {seed}: {tally:?}"),
            Err(violation) => panic!("{violation}"),
        }
        return;
    }
    let seeds = std::env::var("TIDEGATE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let mut tally = Tally::default();
    for seed in 0..seeds {
        match run(seed, false) {
            Ok(one) => tally.add(&one),
            Err(_) => panic!("{}", run(seed, true).expect_err("a seed is deterministic")),
        }
    }
    println!("{seeds} seeds: {tally:?}");
    tally.assert_not_trivial(seeds as u32);
}
