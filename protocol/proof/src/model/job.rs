//! A job's checkpoints and committers, its failures, and the start of its lives.

use std::collections::VecDeque;

use tidegate_protocol::identity::{CheckpointId, Member};
use tidegate_protocol::member::Event as MemberEvent;
use tidegate_protocol::subtask::{Event, Header, Held, Limits, Subtask};
use tidegate_protocol::time::EventTime;

use super::run::Run;
use super::scenario::{Mark, Sink};
use super::shared::{Own, Shared};
use super::state::{Agent, At, Checkpoint, Item, Job, Life, Part, Task, Told, Who, gate_name};
use super::task::MAX_AHEAD;

impl Run<'_> {
    /// A job that starts from a snapshot, or from nothing at the beginning of the log.
    pub(super) fn start_job(&mut self, member: Member, parallelism: u8, start: Option<Shared<Checkpoint>>) {
        let agent = Shared::new(Agent::new(self.config(member, 0)));
        let life = Life {
            agent,
            tasks: Vec::new(),
            parallelism,
            read: vec![0; self.scenario.log.len()],
            told: VecDeque::new(),
            stray: None,
        };
        self.state.jobs.push(Own::new(Job {
            member,
            life,
            former: None,
            lives: 0,
            start,
            completed: None,
            pending: None,
            next: 1,
            commits: Vec::new(),
            wanted: false,
            stopped: false,
            failures: 0,
            rested: 0,
            pinned: None,
        }));
        self.open(self.state.jobs.len() - 1, 0);
    }

    /// All tasks of a life are started.
    fn open(&mut self, index: usize, attempt: u32) {
        let scenario = self.scenario;
        let job = &mut *self.state.jobs[index];
        let count = scenario.gates * job.life.parallelism;
        job.pending = None;
        job.life.stray = None;
        job.life.told.push_back(Told::Opened);
        reopen_committers(job, usize::from(scenario.gates), usize::from(job.life.parallelism));
        if scenario.sink == Sink::AtLeastOnce {
            job.commits.clear();
        }
        job.life.tasks.clear();
        for task in 0..count {
            let task = self.restored(index, task, attempt);
            self.state.jobs[index].life.tasks.push(Shared::new(task));
        }
    }

    /// A task as the last completed checkpoint has it, or what the job was started from.
    fn restored(&mut self, index: usize, task: u8, attempt: u32) -> Task {
        let gates = self.scenario.gates;
        let job = &mut *self.state.jobs[index];
        let (gate, subtask) = job.life.place(task);
        let from = job.completed.clone().or_else(|| job.start.clone());
        let parts: Vec<Shared<Part>> = from
            .iter()
            .flat_map(|checkpoint| checkpoint.parts.iter().flatten())
            .filter(|part| part.gate == gate)
            .cloned()
            .collect();
        let headers: Vec<Header> = parts.iter().map(|part| part.header).collect();
        for partition in 0..job.life.read.len() {
            if job.life.reader(gates, partition) == usize::from(task) {
                let mut read = parts.iter().flat_map(|part| part.read.iter());
                let read = read.find(|(of, _)| usize::from(*of) == partition);
                let read = read.map_or(0, |(_, read)| *read);
                // What comes after the log comes once more where the watermark may have fallen back: to a job that starts there,
                // and to one with another parallelism.
                let own = job.completed.is_some() && parts.len() == usize::from(job.life.parallelism);
                let most = if own { u8::MAX } else { self.scenario.log[partition].len() as u8 };
                job.life.read[partition] = read.min(most);
            }
        }
        let parallelism = usize::from(job.life.parallelism);
        let mine = |position: usize| position % parallelism == subtask as usize;
        let held: Vec<Held<Item>> = parts
            .iter()
            .enumerate()
            .filter(|(position, _)| mine(*position))
            .flat_map(|(_, part)| part.held.iter().cloned())
            .collect();
        self.marks.add_if(!held.is_empty(), Mark::HeldRestored);
        self.marks.add_if(!held.is_empty() && parts.len() != parallelism, Mark::HeldMoved);
        let limits = Limits {
            hold_records: self.scenario.hold,
            hold_bytes: u64::MAX,
            max_ahead_ms: self.scenario.has_far_records().then_some(MAX_AHEAD),
            idle_after_ms: 500,
        };
        let machine = Subtask::new(job.member, limits, &headers, held).expect("headers of one snapshot");
        let watermark = machine.status().watermark;
        Task {
            machine,
            attempt,
            open: Vec::new(),
            down: VecDeque::new(),
            kept: None,
            settled: EventTime::MIN,
            watermark,
            forwarded: EventTime::MIN,
            idle: false,
            ended: false,
            finished: false,
            untold: true,
            fresh: true,
        }
    }

    /// One task fails and starts again from the last completed checkpoint; the others go on.
    pub(super) fn restart_task(&mut self, at: At) {
        let index = usize::from(at.who.job);
        let job = &mut *self.state.jobs[index];
        job.failures = job.failures.saturating_add(1);
        if let Some(pending) = job.pending.take() {
            for (other, part) in pending.parts.iter().enumerate() {
                // A transaction of a checkpoint that is given up is committed with the next one.
                if let Some(part) = part.as_ref().filter(|part| !part.written.is_empty()) {
                    let mut task = Task::clone(&job.life.tasks[other]);
                    task.open.splice(0..0, part.written.iter().copied());
                    task.fresh = true;
                    job.life.tasks[other] = Shared::new(task);
                }
            }
        }
        let attempt = job.life.tasks[usize::from(at.task)].attempt + 1;
        job.life.told.extend([Told::Gone(at.task), Told::Ready(at.task)]);
        let task = self.restored(index, at.task, attempt);
        self.state.put(at, task);
    }

    /// The whole job fails and starts again from its last completed checkpoint. Under a new agent, execution attempts count
    /// from 0 again, and the life before goes on for a while.
    pub(super) fn restart_job(&mut self, index: usize, parallelism: u8, new_agent: bool) {
        let config = self.config(self.state.jobs[index].member, self.state.jobs[index].lives + 1);
        let zombies = self.scenario.zombies;
        let job = &mut *self.state.jobs[index];
        job.failures = job.failures.saturating_add(1);
        let mut attempt = job.life.tasks.iter().map(|task| task.attempt + 1).max().unwrap_or(0);
        if new_agent {
            attempt = 0;
            job.lives += 1;
            let mut former = job.life.clone();
            former.told.clear();
            if !zombies {
                former.tasks.clear();
            }
            job.former = Some(former);
            job.life.agent = Shared::new(Agent::new(config));
            job.life.told.clear();
            job.wanted = false;
        }
        job.life.parallelism = parallelism;
        self.open(index, attempt);
    }

    /// A checkpoint begins.
    pub(super) fn trigger(&mut self, index: usize) {
        let job = &mut *self.state.jobs[index];
        let id = CheckpointId(job.next);
        job.next += 1;
        let kept = |task: usize| {
            let part = job.completed.as_ref()?.parts.get(task)?.as_ref()?;
            let mut part = Part::clone(part);
            part.header.checkpoint = id;
            job.life.tasks[task].finished.then(|| Shared::new(part))
        };
        let parts = (0..job.life.tasks.len()).map(kept).collect();
        job.pending = Some(Checkpoint { id, parts });
        job.wanted = false;
        if !self.scenario.split {
            for task in 0..self.state.jobs[index].life.tasks.len() {
                self.snapshot(index, task as u8);
            }
        }
    }

    /// A task takes its part of the checkpoint.
    pub(super) fn snapshot(&mut self, index: usize, task: u8) {
        let at = At { who: Who { job: index as u8, former: false }, task };
        let Some(id) = self.state.jobs[index].pending.as_ref().map(|pending| pending.id) else { return };
        if self.state.task(at).finished {
            return;
        }
        let mut written = Task::clone(self.state.task(at));
        let items = std::mem::take(&mut written.open);
        written.fresh = false;
        self.state.put(at, written);
        let taken = Part { written: items, ..self.leave(at, id) };
        let pending = self.state.jobs[index].pending.as_mut().expect("looked at above");
        pending.parts[usize::from(task)] = Some(Shared::new(taken));
        if pending.parts.iter().all(Option::is_some) {
            self.complete(index);
        }
    }

    /// A savepoint: blue goes on as if there were none, and what it has written is committed with its next checkpoint.
    pub(super) fn savepoint(&mut self, index: usize) -> Shared<Checkpoint> {
        let job = &mut *self.state.jobs[index];
        let id = CheckpointId(job.next);
        job.next += 1;
        let tasks = 0..job.life.tasks.len() as u8;
        let who = Who { job: index as u8, former: false };
        let parts = tasks.map(|task| Some(Shared::new(self.leave(At { who, task }, id)))).collect();
        Shared::new(Checkpoint { id, parts })
    }

    /// What a task leaves in a snapshot, what it has written apart.
    fn leave(&mut self, at: At, id: CheckpointId) -> Part {
        let (index, task) = (usize::from(at.who.job), at.task);
        let mut part = Task::clone(self.state.task(at));
        self.step_task(at, &mut part, Event::Snapshot(id, self.wall()));
        let rests =
            part.idle && part.machine.status().snapshots.last().is_some_and(|(_, f)| *f == EventTime::MAX);
        self.marks.add_if(rests, Mark::Rested);
        let gates = self.scenario.gates;
        let job = &mut *self.state.jobs[index];
        let mut read = Vec::new();
        for partition in 0..job.life.read.len() {
            if job.life.reader(gates, partition) == usize::from(task) {
                read.push((partition as u8, job.life.read[partition]));
                job.rested |= u8::from(rests) << partition;
            }
        }
        let taken = Part {
            gate: job.life.place(task).0,
            header: part.machine.header(id),
            held: part.machine.held().cloned().collect(),
            read,
            written: Vec::new(),
            over: part.ended && part.machine.held().len() == 0 && part.machine.current_order().is_some(),
        };
        part.untold = true;
        self.state.put(at, part);
        taken
    }

    fn complete(&mut self, index: usize) {
        let exactly_once = self.scenario.sink != Sink::AtLeastOnce;
        let job = &mut *self.state.jobs[index];
        let Some(mut checkpoint) = job.pending.take() else { return };
        for (task, slot) in checkpoint.parts.iter_mut().enumerate() {
            let Some(shared) = slot else { continue };
            let mut part = Part::clone(shared);
            let written = std::mem::take(&mut part.written);
            if exactly_once {
                job.commits[task].push_back((checkpoint.id, written));
            }
            if part.over && !job.life.tasks[task].finished {
                let mut finished = Task::clone(&job.life.tasks[task]);
                finished.finished = true;
                job.life.tasks[task] = Shared::new(finished);
                self.marks.add_if(true, Mark::Finished);
            }
            *slot = Some(Shared::new(part));
        }
        let id = checkpoint.id;
        job.completed = Some(Shared::new(checkpoint));
        let who = Who { job: index as u8, former: false };
        for gate in 0..self.scenario.gates {
            self.tell_agent(who, MemberEvent::CheckpointCompleted { gate: gate_name(gate), checkpoint: id });
        }
    }

    /// A committer commits its oldest checkpoint.
    pub(super) fn commit(&mut self, index: usize, committer: u8) {
        let who = Who { job: index as u8, former: false };
        let queue = &mut self.state.jobs[index].commits[usize::from(committer)];
        let Some((checkpoint, records)) = queue.pop_front() else { return };
        self.marks.add_if(!queue.is_empty(), Mark::CommittedLate);
        for item in records {
            self.show(At { who, task: committer }, item);
        }
        let (gate, subtask) = self.state.jobs[index].life.place(committer);
        self.tell_agent(who, MemberEvent::Committed { gate: gate_name(gate), subtask, checkpoint });
    }
}

/// What was completed is committed by the new committers, who all say so.
fn reopen_committers(job: &mut Job, gates: usize, parallelism: usize) {
    let old = std::mem::take(&mut job.commits);
    job.commits = vec![VecDeque::new(); gates * parallelism];
    let Some(checkpoint) = job.completed.as_ref().map(|completed| completed.id) else { return };
    let share = old.len() / gates;
    for gate in 0..gates {
        let of_gate = old.iter().skip(gate * share).take(share).flatten();
        let mut left: Vec<Item> = of_gate.flat_map(|(_, records)| records.iter().copied()).collect();
        for committer in 0..parallelism {
            let records = std::mem::take(&mut left);
            job.commits[gate * parallelism + committer].push_back((checkpoint, records));
        }
    }
}
