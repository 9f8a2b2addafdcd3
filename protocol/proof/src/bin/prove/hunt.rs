//! The hunt for planted bugs: each is active in processes of its own, tier by tier, until it is caught.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use tidegate_proof::mutants::{Mutant, Tier, load};

use crate::build::{self, Built, Test};
use crate::child::{self, Ended};
use crate::figures::{Catch, ModelOutcome, SimOutcome, Verdict};
use crate::progress::Progress;
use crate::repository;

/// A violation's text in a table.
const LONGEST: usize = 200;

/// What is hunted, and how thoroughly.
pub(crate) struct Plan {
    /// All when empty.
    pub(crate) ids: Vec<String>,
    /// Those that may catch are asked, all of them when empty.
    pub(crate) tiers: Vec<Tier>,
    /// Fewer seeds, and less time.
    pub(crate) quick: bool,
    /// Every tier that may catch is asked, not only up to the first one that does.
    pub(crate) every_tier: bool,
    pub(crate) threads: usize,
}

/// What all mutants share.
struct Hunt {
    root: PathBuf,
    built: Built,
    seeds: u64,
    limit: Duration,
    every_tier: bool,
    tiers: Vec<Tier>,
}

/// What one tier says.
enum Found {
    Caught(Catch),
    Missed(String),
}

/// Plants the mutants and hunts them; an error when even the copy without an active one does not pass.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Vec<Verdict>> {
    let root = repository::root()?;
    let all = load(&root)?;
    let unknown = plan.ids.iter().find(|id| all.iter().all(|mutant| mutant.id != **id));
    if let Some(id) = unknown {
        bail!("there is no mutant {id}; `prove mutant-list` names them");
    }
    let chosen: Vec<&Mutant> =
        all.iter().filter(|mutant| plan.ids.is_empty() || plan.ids.contains(&mutant.id)).collect();
    let tiers: BTreeSet<Tier> = chosen.iter().flat_map(|mutant| mutant.tiers.iter().copied()).collect();
    let asked = |tier: &Tier| plan.tiers.is_empty() || plan.tiers.contains(tier);
    let tiers: Vec<Tier> = tiers.into_iter().filter(asked).collect();
    let progress = Progress::new(Some(chosen.len() as u64));
    progress.at(0, || "mutants: the copy is compiled".to_owned());
    let built = build::build(&root, &all, &tiers)?;
    let hunt = Hunt {
        root,
        built,
        seeds: if plan.quick { 3_000 } else { 20_000 },
        limit: Duration::from_secs(if plan.quick { 180 } else { 1_800 }),
        every_tier: plan.every_tier,
        tiers: tiers.clone(),
    };
    progress.at(0, || "mutants: the copy without an active one".to_owned());
    for tier in tiers {
        let enough = Enough::of_all(&chosen, tier);
        if let Found::Caught(Catch { broke, after, .. }) = hunt.ask(tier, None, &enough, plan.threads)? {
            bail!(
                "the copy does not pass the {} tier even without an active mutant ({after}): {broke}",
                tier.name()
            );
        }
    }
    hunt.all(&chosen, plan.threads, &progress)
}

