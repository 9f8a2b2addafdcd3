//! One job: tasks, checkpoints, committers and an agent.

use std::collections::VecDeque;
use std::rc::Rc;

use tidegate_protocol::identity::{CheckpointId, Member};
use tidegate_protocol::member::{Config, Event};
use tidegate_protocol::subtask::{self, Header, Held, Limits, Status};
use tidegate_protocol::time::{EventTime, WallTime};

use super::agent::Agent;
use super::clock::Clock;
use super::log::{End, Log, Record, Stamp};
use super::plan::Sink;
use super::task::{Disposed, Item, Task};
use crate::properties::Violation;

/// What one task leaves in a snapshot.
#[derive(Clone, Debug)]
pub struct Part {
    /// Of the machine.
    pub header: Header,
    /// Of the machine.
    pub held: Vec<Held<Item>>,
    /// Of the writer.
    pub written: Vec<u32>,
    /// Nothing comes out of this task any more.
    pub over: bool,
}

/// A snapshot of all tasks.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its number.
    pub id: CheckpointId,
    /// What the tasks left, by gate and subtask; none of a task that was not asked yet.
    pub parts: Vec<Option<Part>>,
    /// Subtasks of each gate then.
    pub parallelism: u32,
    /// Of the sources: records read, by partition.
    pub read: Vec<usize>,
    /// It commits nothing, and its job never recovers from it.
    pub savepoint: bool,
}

/// A checkpoint, and the records that become visible when it is committed.
pub type Committable = (CheckpointId, Vec<u32>);

/// One job.
#[derive(Debug)]
pub struct Job {
    /// Counts the jobs of a world.
    pub number: u8,
    /// Whose it is.
    pub member: Member,
    /// Its agent.
    pub agent: Agent,
    /// The agent of the life before, which may not know yet that it is over.
    pub former: Option<Agent>,
    /// Tasks, gate by gate.
    pub tasks: Vec<Task>,
    /// Subtasks of each gate.
    pub parallelism: u32,
    /// How many gates it has.
    pub gates: usize,
    /// Records read, by partition.
    pub read: Vec<usize>,
    /// What it was started from.
    pub start: Option<Rc<Checkpoint>>,
    /// The last completed checkpoint.
    pub completed: Option<Rc<Checkpoint>>,
    /// The one that is being taken.
    pub pending: Option<Checkpoint>,
    /// The next one's number.
    pub next: u64,
    /// What the committers are to commit, gate by gate.
    pub commits: Vec<VecDeque<Committable>>,
    /// The checkpoint that it was restored from, whose output is committed before any later one's.
    pub restored: Option<CheckpointId>,
    /// What became visible because a checkpoint is complete.
    pub completing: Vec<u32>,
    /// What the committers and the tasks tell the agent, in order.
    pub told: VecDeque<Event>,
    /// Records below this are late without being behind a watermark, by partition: its task rested when they were settled
    /// (DESIGN 3: what is read after *settle*; DESIGN 4, Finishing: its frontier counts as the end of time).
    pub rested: Vec<EventTime>,
    /// `ordered` does not cover records below this, by partition: its task rested when that boundary was finished (DESIGN 4,
    /// Finishing).
    pub unordered: Vec<EventTime>,
    /// The highest watermark under which a snapshot was taken, by partition: below it a record is late, though after a failure
    /// its task has the lowest watermark of all again (DESIGN 4, Holding).
    pub passed: Vec<EventTime>,
    /// Statuses of former execution attempts that are still on their way.
    pub strays: Vec<(usize, u32, Status)>,
    /// Everything below this is committed, by partition, as the agent has told.
    pub frontiers: Vec<EventTime>,
    /// The last snapshots that were completed, newest last, savepoints too; the old ones are nothing to recover from.
    pub snapshots: VecDeque<Rc<Checkpoint>>,
    /// What stands behind its gates.
    pub sink: Sink,
    /// Bounds of its subtasks.
    pub limits: Limits,
    /// What its tasks take for the time.
    pub clock: Clock,
    /// How far behind the watermark a record may be and still count.
    pub lateness_ms: i64,
    /// For the next life of its agent.
    pub config: Config,
}

/// Records that are read in one go.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// Which partition is looked at first.
    pub partition: usize,
    /// How many at most.
    pub records: usize,
    /// On the fast path, where the lease allows it.
    pub fast: bool,
}

/// See decision 31.
const DAY_MS: i64 = 86_400_000;
/// How many snapshots are kept for those who start from an old one.
const SNAPSHOTS: usize = 6;

