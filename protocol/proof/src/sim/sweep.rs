//! Many seeds, on several threads.

use std::ops::Range;

use super::tally::Tally;
use super::world::run;
use crate::properties::Violation;

/// Seeds that the threads share out before they meet again.
const CHUNK: u64 = 512;

/// The lowest seed of its chunk that breaks a property.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// What broke.
    pub violation: Violation,
    /// Seeds that were run before it was found, those of its chunk included.
    pub seeds_run: u64,
    /// What the seeds that passed amount to.
    pub tally: Box<Tally>,
}

/// Runs seeds chunk by chunk and stops after the first chunk with a failure. Which one is reported does not depend on the
/// number of threads. A seed that panics breaks a property, too.
pub fn sweep(
    seeds: Range<u64>,
    threads: usize,
    progress: &(dyn Fn(u64, &Tally) + Sync),
) -> Result<Tally, Failed> {
    let (first, mut tally) = (seeds.start, Tally::default());
    let mut next = seeds.start;
    while next < seeds.end {
        let chunk = next..(next + CHUNK).min(seeds.end);
        next = chunk.end;
        let (one, failed) = run_chunk(&chunk, threads.max(1) as u64);
        tally.add(&one);
        if let Some((seed, violation)) = failed {
            return Err(Failed { seed, violation, seeds_run: next - first, tally: Box::new(tally) });
        }
        progress(next - first, &tally);
    }
    Ok(tally)
}

/// A seed and what it broke.
type Found = Option<(u64, Violation)>;

fn run_chunk(chunk: &Range<u64>, threads: u64) -> (Tally, Found) {
    let part = |thread: u64| {
        let mut tally = Tally::default();
        for seed in chunk.clone().filter(|seed| seed % threads == thread) {
            match run(seed, false) {
                Ok(one) => tally.add(&one),
                Err(violation) => return (tally, Some((seed, violation))),
            }
        }
        (tally, None)
    };
    let parts: Vec<(Tally, Found)> = std::thread::scope(|scope| {
        let running: Vec<_> = (1..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        let own = part(0);
        let others = running.into_iter().map(|thread| thread.join().expect("panics of seeds are caught"));
        std::iter::once(own).chain(others).collect()
    });
    let mut tally = Tally::default();
    parts.iter().for_each(|(one, _)| tally.add(one));
    (tally, parts.into_iter().filter_map(|(_, found)| found).min_by_key(|(seed, _)| *seed))
}
