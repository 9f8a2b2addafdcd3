//! The world of one seed: two jobs, the store, the people, and the faults.

mod chance;

use std::collections::BTreeMap;

use fastrand::Rng;
use tidegate_protocol::conductor::{Observation, Seen, Step, conduct};
use tidegate_protocol::document::{Cutover, Document, HandOver, Outcome, Settings};
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::member::{Config, Effect, Event};
use tidegate_protocol::report::Report;
use tidegate_protocol::subtask::{self, Limits};
use tidegate_protocol::time::{EventTime, WallTime};

use super::invariants::{self, Boundary, Fate, Violation};
use super::job::{Job, gate_name};
use super::log::Log;
use super::store::Store;
use super::tally::Tally;
use super::task::{Disposed, Task};

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 1);
/// Simulated milliseconds after the last fault within which everything must have ended.
const PATIENCE_MS: u64 = 60_000;

/// The world.
#[derive(Debug)]
pub struct World {
    rng: Rng,
    now: u64,
    log: Log,
    store: Store,
    jobs: Vec<Job>,
    fates: Vec<Fate>,
    times: Vec<EventTime>,
    boundaries: Vec<Boundary>,
    green_from_start: bool,
    limits: Limits,
    asked: u64,
    /// Faults per thousand steps.
    storm: u32,
    /// What was counted.
    pub tally: Tally,
    /// What happened, when it is to be told.
    pub told: Option<Vec<String>>,
}