/// A gate's name.
pub fn gate_name(gate: usize) -> String {
    ["orders", "refunds"][gate].to_owned()
}

impl Job {
    /// The gate and the index of a task.
    pub fn place(&self, at: usize) -> (usize, u32) {
        (at / self.parallelism as usize, at as u32 % self.parallelism)
    }

    /// The partitions of a task.
    pub fn partitions(&self, at: usize) -> Vec<usize> {
        let (gates, parallelism) = (self.gates, self.parallelism as usize);
        let reader = |partition: usize| partition % gates * parallelism + partition / gates % parallelism;
        (0..self.read.len()).filter(|partition| reader(*partition) == at).collect()
    }

    /// A task reads some records of one of its partitions, if it may and there are any.
    pub fn read(
        &mut self,
        log: &Log,
        at: usize,
        burst: Burst,
        now: u64,
        out: &mut Vec<Disposed>,
    ) -> Result<(), Violation> {
        let partitions = &self.tasks[at].partitions;
        let readable = |partition: usize| {
            log.partitions[partition]
                .records
                .get(self.read[partition])
                .is_some_and(|next| next.available <= now)
        };
        let many = partitions.len();
        let mut order = (0..many).map(|offset| partitions[(burst.partition + offset) % many]);
        let Some(partition) = order.find(|partition| readable(*partition)) else { return Ok(()) };
        let wall = self.clock.at(now);
        self.tasks[at].step(subtask::Event::Clock(wall), out)?;
        for _ in 0..burst.records {
            let task = &self.tasks[at];
            let next = log.partitions[partition].records.get(self.read[partition]);
            let Some(record) = next.filter(|next| next.available <= now) else { break };
            if task.machine.is_full() || task.ended {
                break;
            }
            if task.idle {
                self.wake(at, now, out)?;
            }
            self.read[partition] += 1;
            let item = self.item(at, partition, record, wall);
            self.tasks[at].record(item, burst.fast, out)?;
        }
        Ok(())
    }

    /// What the watermark has been at a partition, as its reader had it: also before a failure.
    pub fn watermark_of(&self, partition: usize) -> EventTime {
        let reader = self.tasks.iter().find(|task| task.partitions.contains(&partition));
        reader.map_or(EventTime::MIN, |task| task.watermark).max(self.passed[partition])
    }

    fn item(&self, at: usize, partition: usize, record: &Record, wall: WallTime) -> Item {
        let (time, watermark) = (EventTime::from_millis(record.time), self.tasks[at].watermark);
        let passed = watermark.max(self.passed[partition]);
        let late = time < passed.plus(-self.lateness_ms) || time < self.rested[partition];
        let far = match (self.limits.max_ahead_ms, watermark > EventTime::MIN) {
            (Some(ahead), true) => time > watermark.plus(ahead),
            (_, known) => {
                let above = |since: EventTime| time > since.plus(DAY_MS);
                above(EventTime::from(wall)) && (!known || above(watermark))
            }
        };
        Item { id: record.id, time, stamp: record.stamp, on_time: time >= passed, late, far }
    }

    fn wake(&mut self, at: usize, now: u64, out: &mut Vec<Disposed>) -> Result<(), Violation> {
        let wall = self.clock.at(now);
        self.tasks[at].idle = false;
        self.tasks[at].step(subtask::Event::Idle(false, wall), out)
    }

    /// A cutover from this job is finished, by a report in which these partitions rested: such a task has no frontier, what it
    /// still emits below the boundary is its own, and `ordered` does not cover it (DESIGN 4, Finishing). Of every other one
    /// everything below the boundary is committed. Returns whether any rested.
    pub fn finished(&mut self, boundary: EventTime, rests: &[bool]) -> bool {
        for (partition, rests) in rests.iter().enumerate() {
            let bound = if *rests { &mut self.unordered } else { &mut self.frontiers };
            bound[partition] = bound[partition].max(boundary);
        }
        rests.contains(&true)
    }

    /// A part is settled, by a report in which these partitions rested: what they have still to read of it comes after
    /// *settle* (DESIGN 3). Returns whether any rested.
    pub fn settled(&mut self, settled: EventTime, rests: &[bool]) -> bool {
        for (rested, _) in self.rested.iter_mut().zip(rests).filter(|(_, rests)| **rests) {
            *rested = settled.max(*rested);
        }
        rests.contains(&true)
    }

