//! One job: tasks, checkpoints, committers and an agent.

use std::collections::{BTreeMap, VecDeque};

use tidegate_protocol::identity::{CheckpointId, Member};
use tidegate_protocol::member::{Config, Event};
use tidegate_protocol::subtask::{self, Header, Held, Limits};
use tidegate_protocol::time::{EventTime, WallTime};

use super::agent::Agent;
use super::invariants::Violation;
use super::log::{End, Log, Record};
use super::task::{Disposed, Item, Task};

/// What one task leaves in a snapshot.
#[derive(Clone, Debug)]
pub struct Part {
    /// Of the machine.
    pub header: Header,
    /// Of the machine.
    pub held: Vec<Held<Item>>,
    /// Of the source: records read, by partition.
    pub read: BTreeMap<usize, usize>,
    /// Of the writer.
    pub written: Vec<usize>,
    /// Nothing comes out of this task any more.
    pub over: bool,
}

/// A snapshot of all tasks, by gate and subtask.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Its number.
    pub id: CheckpointId,
    /// What the tasks left, by gate and subtask.
    pub parts: BTreeMap<(usize, u32), Part>,
}

/// A checkpoint, and the records that become visible when it is committed.
pub type Committable = (CheckpointId, Vec<usize>);

/// One job.
#[derive(Debug)]
pub struct Job {
    /// Whose it is.
    pub member: Member,
    /// Its agent.
    pub agent: Agent,
    /// The agent of the life before, which may not know yet that it is over.
    pub former: Option<Agent>,
    /// Tasks by gate and subtask.
    pub tasks: BTreeMap<(usize, u32), Task>,
    /// Subtasks of each gate.
    pub parallelism: u32,
    /// How many gates it has.
    pub gates: usize,
    /// Records read, by partition.
    pub read: Vec<usize>,
    /// What it was started from.
    pub start: Option<Checkpoint>,
    /// The last completed checkpoint.
    pub completed: Option<Checkpoint>,
    /// The one that is being taken.
    pub pending: Option<Checkpoint>,
    /// The next one's number.
    pub next: u64,
    /// What the committers are to commit, by gate and committer.
    pub commits: BTreeMap<(usize, u32), VecDeque<Committable>>,
    /// What the committers and the tasks tell the agent, in order.
    pub told: VecDeque<Event>,
    /// Records below this may be late without being behind a watermark, because a subtask has rested.
    pub rested_below: EventTime,
    /// Bounds of its subtasks.
    pub limits: Limits,
    /// For the next life of its agent.
    pub config: Config,
}

/// A gate's name.
pub fn gate_name(gate: usize) -> String {
    ["orders", "refunds"][gate].to_owned()
}

impl Job {
    /// The task that reads a partition.
    pub fn reader(&self, partition: usize) -> (usize, u32) {
        (partition % self.gates, (partition / self.gates) as u32 % self.parallelism)
    }

    /// The partitions of a task.
    pub fn partitions(&self, at: (usize, u32)) -> Vec<usize> {
        (0..self.read.len()).filter(|partition| self.reader(*partition) == at).collect()
    }

    /// The next record that a task can read.
    pub fn next_record(&self, log: &Log, at: (usize, u32), now: u64) -> Option<(usize, Record)> {
        let next = |partition: &usize| log.partitions[*partition].get(self.read[*partition]);
        let readable = |partition: &usize| next(partition).is_some_and(|record| record.available <= now);
        let mut partitions: Vec<usize> = self.partitions(at).into_iter().filter(readable).collect();
        partitions.sort_by_key(|partition| (self.read[*partition] * 7 + *partition * 3) % 5);
        let partition = *partitions.first()?;
        next(&partition).map(|record| (partition, *record))
    }

    /// A task reads one record, if it may and there is one.
    pub fn read_one(
        &mut self,
        log: &Log,
        at: (usize, u32),
        now: u64,
        fast: bool,
    ) -> Result<Vec<Disposed>, Violation> {
        let Some((partition, record)) = self.next_record(log, at, now) else { return Ok(Vec::new()) };
        let task = self.tasks.get_mut(&at).expect("a task of this job");
        if task.machine.is_full() || task.ended {
            return Ok(Vec::new());
        }
        let mut disposed = Vec::new();
        if task.idle {
            task.idle = false;
            // What it missed while it rested.
            let woken = EventTime::from_millis(now as i64 + 1);
            let rested =
                task.machine.status().snapshots.last().is_some_and(|(_, taken)| *taken == EventTime::MAX);
            self.rested_below = self.rested_below.max(if rested { woken } else { EventTime::MIN });
            disposed.extend(task.step(subtask::Event::Idle(false, WallTime::from_millis(now)))?);
        }
        self.read[partition] += 1;
        let time = EventTime::from_millis(record.time);
        let on_time = time >= task.watermark;
        disposed.extend(task.record(Item { id: record.id, time, on_time }, fast)?);
        Ok(disposed)
    }

