//! One step of the world, from one state to the next.

use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::time::EventTime;

use super::action::{Action, is_known};
use super::scenario::{End, Entry, Lag, Mark, Scenario, Start};
use super::shared::Shared;
use super::state::{At, Broken, Ledger, Life, State, Store, Task, Who};
use super::task::LONG_AFTER;
use crate::properties::{self, Fate, Violation};

/// What has been reached in any state. It is no part of a state: states that differ only in their past are one.
#[derive(Debug, Default)]
pub(crate) struct Marks(AtomicU64);

impl Marks {
    pub(crate) fn add_if(&self, reached: bool, mark: Mark) {
        let bit = 1 << (mark as u8);
        if reached && self.0.load(Ordering::Relaxed) & bit == 0 {
            self.0.fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.0.load(Ordering::Relaxed) & 1 << (mark as u8) != 0
    }
}

/// A state on its way to the next one.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) marks: &'a Marks,
    pub(crate) state: State,
}

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 1);

impl Scenario {
    /// The number of a record in the whole log.
    pub(crate) fn record_id(&self, partition: usize, index: usize) -> u8 {
        let before: usize = self.log[..partition].iter().map(|entries| entries.len()).sum();
        (before + index) as u8
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.log.iter().flat_map(|entries| entries.iter())
    }

    pub(crate) fn is_untimed(&self, id: u8) -> bool {
        matches!(self.entries().nth(usize::from(id)), Some(Entry::Untimed | Entry::Far))
    }

    /// Some record is dated far in the future, so that `max-ahead` is set.
    pub(crate) fn has_far_records(&self) -> bool {
        self.entries().any(|entry| *entry == Entry::Far)
    }

    /// Whether a job may come back with another parallelism.
    pub(crate) fn rescales(&self) -> bool {
        self.rescales.iter().any(|parallelisms| !parallelisms.is_empty())
    }

    /// Whether inputs fall silent.
    pub(crate) fn may_rest(&self) -> bool {
        self.end == End::Idle || self.entries().any(|entry| *entry == Entry::Silence)
    }

    /// The records of the partition that a record is in, by number and time, and by how much that record is late in it.
    pub(crate) fn neighbours(&self, id: u8) -> (Vec<(usize, EventTime)>, i64) {
        let (mut found, mut first) = (Vec::new(), 0);
        for entries in self.log {
            let range = first..first + entries.len();
            if range.contains(&usize::from(id)) {
                let time = |entry: &Entry| match entry {
                    Entry::At(time) => Some(*time),
                    Entry::Untimed | Entry::Far | Entry::Silence => None,
                };
                let own = usize::from(id) - first;
                let top = entries[..own].iter().filter_map(time).max();
                let behind = top.zip(time(&entries[own])).map_or(0, |(top, own)| top - self.bound - own);
                let timed = range.zip(entries.iter());
                found
                    .extend(timed.filter_map(|(id, entry)| Some((id, EventTime::from_millis(time(entry)?)))));
                return (found, behind);
            }
            first = range.end;
        }
        (found, 0)
    }

    /// How far event time gets for certain: what rests may wake again.
    pub(crate) fn reached(&self) -> EventTime {
        match self.end {
            End::GoesOn => EventTime::from_millis(LONG_AFTER),
            End::Idle => EventTime::MIN,
            End::Finite => EventTime::MAX,
        }
    }

    /// Where everything begins.
    pub(crate) fn first_state(&self, marks: &Marks) -> State {
        let records = self.entries().count();
        let ledger = Ledger {
            fates: vec![Fate::default(); records],
            behind: vec![false; records],
            shown_by: vec![0; records],
            boundaries: Vec::new(),
            repeats_from: None,
            reached: EventTime::MIN,
            rest_excuses: EventTime::MIN,
            dead_frontier: None,
        };
        let state = State {
            store: Store::default(),
            jobs: Vec::new(),
            conductors: Vec::new(),
            ledger: Shared::new(ledger),
            now: 0,
            left: self.faults,
            asked: 0,
            broken: None,
        };
        let mut run = Run { scenario: self, marks, state };
        run.start_job(BLUE, self.blue, None);
        if self.start == Start::Beginning {
            run.start_job(GREEN, self.green, None);
        }
        if !self.cold {
            run.warm_up();
        }
        run.state
    }
}