    /// The agent tells a frontier: everything below it is committed, but for what tasks that rest have still to read.
    pub fn reported(&mut self, frontier: EventTime) {
        for (reached, rests) in self.frontiers.iter_mut().zip(&self.agent.rests) {
            *reached = if *rests { *reached } else { frontier.max(*reached) };
        }
    }

    /// The agent is told a status, and knows by it whether a task rests; not so one that it does not expect yet. As long as
    /// it has not been told of a new execution attempt, it goes by the former one.
    pub fn heard(&mut self, at: usize, attempt: u32, status: &Status) {
        let newest = self.tasks[at].attempt == attempt;
        let unknown = |event: &Event| matches!(event, Event::SubtaskReady { .. } | Event::Reset { .. });
        if newest && !status.idle && self.told.iter().any(unknown) {
            return;
        }
        let (gate, index) = self.place(at);
        let next = self.told.iter().find_map(|event| {
            let Event::SubtaskReady { gate: name, subtask, attempt, .. } = event else { return None };
            (*name == gate_name(gate) && *subtask == index).then_some(*attempt)
        });
        if !newest && next != attempt.checked_add(1) {
            return;
        }
        let rests = status.snapshots.last().is_some_and(|(_, taken)| *taken == EventTime::MAX);
        for partition in &self.tasks[at].partitions {
            let rested = &mut self.agent.rests[*partition];
            *rested = status.idle && (*rested || (rests && status.held == 0));
        }
    }

    /// The source before a task says how far event time is.
    pub fn watermark(
        &mut self,
        log: &Log,
        at: usize,
        now: u64,
        out: &mut Vec<Disposed>,
    ) -> Result<(), Violation> {
        if self.tasks[at].ended || self.tasks[at].finished {
            return Ok(());
        }
        let (lowest, over) = self.lowest(log, at, now);
        let (wall, task) = (self.clock.at(now), &mut self.tasks[at]);
        match lowest {
            None if log.end == End::Finite && over => {
                task.ended = true;
                task.watermark = EventTime::MAX;
                task.step(subtask::Event::Watermark(EventTime::MAX), out)?;
                task.step(subtask::Event::EndOfInput, out)
            }
            None if !task.idle => {
                task.idle = true;
                task.step(subtask::Event::Idle(true, wall), out)
            }
            Some(lowest) if EventTime::from_millis(lowest) > task.watermark => {
                task.watermark = EventTime::from_millis(lowest);
                task.step(subtask::Event::Watermark(task.watermark), out)
            }
            None | Some(_) => Ok(()),
        }
    }

    /// The lowest watermark of the partitions that are not silent, and whether all of them are read to their ends.
    fn lowest(&self, log: &Log, at: usize, now: u64) -> (Option<i64>, bool) {
        let (mut lowest, mut over) = (None::<i64>, true);
        for partition in &self.tasks[at].partitions {
            let records = &log.partitions[*partition].records;
            let read = self.read[*partition];
            let exhausted = read == records.len();
            over &= exhausted;
            let top = match (exhausted, log.end) {
                (true, End::Continue) => Some(now as i64 + log.bound),
                (true, End::Idle | End::Finite) => continue,
                (false, _) if log.silences && records[read].available > now + 250 => continue,
                (false, _) => log.top(*partition, read),
            };
            let watermark = top.map_or(i64::MIN, |top| top - log.bound);
            lowest = Some(lowest.map_or(watermark, |lowest| lowest.min(watermark)));
        }
        (lowest, over)
    }

    /// A checkpoint begins, unless one is being taken.
    pub fn trigger(&mut self) {
        self.begin(false);
    }

    /// A savepoint begins, unless a checkpoint is being taken.
    pub fn savepoint(&mut self) {
        self.begin(true);
    }

    fn begin(&mut self, savepoint: bool) {
        if self.pending.is_some() {
            return;
        }
        let id = CheckpointId(self.next);
        self.next += 1;
        let kept = |at: usize| -> Option<Part> {
            let task = self.tasks.get(at).filter(|task| task.finished)?;
            let part = self.completed.as_ref()?.parts.get(at)?.as_ref()?;
            debug_assert!(task.ended);
            let header = Header { checkpoint: id, ..part.header };
            Some(Part { header, written: Vec::new(), held: part.held.clone(), over: part.over })
        };
        let parts = (0..self.tasks.len()).map(kept).collect();
        let (parallelism, read) = (self.parallelism, self.read.clone());
        self.pending = Some(Checkpoint { id, parts, parallelism, read, savepoint });
    }

