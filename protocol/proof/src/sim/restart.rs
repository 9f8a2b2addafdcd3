//! Starting a job, and failing it: one task, or the whole of it with another parallelism and a new agent.

use std::collections::VecDeque;
use std::rc::Rc;

use tidegate_protocol::member::{Config, Event};
use tidegate_protocol::subtask::{Header, Held};
use tidegate_protocol::time::EventTime;

use super::agent::Agent;
use super::clock::Clock;
use super::job::{Checkpoint, Job, gate_name};
use super::log::Log;
use super::plan::Plan;
use super::task::{Item, Task};

impl Job {
    /// A job that starts from a snapshot, or from nothing at the beginning of the log.
    pub fn start(
        number: u8,
        config: Config,
        plan: &Plan,
        parallelism: u32,
        start: Option<Rc<Checkpoint>>,
        log: &Log,
        clock: Clock,
    ) -> Job {
        let mut job = Job {
            number,
            member: config.member,
            agent: Agent::new(config.clone(), clock, vec![false; log.partitions.len()]),
            former: None,
            tasks: Vec::new(),
            parallelism,
            gates: plan.gates,
            read: vec![0; log.partitions.len()],
            start,
            completed: None,
            pending: None,
            next: 1,
            commits: Vec::new(),
            restored: None,
            completing: Vec::new(),
            told: VecDeque::new(),
            rested: vec![EventTime::MIN; log.partitions.len()],
            unordered: vec![EventTime::MIN; log.partitions.len()],
            passed: vec![EventTime::MIN; log.partitions.len()],
            strays: Vec::new(),
            frontiers: vec![EventTime::MIN; log.partitions.len()],
            snapshots: VecDeque::new(),
            sink: plan.sink,
            limits: plan.limits,
            clock,
            lateness_ms: plan.settings.lateness_ms,
            config,
        };
        job.open(plan);
        job
    }

    /// The whole job fails and starts again from its last completed checkpoint: other tasks, perhaps another agent. Returns
    /// what had been written since that checkpoint.
    pub fn restart(&mut self, parallelism: u32, agent: Option<Clock>, plan: &Plan) -> Vec<u32> {
        let mut lost: Vec<u32> = self.tasks.iter_mut().flat_map(|task| task.open.drain(..)).collect();
        let parts = self.pending.take().into_iter().flat_map(|pending| pending.parts);
        lost.extend(parts.flatten().flat_map(|part| part.written));
        self.parallelism = parallelism;
        if let Some(clock) = agent {
            let life = self.config.instance.parse::<u64>().unwrap_or(0) + 1;
            self.config.instance = life.to_string();
            let agent = Agent::new(self.config.clone(), clock, self.agent.rests.clone());
            self.former = Some(std::mem::replace(&mut self.agent, agent));
            self.told.clear();
        }
        self.open(plan);
        lost
    }

    fn open(&mut self, plan: &Plan) {
        self.pending = None;
        let attempt = self.tasks.iter().map(|task| task.attempt + 1).max();
        let attempt = if self.agent.state.is_claimed() { attempt.unwrap_or(0) } else { 0 };
        self.tasks.clear();
        self.strays.clear();
        self.read.fill(0);
        let mut left: Vec<u32> = self.commits.drain(..).flatten().flat_map(|(_, records)| records).collect();
        self.restored = self.completed.as_ref().map(|completed| completed.id);
        for gate in 0..self.gates {
            let (name, parallelism, evidence) = (gate_name(gate), self.parallelism, plan.evidence());
            self.told.push_back(Event::Reset { gate: name.clone() });
            self.told.push_back(Event::GateOpened { gate: name.clone(), parallelism, evidence });
            if plan.evidence() == tidegate_protocol::member::Evidence::Committer {
                self.told.push_back(Event::CommittersOpened { gate: name, parallelism });
            } else if let Some(checkpoint) = self.restored {
                self.told.push_back(Event::CheckpointCompleted { gate: name, checkpoint });
            }
        }
        for at in 0..self.gates * self.parallelism as usize {
            // What was completed is committed by the new committers, who all say so.
            let restored = self.restored.filter(|_| plan.sink == super::plan::Sink::Transactions);
            let queue = restored.map(|checkpoint| (checkpoint, std::mem::take(&mut left)));
            self.commits.push(queue.into_iter().collect());
            let task = self.restored_task(at, attempt);
            self.tasks.push(task);
        }
    }

    /// One task fails and starts again from the last completed checkpoint; the others go on. Returns what it had written
    /// since then.
    pub fn restart_task(&mut self, at: usize) -> Vec<u32> {
        if let Some(pending) = self.pending.take() {
            for (task, part) in self.tasks.iter_mut().zip(pending.parts) {
                // A transaction of a checkpoint that is given up is committed with the next one.
                task.open.splice(0..0, part.into_iter().flat_map(|part| part.written));
            }
        }
        let (gate, subtask) = self.place(at);
        self.told.push_back(Event::SubtaskGone { gate: gate_name(gate), subtask });
        let task = self.restored_task(at, self.tasks[at].attempt + 1);
        let mut failed = std::mem::replace(&mut self.tasks[at], task);
        self.strays.extend(failed.up.pop_back().map(|(attempt, status)| (at, attempt, status)));
        self.tasks[at].up = std::mem::take(&mut failed.up);
        failed.open
    }

    fn restored_task(&mut self, at: usize, attempt: u32) -> Task {
        let (gate, subtask) = self.place(at);
        let partitions = self.partitions(at);
        let (mut headers, mut held): (Vec<Header>, Vec<Held<Item>>) = (Vec::new(), Vec::new());
        if let Some(from) = self.completed.as_ref().or(self.start.as_ref()) {
            let width = from.parallelism as usize;
            let parts = from.parts[gate * width..(gate + 1) * width].iter().flatten();
            for (index, part) in parts.enumerate() {
                headers.push(part.header);
                if index as u32 % self.parallelism == subtask {
                    held.extend(part.held.iter().cloned());
                }
            }
            partitions.iter().for_each(|partition| self.read[*partition] = from.read[*partition]);
        } else {
            partitions.iter().for_each(|partition| self.read[*partition] = 0);
        }
        let mut task = Task::new(self.member, self.limits, attempt, &headers, held);
        task.partitions = partitions;
        let (gate, parallelism) = (gate_name(gate), self.parallelism);
        self.told.push_back(Event::SubtaskReady { gate, subtask, attempt, parallelism });
        task
    }
}