impl Hunt {
    /// All of them, some at a time.
    fn all(&self, mutants: &[&Mutant], threads: usize, progress: &Progress) -> anyhow::Result<Vec<Verdict>> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || -> anyhow::Result<Vec<Verdict>> {
            let mut verdicts = Vec::new();
            while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                let verdict = self.one(mutant)?;
                if verdict.catches.is_empty() {
                    progress.say(&verdict.to_string());
                }
                verdicts.push(verdict);
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                progress.at(done as u64, || format!("mutants: {done} of {} ({})", mutants.len(), mutant.id));
            }
            Ok(verdicts)
        };
        let verdicts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let joined =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|it| resume_unwind(it)));
            joined.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let mut verdicts = verdicts.concat();
        verdicts.sort_by_key(|verdict: &Verdict| mutants.iter().position(|mutant| mutant.id == verdict.id));
        Ok(verdicts)
    }

    fn one(&self, mutant: &Mutant) -> anyhow::Result<Verdict> {
        let Mutant { id, mistake, .. } = mutant;
        let mut verdict =
            Verdict { id: id.clone(), mistake: mistake.clone(), catches: Vec::new(), missed: Vec::new() };
        for tier in mutant.tiers.iter().filter(|tier| self.tiers.contains(tier)) {
            match self.ask(*tier, Some(id), &Enough::of(mutant), 1)? {
                Found::Caught(catch) => verdict.catches.push(catch),
                Found::Missed(what) => verdict.missed.push(format!("{}: {what}", tier.name())),
            }
            if !self.every_tier && !verdict.catches.is_empty() {
                break;
            }
        }
        Ok(verdict)
    }

    fn ask(
        &self,
        tier: Tier,
        mutant: Option<&str>,
        enough: &Enough,
        threads: usize,
    ) -> anyhow::Result<Found> {
        match tier {
            Tier::Simulation => self.simulate(mutant, threads),
            Tier::Model => self.check(mutant, &enough.scenarios, threads),
            Tier::Store | Tier::Agent => self.test(tier, mutant, &enough.tests),
        }
    }

    fn prove(&self, arguments: &[&str], mutant: Option<&str>, threads: usize) -> anyhow::Result<Ended> {
        let threads = threads.to_string();
        let arguments = [arguments, &["--output", "json", "--threads", &threads]].concat();
        child::run(&self.built.prove, &arguments, mutant, &self.root, self.limit)
    }

    fn replay(&self, mutant: Option<&str>, arguments: &str) -> String {
        let prove = self.built.prove.strip_prefix(&self.root).unwrap_or(&self.built.prove);
        let mutant = mutant.map(|mutant| format!("{}={mutant} ", tidegate_proof::mutants::VARIABLE));
        format!("{}{} {arguments}", mutant.unwrap_or_default(), prove.display())
    }

    fn simulate(&self, mutant: Option<&str>, threads: usize) -> anyhow::Result<Found> {
        let seeds = self.seeds.to_string();
        let ended = self.prove(&["sim", "--seeds", &seeds], mutant, threads)?;
        let Some(outcome) =
            ended.stdout.lines().last().and_then(|line| serde_json::from_str::<SimOutcome>(line).ok())
        else {
            return Ok(self.odd(Tier::Simulation, mutant, &ended, &format!("sim --seeds {seeds}")));
        };
        let Some(broken) = outcome.broken else {
            return Ok(Found::Missed(format!("{seeds} seeds pass in {:.1} s", ended.seconds)));
        };
        let arguments = broken.seed.map_or(format!("sim --seeds {seeds}"), |seed| format!("seed {seed}"));
        Ok(Found::Caught(Catch {
            tier: Tier::Simulation.name().to_owned(),
            broke: short(&broken.violation),
            after: format!("{} seeds", broken.seed.map_or(self.seeds, |_| outcome.seeds)),
            replay: self.replay(mutant, &arguments),
            seconds: ended.seconds,
        }))
    }

    fn check(&self, mutant: Option<&str>, scenarios: &[String], threads: usize) -> anyhow::Result<Found> {
        let mut arguments = vec!["model", "--tier", "test", "--until-broken"];
        arguments.extend(scenarios.iter().flat_map(|scenario| ["--scenario", scenario]));
        let ended = self.prove(&arguments, mutant, threads)?;
        let outcomes: Vec<ModelOutcome> =
            ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let states: u64 = outcomes.iter().map(|outcome| outcome.unique_states).sum();
        match outcomes.last() {
            Some(ModelOutcome { scenario, broken: Some(broken), .. }) => Ok(Found::Caught(Catch {
                tier: Tier::Model.name().to_owned(),
                broke: short(broken),
                after: format!("{states} states"),
                replay: self.replay(mutant, &format!("model --scenario {scenario}")),
                seconds: ended.seconds,
            })),
            Some(_) if ended.is_success() => {
                Ok(Found::Missed(format!("{states} states pass in {:.1} s", ended.seconds)))
            }
            Some(_) | None => Ok(self.odd(Tier::Model, mutant, &ended, "model")),
        }
    }

    /// The tests of a tier, binary by binary; all when none is named.
    fn test(&self, tier: Tier, mutant: Option<&str>, names: &[String]) -> anyhow::Result<Found> {
        let (mut passed, mut seconds) = (0, 0.0);
        let exact = if names.is_empty() { None } else { Some("--exact") };
        let arguments: Vec<&str> = names.iter().map(String::as_str).chain(exact).collect();
        for Test { name, program, folder, .. } in self.built.tests.iter().filter(|test| test.tier == tier) {
            let ended = child::run(program, &arguments, mutant, folder, self.limit)?;
            seconds += ended.seconds;
            let results =
                || ended.stdout.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
            passed += results().filter(|(_, result)| *result == "ok").count();
            if ended.is_success() {
                continue;
            }
            let Some((test, _)) = results().find(|(_, result)| *result == "FAILED") else {
                return Ok(self.odd(tier, mutant, &ended, name));
            };
            return Ok(Found::Caught(Catch {
                tier: tier.name().to_owned(),
                broke: short(&format!("{name}: {test}")),
                after: format!("{} tests", passed + 1),
                replay: format!(
                    "cargo run --release -p tidegate-proof --bin prove -- mutants {}",
                    mutant.unwrap_or_default()
                ),
                seconds,
            }));
        }
        Ok(Found::Missed(format!("{passed} tests pass in {seconds:.1} s")))
    }

    /// A process that told no result: caught when it says what broke, else not.
    fn odd(&self, tier: Tier, mutant: Option<&str>, ended: &Ended, arguments: &str) -> Found {
        match (ended.status, ended.panic()) {
            (Some(_), Some(panic)) => Found::Caught(Catch {
                tier: tier.name().to_owned(),
                broke: short(&panic),
                after: "a part of its run".to_owned(),
                replay: self.replay(mutant, arguments),
                seconds: ended.seconds,
            }),
            (Some(status), None) => Found::Missed(format!("it ended with {status} and told nothing")),
            (None, _) => Found::Missed(format!("no answer within {} s", self.limit.as_secs())),
        }
    }
}

/// What is enough to catch a mutant: all there is where nothing is named.
struct Enough {
    scenarios: Vec<String>,
    tests: Vec<String>,
}

impl Enough {
    fn of(mutant: &Mutant) -> Enough {
        Enough { scenarios: mutant.scenarios.clone(), tests: mutant.tests.clone() }
    }

    /// All that the mutants of a tier name; nothing, and so all there is, when one of them names none.
    fn of_all(mutants: &[&Mutant], tier: Tier) -> Enough {
        let union = |named: fn(&Mutant) -> &Vec<String>| {
            let asks = || mutants.iter().filter(|mutant| mutant.tiers.contains(&tier));
            let all: BTreeSet<&String> = asks().flat_map(|mutant| named(mutant)).collect();
            let names = asks().all(|mutant| !named(mutant).is_empty());
            if names { all.into_iter().cloned().collect() } else { Vec::new() }
        };
        Enough { scenarios: union(|mutant| &mutant.scenarios), tests: union(|mutant| &mutant.tests) }
    }
}

/// The first line, not too long.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}