    /// A task takes its part of the checkpoint; a waiting one cannot.
    pub fn snapshot(&mut self, at: usize, now: u64, out: &mut Vec<Disposed>) -> Result<(), Violation> {
        let wall = self.clock.at(now);
        let task = &mut self.tasks[at];
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if task.machine.is_full() || task.finished || pending.parts[at].is_some() {
            return Ok(());
        }
        task.step(subtask::Event::Snapshot(pending.id, wall), out)?;
        if task.has_rested() && task.machine.held().len() == 0 {
            task.partitions.iter().for_each(|partition| self.agent.rests[*partition] = true);
        }
        let header = task.machine.header(pending.id);
        let held = task.machine.held().cloned().collect();
        let written = if pending.savepoint { Vec::new() } else { std::mem::take(&mut task.open) };
        let over = task.ended
            && !pending.savepoint
            && task.machine.held().len() == 0
            && task.machine.current_order().is_some();
        pending.parts[at] = Some(Part { header, held, written, over });
        for partition in &task.partitions {
            pending.read[*partition] = self.read[*partition];
            self.passed[*partition] = self.passed[*partition].max(task.watermark);
        }
        task.tell();
        if pending.parts.iter().all(Option::is_some) {
            self.complete();
        }
        Ok(())
    }

    fn complete(&mut self) {
        let Some(mut checkpoint) = self.pending.take() else { return };
        if checkpoint.savepoint {
            return self.keep(Rc::new(checkpoint));
        }
        for (at, part) in checkpoint.parts.iter_mut().enumerate() {
            let Some(part) = part else { continue };
            self.tasks[at].finished |= part.over;
            let written = std::mem::take(&mut part.written);
            match self.sink {
                Sink::Transactions => self.commits[at].push_back((checkpoint.id, written)),
                Sink::AtCheckpoint => self.completing.extend(written),
                Sink::AtOnce => {}
            }
        }
        // Flink tells this first, whatever stands behind the gate: committers hear of it later, if they do.
        for gate in 0..self.gates {
            let (gate, checkpoint) = (gate_name(gate), checkpoint.id);
            self.told.push_back(Event::CheckpointCompleted { gate, checkpoint });
        }
        let checkpoint = Rc::new(checkpoint);
        self.completed = Some(checkpoint.clone());
        self.keep(checkpoint);
    }

    fn keep(&mut self, snapshot: Rc<Checkpoint>) {
        self.snapshots.push_back(snapshot);
        if self.snapshots.len() > SNAPSHOTS {
            self.snapshots.pop_front();
        }
    }

    /// A committer commits its oldest checkpoint, but not the newest one where it is `behind`; returns what becomes visible.
    /// Where it `fails`, it has committed and does not know it: it will try again.
    pub fn commit(&mut self, at: usize, behind: bool, fails: bool) -> Vec<u32> {
        let Some((first, _)) = self.commits[at].front() else { return Vec::new() };
        let restored = |queue: &VecDeque<Committable>| {
            queue.front().is_some_and(|(checkpoint, _)| Some(*checkpoint) == self.restored)
        };
        if Some(*first) != self.restored && self.commits.iter().any(restored) {
            return Vec::new();
        }
        let newest = self.commits[at].len() == 1 && Some(*first) != self.restored;
        if behind && newest && self.tasks.iter().any(|task| !task.finished) {
            return Vec::new();
        }
        if let Some((_, records)) = self.commits[at].front_mut().filter(|_| fails) {
            return std::mem::take(records);
        }
        let Some((checkpoint, records)) = self.commits[at].pop_front() else { return Vec::new() };
        let (gate, subtask) = self.place(at);
        self.told.push_back(Event::Committed { gate: gate_name(gate), subtask, checkpoint });
        records
    }

    /// Whether nothing is under way any more.
    pub fn is_at_rest(&self, log: &Log) -> bool {
        let mut all = self.read.iter().zip(&log.partitions);
        all.all(|(read, partition)| *read == partition.records.len()) && self.is_empty()
    }

    /// Whether everything that it has read is discarded or visible.
    pub fn is_empty(&self) -> bool {
        let written = self.tasks.iter().all(|task| task.open.is_empty() && task.machine.held().len() == 0);
        let mut parts = self.pending.iter().flat_map(|pending| pending.parts.iter().flatten());
        written
            && self.completing.is_empty()
            && parts.all(|part| part.written.is_empty())
            && self.commits.iter().all(VecDeque::is_empty)
    }
}

impl Record {
    /// Whether its time can be used, so that the guarantee covers it.
    pub fn is_covered(&self) -> bool {
        self.stamp == Stamp::Time
    }
}
