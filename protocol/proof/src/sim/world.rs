//! The world of one seed: jobs, the store, the people, and the faults.

mod calm;
mod control;
mod faults;
mod people;
mod reclaim;
mod turn;
mod why;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fastrand::Rng;
use tidegate_protocol::document::Settings;
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::member::Config;
use tidegate_protocol::time::EventTime;

use self::reclaim::{Lost, Pinned};
use super::clock::Clock;
use super::job::{Job, gate_name};
use super::ledger::Ledger;
use super::log::Log;
use super::plan::{Plan, Size};
use super::store::Store;
use super::tally::Tally;
use super::task::Disposed;
use crate::properties::Violation;

const BLUE: Member = Member::new(Color::Blue, 1);

/// The world.
#[derive(Debug)]
pub struct World {
    rng: Rng,
    now: u64,
    plan: Plan,
    log: Log,
    store: Store,
    jobs: Vec<Job>,
    ledger: Ledger,
    /// The last generation of each color.
    generations: [u32; 2],
    /// Members that own or have owned event time.
    owners: Vec<Member>,
    /// The highest watermark that has ever arrived anywhere.
    reached: EventTime,
    /// The highest record that was held in the snapshot which the standby was started from.
    held_high: Option<EventTime>,
    /// The way back from the last committed cutover.
    pinned: Option<Pinned>,
    /// A job that is dead for good.
    dead: Option<Lost>,
    /// The member that has just taken over dies at once, where members die.
    doomed: bool,
    /// The number of a job whose checkpoints fail, and when it fails itself.
    frail: Option<(u8, u64)>,
    /// Until then no job reads: they start slowly.
    halted_until: u64,
    /// When the document that somebody has replaced is restored.
    restored_at: u64,
    started: u8,
    asked: u64,
    disposed: Vec<Disposed>,
    tally: Tally,
    told: Option<Vec<String>>,
}

/// Runs one seed; with `tell`, a failure comes with what happened.
pub fn run(seed: u64, tell: bool) -> Result<Tally, Violation> {
    let (result, told) = replay(seed, tell);
    result.map_err(|violation| {
        let told = if told.is_empty() { String::new() } else { told.join("\n") + "\n" };
        format!(
            "{told}seed {seed}: {violation}\nto replay: TIDEGATE_SEED={seed} cargo test -p tidegate-proof --test sim_cutover -- --nocapture"
        )
    })
}

/// Runs one seed and returns what happened beside its result; a panic is a violation, too.
pub fn replay(seed: u64, tell: bool) -> (Result<Tally, Violation>, Vec<String>) {
    let mut world = World::new(seed);
    world.told = tell.then(Vec::new);
    let result = catch_unwind(AssertUnwindSafe(|| world.unfold())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a text");
        Err(format!("panic: {text}"))
    });
    let told = world.told.take().unwrap_or_default();
    (result.map(|()| world.tally), told)
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        let log = Log::new(&mut rng, &plan);
        let ledger = Ledger::new(&log, &plan);
        let mut world = World {
            now: 0,
            store: Store::default(),
            jobs: Vec::new(),
            ledger,
            generations: [1, 0],
            owners: Vec::new(),
            reached: EventTime::MIN,
            held_high: None,
            pinned: None,
            dead: None,
            doomed: false,
            frail: None,
            halted_until: 0,
            restored_at: 0,
            started: 0,
            asked: 0,
            disposed: Vec::new(),
            tally: Tally::default(),
            told: None,
            rng,
            plan,
            log,
        };
        world.start(BLUE, None);
        world
    }

    fn start(&mut self, member: Member, from: Option<Rc<super::job::Checkpoint>>) {
        let plan = &self.plan;
        let parallelism =
            if plan.size == Size::Wide { plan.width } else { self.rng.u32(1..plan.width.max(2)) };
        let from_beginning = from.is_none() && plan.green_from_start;
        let config = config(member, plan.gates, plan.settings, from_beginning);
        let clock = if plan.skewed { Clock::off(&mut self.rng) } else { Clock::default() };
        let job = Job::start(self.started, config, plan, parallelism, from, &self.log, clock);
        self.started += 1;
        self.jobs.push(job);
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(format!("{:>6} {}", self.now, what()));
        }
    }

    /// Folds something that happened into the digest.
    fn fold(&mut self, what: u64) {
        self.tally.digest = (self.tally.digest ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    fn unfold(&mut self) -> Result<(), Violation> {
        let plan = format!("{:?}", self.plan);
        self.tell(|| plan);
        while self.now < self.plan.storm_ms {
            self.now += self.rng.u64(..6);
            self.anything()?;
        }
        self.tell(|| "nothing fails any more".to_owned());
        self.store.away_until = 0;
        self.restore_document();
        self.come_to_rest()?;
        self.tally.wide += u64::from(self.plan.size == Size::Wide);
        self.tally.long += u64::from(self.tally.done >= 10);
        self.ledger.close(&mut self.tally)
    }
}

fn config(member: Member, gates: usize, settings: Settings, from_beginning: bool) -> Config {
    Config {
        rollout: "orders".to_owned(),
        member,
        job: format!("job of {member}"),
        instance: "0".to_owned(),
        gates: (0..gates).map(gate_name).collect(),
        from_beginning,
        settings,
    }
}