impl Run<'_> {
    /// Something that must hold.
    pub(super) fn must(&mut self, property: &'static str, holds: Result<(), Violation>) {
        if let Err(text) = holds
            && self.state.broken.is_none()
        {
            self.state.broken = Some(Shared::new(Broken { property, text }));
        }
    }

    /// The first document is created, and everybody follows it, before the first record.
    fn warm_up(&mut self) {
        for _ in 0..3 {
            for job in 0..self.state.jobs.len() {
                self.warm_up_job(Who { job: job as u8, former: false });
            }
        }
    }

    fn warm_up_job(&mut self, who: Who) {
        while !self.state.life(who).told.is_empty() {
            self.hear_job(who);
        }
        if self.state.life(who).agent.slot.is_none() {
            self.claim(who);
        }
        for task in 0..self.state.life(who).tasks.len() as u8 {
            self.tell(At { who, task });
        }
        while self.has_to_read(who) {
            self.fetch(who, false, false);
        }
        for task in 0..self.state.life(who).tasks.len() as u8 {
            let at = At { who, task };
            self.follow(at, false);
            let mut state = Task::clone(self.state.task(at));
            state.kept = None;
            self.state.put(at, state);
            self.tell(at);
        }
        if self.has_to_report(who) {
            self.report(who);
        }
    }

    /// What does not take its time happens at once.
    fn keep_up(&mut self) {
        for job in &mut self.state.jobs {
            // An agent that has found out and has no tasks is heard of no more.
            let over = |life: &Life| life.tasks.is_empty() && !life.agent.machine.is_claimed();
            if job.former.as_ref().is_some_and(over) {
                job.former = None;
            }
        }
        for index in 0..self.state.jobs.len() {
            if self.state.jobs[index].stopped {
                continue;
            }
            let who = Who { job: index as u8, former: false };
            if self.scenario.lag != Lag::Statuses {
                self.tell_all(who);
            }
            if self.scenario.lag != Lag::Agents {
                self.round(who);
            }
            if !self.scenario.late_commits && self.state.jobs[index].life.told.is_empty() {
                self.commit_all(index);
                if self.scenario.lag != Lag::Agents {
                    self.round(who);
                }
            }
        }
    }

    fn tell_all(&mut self, who: Who) {
        for task in 0..self.state.life(who).tasks.len() as u8 {
            let life = self.state.life(who);
            if life.tasks[usize::from(task)].untold && is_known(life, task) {
                self.tell(At { who, task });
            }
        }
    }

    /// An agent reads and reports until nothing is new.
    pub(super) fn round(&mut self, who: Who) {
        let agent = &self.state.life(who).agent;
        if agent.slot.is_none() || !agent.machine.is_claimed() || self.first_read_may_be_old(who) {
            return;
        }
        while self.has_to_read(who) {
            let first = self.state.store.document.is_none();
            self.fetch(who, false, false);
            if first && self.state.store.document.is_none() {
                break;
            }
        }
        if self.has_to_report(who) {
            self.report(who);
        }
    }

    fn commit_all(&mut self, index: usize) {
        for committer in 0..self.state.jobs[index].commits.len() as u8 {
            while !self.state.jobs[index].commits[usize::from(committer)].is_empty() {
                self.commit(index, committer);
            }
        }
    }

    /// Takes a step; returns whether it was one.
    pub(crate) fn act(&mut self, action: Action) -> bool {
        let moved = self.step(action);
        if moved {
            self.keep_up();
        }
        moved
    }

    fn step(&mut self, action: Action) -> bool {
        match action {
            Action::Read(at, partition) => self.read(at, usize::from(partition)),
            Action::Tell(at) => self.tell(at),
            Action::Follow(at) => self.follow(at, false),
            Action::HearJob(who) => self.hear_job(who),
            Action::Claim(who) => self.claim(who),
            Action::Fetch(who) => self.fetch(who, false, false),
            Action::HearDocument(who) => self.hear_document(who),
            Action::Report(who) => self.report(who),
            Action::Decide => return self.decide(None),
            Action::Write(conductor) => self.write(usize::from(conductor)),
            Action::Commit { job, committer } => self.commit(usize::from(job), committer),
            Action::Checkpoint(job) => self.trigger(usize::from(job)),
            Action::Snapshot { job, task } => self.snapshot(usize::from(job), task),
            Action::Reclaim => self.reclaim(),
            Action::EndFormer(job) => self.state.jobs[usize::from(job)].former = None,
            Action::Wait => {
                self.wait();
                self.time_passes();
            }
            Action::Rest => return self.rest(),
            Action::Ask => self.state.asked += 1,
            Action::StartGreen => {
                let start = match self.scenario.start {
                    Start::Savepoint => Some(self.savepoint(0)),
                    Start::Beginning | Start::Snapshot | Start::Never => self.state.jobs[0].completed.clone(),
                };
                self.start_job(GREEN, self.scenario.green, start);
            }
            Action::Retire(job) => self.retire(usize::from(job)),
            Action::ReplaceGreen => {
                self.retire(1);
                self.state.jobs.truncate(1);
                let start = self.state.jobs[0].completed.clone();
                self.start_job(Member::new(Color::Green, 2), self.scenario.green, start);
                self.marks.add_if(true, Mark::Replaced);
            }
            Action::Fault(fault) => return self.fail(fault),
        }
        true
    }

    /// How far event time gets for certain in every subtask; one without an input has none.
    pub(super) fn reached(&self) -> EventTime {
        let inputs = self.scenario.log.len();
        let all = self.state.jobs.iter().all(|job| job.life.tasks.len() <= inputs);
        if all { self.scenario.reached() } else { EventTime::MIN }
    }

    /// Nothing moves any more: whoever is still waited for was not heard, or has not answered.
    fn wait(&mut self) {
        let Some(document) = self.state.store.document.clone() else { return };
        let lives = |member| self.state.jobs.iter().any(|job| job.member == member && !job.stopped);
        if lives(document.active().member) && document.terms().is_some_and(|terms| lives(terms.to)) {
            let answered = properties::nothing_waits_for_a_deadline(&document, self.reached());
            self.must("every cutover ends", answered);
        }
    }

    /// A deadline's worth of wall-clock time.
    pub(super) fn time_passes(&mut self) {
        self.state.now += 1_000;
        self.marks.add_if(true, Mark::DeadlinePassed);
        for job in &mut self.state.jobs {
            for shared in job.life.tasks.iter_mut().filter(|task| task.idle && !task.fresh) {
                *shared = Shared::new(Task { fresh: true, ..Task::clone(shared) });
            }
        }
    }

    /// A member is stopped with a savepoint, and all of its output is committed.
    fn retire(&mut self, index: usize) {
        let member = self.state.jobs[index].member;
        if let Some(document) = self.state.store.document.clone() {
            let owns = properties::stopped_owns_nothing(&document, member);
            self.must("a stopped member owns nothing", owns);
            self.forgo(index, document.settled);
        }
        self.trigger(index);
        for task in 0..self.state.jobs[index].life.tasks.len() as u8 {
            if self.state.jobs[index].pending.is_some() {
                self.snapshot(index, task);
            }
        }
        self.commit_all(index);
        self.state.jobs[index].stopped = true;
        self.marks.add_if(true, Mark::Retired);
    }

    /// What a member has not read when it is stopped, or holds, it will only have met after the settling.
    fn forgo(&mut self, index: usize, settled: EventTime) {
        let life = self.state.jobs[index].life.clone();
        let mut left: Vec<(u8, EventTime)> = Vec::new();
        for (partition, entries) in self.scenario.log.iter().enumerate() {
            let read = usize::from(life.read[partition]).min(entries.len());
            for (index, entry) in entries.iter().enumerate().skip(read) {
                if let Entry::At(time) = entry {
                    let id = self.record_id(partition, index);
                    left.push((id, EventTime::from_millis(*time)));
                }
            }
        }
        for task in &life.tasks {
            left.extend(task.machine.held().map(|held| (held.record.id, held.time)));
        }
        self.ledger(|ledger| {
            for (id, _) in left.into_iter().filter(|(_, time)| *time < settled) {
                let fate = &mut ledger.fates[usize::from(id)];
                (fate.after_settle, fate.late) = (true, true);
                ledger.behind[usize::from(id)] = true;
            }
        });
    }
}
