//! Starting a job, and failing it: one task, or the whole of it with another parallelism and a new agent.

use std::collections::{BTreeMap, VecDeque};

use tidegate_protocol::identity::Member;
use tidegate_protocol::member::{Config, Event, Evidence};
use tidegate_protocol::subtask::{Header, Held, Limits};
use tidegate_protocol::time::EventTime;

use super::agent::Agent;
use super::job::{Checkpoint, Job, gate_name};
use super::log::Log;
use super::task::{Item, Task};

impl Job {
    /// A job that starts from a snapshot, or from nothing at the beginning of the log.
    pub fn start(
        member: Member,
        config: Config,
        limits: Limits,
        parallelism: u32,
        start: Option<Checkpoint>,
        log: &Log,
    ) -> Job {
        let mut job = Job {
            member,
            agent: Agent::new(config.clone()),
            former: None,
            tasks: BTreeMap::new(),
            parallelism,
            gates: config.gates.len(),
            read: vec![0; log.partitions.len()],
            start,
            completed: None,
            pending: None,
            next: 1,
            commits: BTreeMap::new(),
            told: VecDeque::new(),
            rested_below: EventTime::MIN,
            limits,
            config,
        };
        job.open();
        job
    }

    /// The whole job fails and starts again from its last completed checkpoint: other tasks, another agent.
    pub fn restart(&mut self, parallelism: u32, keep_agent: bool) {
        self.parallelism = parallelism;
        if !keep_agent {
            let life = self.config.instance.parse::<u64>().unwrap_or(0) + 1;
            self.config.instance = life.to_string();
            self.former = Some(std::mem::replace(&mut self.agent, Agent::new(self.config.clone())));
            self.told.clear();
        }
        self.open();
    }

    fn open(&mut self) {
        self.pending = None;
        let attempt = self.tasks.values().map(|task| task.attempt + 1).max();
        let attempt = if self.agent.state.is_claimed() { attempt.unwrap_or(0) } else { 0 };
        self.tasks.clear();
        self.read.fill(0);
        for gate in 0..self.gates {
            let (name, parallelism) = (gate_name(gate), self.parallelism);
            self.told.push_back(Event::Reset { gate: name.clone() });
            let evidence = Evidence::Committer;
            self.told.push_back(Event::GateOpened { gate: name.clone(), parallelism, evidence });
            self.told.push_back(Event::CommittersOpened { gate: name, parallelism });
            self.reopen_committers(gate);
            for subtask in 0..self.parallelism {
                self.restore((gate, subtask), attempt);
            }
        }
    }

    /// What was completed is committed by the new committers, who all say so.
    fn reopen_committers(&mut self, gate: usize) {
        let mut left: Vec<usize> = Vec::new();
        self.commits.retain(|at, queue| {
            if at.0 == gate {
                left.extend(queue.drain(..).flat_map(|(_, records)| records));
            }
            at.0 != gate
        });
        let Some(checkpoint) = self.completed.as_ref().map(|completed| completed.id) else { return };
        for subtask in 0..self.parallelism {
            let records = std::mem::take(&mut left);
            self.commits.insert((gate, subtask), VecDeque::from([(checkpoint, records)]));
        }
    }

    /// One task fails and starts again from the last completed checkpoint; the others go on.
    pub fn restart_task(&mut self, at: (usize, u32)) {
        if let Some(pending) = self.pending.take() {
            for (other, part) in pending.parts {
                // A transaction of a checkpoint that is given up is committed with the next one.
                self.tasks.get_mut(&other).expect("a task of this job").open.splice(0..0, part.written);
            }
        }
        let attempt = self.tasks[&at].attempt + 1;
        self.told.push_back(Event::SubtaskGone { gate: gate_name(at.0), subtask: at.1 });
        self.restore(at, attempt);
    }

    fn restore(&mut self, at: (usize, u32), attempt: u32) {
        let from = self.completed.as_ref().or(self.start.as_ref());
        let of_gate = |checkpoint: &Checkpoint| -> Vec<_> {
            checkpoint.parts.iter().filter(|(part, _)| part.0 == at.0).map(|(_, part)| part.clone()).collect()
        };
        let parts = from.map(of_gate).unwrap_or_default();
        let headers: Vec<Header> = parts.iter().map(|part| part.header).collect();
        for partition in self.partitions(at) {
            let read = parts.iter().find_map(|part| part.read.get(&partition));
            self.read[partition] = read.copied().unwrap_or(0);
        }
        let mut held: Vec<Held<Item>> = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            let mine = index as u32 % self.parallelism == at.1;
            held.extend(part.held.into_iter().filter(|_| mine));
        }
        let old = self.tasks.remove(&at);
        let mut task = Task::new(self.member, self.limits, attempt, &headers, held);
        if let Some(old) = old {
            task.up = old.up;
        }
        self.tasks.insert(at, task);
        self.told.push_back(Event::SubtaskReady {
            gate: gate_name(at.0),
            subtask: at.1,
            attempt,
            parallelism: self.parallelism,
        });
    }
}
