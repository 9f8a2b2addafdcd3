//! Seeds of the simulation: some of them, or so many that the run must survive being interrupted.

use std::fs;
use std::ops::Range;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tidegate_proof::sim::tally::Tally;
use tidegate_proof::sim::{Failed, world};

use crate::figures::{BrokenSeed, SimOutcome};
use crate::progress::Progress;
use crate::repository;

/// Fewer seeds are too few to expect everything to happen in them.
const ENOUGH: u64 = 10_000;
/// Seeds between two looks at the whole.
const CHUNK: u64 = 512;
/// Where progress is kept, from the repository's root.
pub(crate) const SAVED: &str = "target/prove/sim.json";

/// How far a long run has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    /// Of the sources: another one makes all of this worthless.
    sources: String,
    next: u64,
    seconds: f64,
    tally: Tally,
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a text").to_owned()
}

/// What happens in one seed, and whether it passed.
pub(crate) fn tell(seed: u64) -> (String, bool) {
    let (result, mut told) = world::replay(seed, true);
    let passed = result.is_ok();
    told.push(match result {
        Ok(tally) => format!("seed {seed} passed: {tally:?}"),
        Err(violation) => format!("seed {seed}: {violation}"),
    });
    (told.join("\n"), passed)
}

/// Runs seeds until one is broken; the lowest one of its chunk is told.
pub(crate) fn sweep(seeds: Range<u64>, threads: usize, progress: &Progress) -> SimOutcome {
    let (begin, count) = (Instant::now(), seeds.end - seeds.start);
    let first = seeds.start;
    let outcome = |tally: Tally, seeds: u64, broken: Option<BrokenSeed>| SimOutcome {
        seeds,
        decisions: tally.decisions,
        seconds: begin.elapsed().as_secs_f64(),
        tally,
        broken,
    };
    let tell = |done, tally: &Tally| {
        progress.at(done, || told(done, count, tally, begin.elapsed().as_secs_f64(), done));
    };
    match tidegate_proof::sim::sweep(seeds, threads, &tell) {
        Ok(tally) => {
            let broken = trivial(&tally, count);
            outcome(tally, count, broken)
        }
        Err(failed) => outcome((*failed.tally).clone(), failed.seed - first + 1, Some(broken(&failed))),
    }
}

fn told(done: u64, count: u64, tally: &Tally, seconds: f64, lately: u64) -> String {
    let rate = lately as f64 / seconds.max(0.001);
    format!("simulation: {done} of {count} seeds, {} record decisions, {rate:.0} seeds/s", tally.decisions)
}

/// Runs that prove too little.
fn trivial(tally: &Tally, seeds: u64) -> Option<BrokenSeed> {
    let assert = || tally.assert_not_trivial(seeds);
    let panic = (seeds >= ENOUGH).then(|| catch_unwind(assert).err()).flatten()?;
    let text = text_of(panic.as_ref());
    let violation = format!("too little happens: {}", text.split(": Tally").next().unwrap_or_default());
    Some(BrokenSeed { seed: None, violation })
}

fn broken(failed: &Failed) -> BrokenSeed {
    let Failed { seed, violation, .. } = failed;
    BrokenSeed { seed: Some(*seed), violation: plain(*seed, violation) }
}

/// The violation without its seed, which stands beside it.
fn plain(seed: u64, violation: &str) -> String {
    violation.trim().trim_start_matches(&format!("seed {seed}: ")).to_owned()
}

/// Runs at least so many seeds and decisions, from where the last run of the same sources was interrupted.
pub(crate) fn campaign(
    root: &Path,
    path: &Path,
    (seeds, decisions): (u64, u64),
    restart: bool,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<SimOutcome> {
    let (path, sources) = (root.join(path), repository::fingerprint(root)?);
    let saved = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Saved>(&bytes).ok());
    let fresh = || Saved { sources: sources.clone(), ..Saved::default() };
    let mut saved = saved.filter(|saved| !restart && saved.sources == sources).unwrap_or_else(fresh);
    if saved.next > 0 {
        progress.say(&format!("simulation: goes on at seed {}", saved.next));
    }
    let (first, before) = (saved.next, saved.seconds);
    let begin = Instant::now();
    let mut found = None;
    while found.is_none() && (saved.next < seeds || saved.tally.decisions < decisions) {
        let end = if saved.next < seeds { seeds.min(saved.next + CHUNK) } else { saved.next + CHUNK };
        let chunk = saved.next..end;
        match tidegate_proof::sim::sweep(chunk.clone(), threads, &|_, _| ()) {
            Ok(tally) => {
                saved.tally.add(&tally);
                saved.next = chunk.end;
            }
            Err(failed) => found = Some(broken(&failed)),
        }
        saved.seconds = before + begin.elapsed().as_secs_f64();
        if found.is_none() {
            keep(&path, &saved)?;
        }
        let now = begin.elapsed().as_secs_f64();
        progress.at(saved.next, || {
            told(saved.next, seeds.max(saved.next), &saved.tally, now, saved.next - first)
        });
    }
    let broken = found.or_else(|| trivial(&saved.tally, saved.next));
    let Saved { next, seconds, tally, .. } = saved;
    Ok(SimOutcome { seeds: next, decisions: tally.decisions, seconds, tally, broken })
}

/// Written beside and renamed over: a run that is killed while it writes loses the last seeds, not all.
fn keep(path: &Path, saved: &Saved) -> anyhow::Result<()> {
    let write = || {
        let draft = path.with_extension("new");
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(&draft, serde_json::to_vec(saved)?)?;
        fs::rename(&draft, path)
    };
    write().with_context(|| path.display().to_string())
}