/// Runs one seed; with `tell`, a failure comes with what happened.
pub fn run(seed: u64, tell: bool) -> Result<Tally, Violation> {
    let mut world = World::new(seed);
    world.told = tell.then(Vec::new);
    let result = world.unfold();
    let told = world.told.take().unwrap_or_default();
    match result {
        Ok(()) => Ok(world.tally),
        Err(violation) => Err(format!("{}\nseed {seed}: {violation}", told.join("\n"))),
    }
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed);
        let (gates, partitions) = (1 + usize::from(rng.u8(..4) == 0), rng.usize(2..6));
        let log = Log::new(&mut rng, partitions, 12_000);
        let settings = Settings {
            hand_over: if rng.bool() { HandOver::Ordered } else { HandOver::Overlapped },
            lateness_ms: [0, 400][rng.usize(..2)],
            propose_deadline_ms: rng.u64(800..4_000),
            finish_deadline_ms: 20_000,
            control_path_ms: rng.u64(20..800),
            ..Settings::default()
        };
        let limits = Limits {
            hold_records: if rng.u8(..4) == 0 { rng.u64(2..12) } else { 1_000_000 },
            hold_bytes: 1 << 40,
            max_ahead_ms: None,
            idle_after_ms: 300,
        };
        let green_from_start = rng.u8(..5) == 0;
        let storm = [0, 1, 3, 12][rng.usize(..4)];
        let mut times = vec![EventTime::MIN; log.total];
        for record in log.partitions.iter().flatten() {
            times[record.id] = EventTime::from_millis(record.time);
        }
        let mut world = World {
            now: 0,
            store: Store::default(),
            jobs: Vec::new(),
            fates: vec![Fate::default(); log.total],
            times,
            boundaries: Vec::new(),
            green_from_start,
            limits,
            asked: 0,
            storm,
            tally: Tally::default(),
            told: None,
            rng,
            log,
        };
        let parallelism = world.rng.u32(1..4);
        let config = world.config(BLUE, gates, settings);
        world.jobs.push(Job::start(BLUE, config, limits, parallelism, None, &world.log));
        world
    }

    fn config(&self, member: Member, gates: usize, settings: Settings) -> Config {
        Config {
            rollout: "orders".to_owned(),
            member,
            job: format!("job of {member}"),
            instance: "0".to_owned(),
            gates: (0..gates).map(gate_name).collect(),
            from_beginning: member == GREEN && self.green_from_start,
            settings,
        }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(format!("{:>6} {}", self.now, what()));
        }
    }

    fn wall(&self) -> WallTime {
        WallTime::from_millis(self.now)
    }

    fn unfold(&mut self) -> Result<(), Violation> {
        let stormy = self.rng.u64(9_000..16_000);
        while self.now < stormy {
            self.now += self.rng.u64(..6);
            self.anything()?;
        }
        self.tell(|| "nothing fails any more".to_owned());
        let calm = self.now;
        while !self.is_at_rest() {
            self.now += 40;
            self.everything()?;
            if self.now > calm + PATIENCE_MS {
                self.tell_why();
                if let Some((_, document)) = &self.store.document {
                    invariants::every_cutover_ends(document)?;
                }
                return Err("it does not come to rest".to_owned());
            }
        }
        self.tally.deviated = self.fates.iter().filter(|fate| fate.visible != 1).count() as u32;
        invariants::visible_exactly_once(&self.fates)
    }

    /// What the conductor waits for, and where every task is.
    fn tell_why(&mut self) {
        let seen =
            |slot: &std::collections::VecDeque<(u64, Report)>| slot.back().map(|(_, report)| report.clone());
        let reports = self.store.reports.values().filter_map(seen);
        let reports =
            reports.map(|report| (report.member, Seen { report, silent_ms: 0 })).collect::<BTreeMap<_, _>>();
        if let Some((_, document)) = self.store.document.clone() {
            let asked = self.store.asked.clone();
            let observation = Observation {
                document: &document,
                reports: &reports,
                asked: asked.as_ref(),
                now: self.wall(),
            };
            self.tell(|| format!("{:#?}", conduct(observation)));
        }
        let tasks = |job: &Job| -> Vec<String> {
            let tell = |(at, task): (&(usize, u32), &Task)| {
                let mut status = task.machine.status();
                status.snapshots.drain(..status.snapshots.len().saturating_sub(1));
                format!("{} {at:?} finished {}: {status:?}", job.member, task.finished)
            };
            job.tasks.iter().map(tell).collect()
        };
        for job in &self.jobs {
            let open: Vec<_> = job.tasks.values().map(|task| task.open.len()).collect();
            let rest =
                format!("{} read {:?}, commits {:?}, open {open:?}", job.member, job.read, job.commits);
            let rest =
                format!("{rest}, pending {:?}", job.pending.as_ref().map(|pending| pending.parts.keys()));
            self.told.iter_mut().for_each(|told| told.push(rest.clone()));
        }
        let tasks: Vec<String> = self.jobs.iter().flat_map(tasks).collect();
        self.tell(|| tasks.join("\n"));
    }

    fn is_at_rest(&self) -> bool {
        let document = self.store.document.as_ref().map(|(_, document)| document);
        document.is_some_and(|document| document.cutover.is_none())
            && self.jobs.len() == 2
            && self.jobs.iter().all(|job| job.is_at_rest(&self.log))
    }

    /// One random thing happens.
    fn anything(&mut self) -> Result<(), Violation> {
        let index = self.rng.usize(..self.jobs.len());
        let tasks: Vec<(usize, u32)> = self.jobs[index].tasks.keys().copied().collect();
        let at = tasks[self.rng.usize(..tasks.len())];
        match self.rng.u32(..1_000) {
            0..200 => self.read(index, at)?,
            200..290 => self.watermark(index, at)?,
            290..300 => self.jobs[index].trigger(),
            300..390 => self.jobs[index].snapshot(at, self.now)?,
            390..460 => self.commit(index, at)?,
            460..590 => self.deliver(index, at)?,
            590..650 => self.jobs[index].tasks.get_mut(&at).expect("picked").tell(),
            650..710 => self.events(index),
            710..730 => self.agent(index, |agent, _, now| agent.tick(now)),
            730..780 => self.agent(index, |agent, store, _| agent.read(store)),
            780..830 => self.agent(index, |agent, _, now| agent.hear(now)),
            830..890 => self.agent(index, |agent, store, now| agent.report(store, now)),
            890..975 => self.conduct(index, true),
            975..985 => self.agent(index, |agent, store, now| agent.claim(store, now)),
            985..988 => self.ask(),
            988..994 => self.haunt(index),
            994..995 => self.replace_green(),
            _ => self.start_green(),
        }
        if self.rng.u32(..1_000) < self.storm && self.jobs[index].tasks.contains_key(&at) {
            match self.rng.u8(..8) {
                0..3 => self.fail_task(index, at),
                3 => self.fail_job(index),
                4..6 => self.lose_status(index, at),
                _ => self.lose_order(index, at),
            }
        }
        Ok(())
    }

    /// Everything happens once, in order.
    fn everything(&mut self) -> Result<(), Violation> {
        if self.jobs.len() < 2 {
            self.start_green();
        }
        for index in 0..self.jobs.len() {
            let tasks: Vec<(usize, u32)> = self.jobs[index].tasks.keys().copied().collect();
            self.agent(index, |agent, store, now| agent.claim(store, now));
            self.agent(index, |agent, store, _| agent.read(store));
            for at in &tasks {
                self.read(index, *at)?;
                self.watermark(index, *at)?;
                self.jobs[index].snapshot(*at, self.now)?;
                self.commit(index, *at)?;
                self.jobs[index].tasks.get_mut(at).expect("picked").tell();
                while !self.jobs[index].told.is_empty() {
                    self.events(index);
                }
                for _ in 0..4 {
                    self.deliver(index, *at)?;
                }
            }
            self.agent(index, |agent, _, now| agent.tick(now));
            for _ in 0..3 {
                self.agent(index, |agent, _, now| agent.hear(now));
                self.agent(index, |agent, store, now| agent.report(store, now));
                self.conduct(index, false);
            }
            if self.now % 400 < 40 {
                self.jobs[index].trigger();
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize, at: (usize, u32)) -> Result<(), Violation> {
        for _ in 0..3 {
            let fast = self.rng.bool();
            let disposed = self.jobs[index].read_one(&self.log, at, self.now, fast)?;
            self.disposed(index, &disposed);
        }
        self.tally.full += u32::from(self.jobs[index].tasks[&at].machine.is_full());
        Ok(())
    }

    fn watermark(&mut self, index: usize, at: (usize, u32)) -> Result<(), Violation> {
        let disposed = self.jobs[index].watermark(&self.log, at, self.now)?;
        self.disposed(index, &disposed);
        Ok(())
    }

    fn disposed(&mut self, index: usize, disposed: &[Disposed]) {
        let member = self.jobs[index].member;
        for Disposed { item, disposition, epoch } in disposed {
            self.tell(|| format!("{member} {disposition:?} [{}] {:?} in epoch {epoch}", item.id, item.time));
            let settled = self.store.settled[*epoch as usize];
            let fate = &mut self.fates[item.id];
            fate.before_settle |= settled <= item.time;
            fate.after_settle |= settled > item.time;
            fate.late |= !item.on_time || item.time < self.jobs[index].rested_below;
        }
    }

    fn commit(&mut self, index: usize, at: (usize, u32)) -> Result<(), Violation> {
        let by = self.jobs[index].member;
        let records = self.jobs[index].commit(at);
        if !records.is_empty() {
            self.tell(|| format!("{by} {at:?} shows {records:?}"));
        }
        for record in records {
            let (time, fate) = (self.times[record], &mut self.fates[record]);
            fate.visible += 1;
            invariants::visible_at_most_once(record, fate)?;
            let late = fate.late;
            invariants::old_never_follows_new(&mut self.boundaries, record, time, by, late)?;
            if let Some((_, document)) = &self.store.document {
                invariants::ordered_opens_at_finish(document, time, by)?;
            }
        }
        Ok(())
    }

    /// One status goes up, one order comes down.
    fn deliver(&mut self, index: usize, at: (usize, u32)) -> Result<(), Violation> {
        let now = self.wall();
        let job = &mut self.jobs[index];
        let task = job.tasks.get_mut(&at).expect("picked");
        if let Some((attempt, status)) = task.up.pop_front() {
            let gate = gate_name(at.0);
            job.agent.step(Event::SubtaskStatus { gate, subtask: at.1, attempt, status }, now);
        }
        let order = job.tasks.get_mut(&at).and_then(|task| task.down.pop_front());
        self.perform(index);
        if let Some(order) = order {
            let member = self.jobs[index].member;
            self.tell(|| format!("{member} {at:?} follows epoch {}", order.epoch.0));
            let task = self.jobs[index].tasks.get_mut(&at).expect("picked");
            let disposed = task.step(subtask::Event::Order(order))?;
            task.tell();
            let reply = task.machine.status().reply;
            self.tell(|| format!("{member} {at:?} answers {reply:?}"));
            self.disposed(index, &disposed);
        }
        Ok(())
    }

    fn events(&mut self, index: usize) {
        let now = self.wall();
        if let Some(event) = self.jobs[index].told.pop_front() {
            self.jobs[index].agent.step(event, now);
            self.perform(index);
        }
    }

    fn agent(&mut self, index: usize, act: impl FnOnce(&mut super::agent::Agent, &mut Store, WallTime)) {
        let now = self.wall();
        act(&mut self.jobs[index].agent, &mut self.store, now);
        self.perform(index);
    }

    fn perform(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        for effect in std::mem::take(&mut job.agent.effects) {
            match effect {
                Effect::Order { gate, subtask, attempt, order } => {
                    let gate = (0..job.gates).find(|index| gate_name(*index) == gate).expect("a gate");
                    let task = job.tasks.get_mut(&(gate, subtask));
                    if let Some(task) = task.filter(|task| task.attempt == attempt && !task.finished) {
                        task.down.push_back(order);
                    }
                }
                Effect::Checkpoint => job.trigger(),
                Effect::Create(document) => {
                    self.store.write_document(None, document);
                }
            }
        }
    }

    /// The agent of a life that is over still writes and conducts; its job is fenced by the sink, its orders reach nobody.
    fn haunt(&mut self, index: usize) {
        let now = self.wall();
        let Some(former) = &mut self.jobs[index].former else { return };
        match self.rng.u8(..3) {
            0 => former.report(&mut self.store, now),
            1 => former.hear(now),
            _ => {
                let conducted = former.conduct(&mut self.store, &mut self.rng, true, now);
                conducted.into_iter().for_each(|(step, document)| self.conducted(step, &document));
            }
        }
    }

    fn conduct(&mut self, index: usize, old: bool) {
        let now = self.wall();
        let agent = &mut self.jobs[index].agent;
        let conducted = agent.conduct(&mut self.store, &mut self.rng, old, now);
        conducted.into_iter().for_each(|(step, document)| self.conducted(step, &document));
    }

    fn conducted(&mut self, step: Step, document: &Document) {
        self.tell(|| {
            format!("{step:?}: {:?} {:?} {:?}", document.settled, document.owners, document.cutover)
        });
        match step {
            Step::Propose => {}
            Step::ProposeHigher => self.tally.widened += 1,
            Step::Commit => self.committed(document),
            Step::Abort => self.tally.aborted += 1,
            Step::Finish => self.finished(document),
            Step::Settle => self.tally.settled += 1,
            Step::Refuse => self.tally.refused += 1,
        }
    }

    fn committed(&mut self, document: &Document) {
        if let Some(Cutover::Committed { terms, .. }) = &document.cutover {
            let (from, to) = (document.active().member, terms.to);
            self.boundaries.push(Boundary {
                at: terms.at,
                from,
                to,
                hand_over: terms.hand_over,
                opened: false,
            });
            self.tally.overlapped += u32::from(terms.hand_over == HandOver::Overlapped);
        }
    }

    fn finished(&mut self, document: &Document) {
        self.tally.done += 1;
        let past = document.history.last().expect("a cutover was finished");
        assert_eq!(past.outcome, Outcome::Done);
        self.tally.back += u32::from(past.terms.to == BLUE);
    }
}