    /// The source before a task says how far event time is.
    pub fn watermark(&mut self, log: &Log, at: (usize, u32), now: u64) -> Result<Vec<Disposed>, Violation> {
        let (mut lowest, mut over) = (None::<i64>, true);
        for partition in self.partitions(at) {
            let read = self.read[partition];
            let exhausted = read == log.partitions[partition].len();
            over &= exhausted;
            let silent = || log.partitions[partition][read].available > now + 250;
            let top = match (exhausted, log.end) {
                (true, End::Continue) => Some(now as i64 + log.bound),
                (true, End::Idle | End::Finite) => continue,
                (false, _) if log.silences && silent() => continue,
                (false, _) => log.top(partition, read),
            };
            let watermark = top.map_or(i64::MIN, |top| top - log.bound);
            lowest = Some(lowest.map_or(watermark, |lowest| lowest.min(watermark)));
        }
        let task = self.tasks.get_mut(&at).expect("a task of this job");
        if task.ended || task.finished {
            return Ok(Vec::new());
        }
        let wall = WallTime::from_millis(now);
        match lowest {
            None if log.end == End::Finite && over => {
                task.ended = true;
                task.watermark = EventTime::MAX;
                let mut disposed = task.step(subtask::Event::Watermark(EventTime::MAX))?;
                disposed.extend(task.step(subtask::Event::EndOfInput)?);
                Ok(disposed)
            }
            None if !task.idle => {
                task.idle = true;
                task.step(subtask::Event::Idle(true, wall))
            }
            Some(lowest) if EventTime::from_millis(lowest) > task.watermark => {
                task.watermark = EventTime::from_millis(lowest);
                task.step(subtask::Event::Watermark(task.watermark))
            }
            None | Some(_) => Ok(Vec::new()),
        }
    }

    /// A checkpoint begins, unless one is being taken.
    pub fn trigger(&mut self) {
        if self.pending.is_none() {
            let id = CheckpointId(self.next);
            self.next += 1;
            let parts = match &self.completed {
                Some(completed) => {
                    let finished = |at: &(usize, u32)| self.tasks.get(at).is_some_and(|task| task.finished);
                    let mut kept: BTreeMap<_, _> = completed
                        .parts
                        .iter()
                        .filter(|(at, _)| finished(at))
                        .map(|(at, part)| (*at, part.clone()))
                        .collect();
                    kept.values_mut().for_each(|part| {
                        part.header.checkpoint = id;
                        part.written.clear();
                    });
                    kept
                }
                None => BTreeMap::new(),
            };
            self.pending = Some(Checkpoint { id, parts });
        }
    }

    /// A task takes its part of the checkpoint; a waiting one cannot.
    pub fn snapshot(&mut self, at: (usize, u32), now: u64) -> Result<(), Violation> {
        let partitions = self.partitions(at);
        let read: BTreeMap<_, _> =
            partitions.iter().map(|partition| (*partition, self.read[*partition])).collect();
        let task = self.tasks.get_mut(&at).expect("a task of this job");
        let Some(pending) = &mut self.pending else { return Ok(()) };
        if task.machine.is_full() || task.finished || pending.parts.contains_key(&at) {
            return Ok(());
        }
        task.step(subtask::Event::Snapshot(pending.id, WallTime::from_millis(now)))?;
        let header = task.machine.header(pending.id);
        let held = task.machine.held().cloned().collect();
        let written = std::mem::take(&mut task.open);
        let over = task.ended && task.machine.held().len() == 0 && task.machine.current_order().is_some();
        pending.parts.insert(at, Part { header, held, read, written, over });
        task.tell();
        if pending.parts.len() == self.tasks.len() {
            self.complete();
        }
        Ok(())
    }

    fn complete(&mut self) {
        let Some(mut checkpoint) = self.pending.take() else { return };
        for (at, part) in &mut checkpoint.parts {
            let written = std::mem::take(&mut part.written);
            self.commits.entry(*at).or_default().push_back((checkpoint.id, written));
            let task = self.tasks.get_mut(at).expect("a task of this job");
            task.finished |= part.over;
        }
        self.completed = Some(checkpoint);
    }

    /// A committer commits its oldest checkpoint; returns what becomes visible.
    pub fn commit(&mut self, at: (usize, u32)) -> Vec<usize> {
        let Some((checkpoint, records)) = self.commits.get_mut(&at).and_then(VecDeque::pop_front) else {
            return Vec::new();
        };
        self.told.push_back(Event::Committed { gate: gate_name(at.0), subtask: at.1, checkpoint });
        records
    }

    /// Whether nothing is under way any more.
    pub fn is_at_rest(&self, log: &Log) -> bool {
        let all_read =
            (0..self.read.len()).all(|partition| self.read[partition] == log.partitions[partition].len());
        all_read && self.is_empty()
    }

    /// Whether everything that it has read is discarded or visible.
    pub fn is_empty(&self) -> bool {
        let written = self.tasks.values().all(|task| task.open.is_empty() && task.machine.held().len() == 0);
        let taken =
            self.pending.iter().all(|pending| pending.parts.values().all(|part| part.written.is_empty()));
        written && taken && self.commits.values().all(VecDeque::is_empty)
    }
}
