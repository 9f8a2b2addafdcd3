//! What fails: tasks, jobs, messages.

use super::World;
use crate::sim::clock::Clock;
use crate::sim::plan::Size;

impl World {
    pub(super) fn fault(&mut self, index: usize) {
        let at = self.rng.usize(..self.jobs[index].tasks.len());
        match self.rng.u8(..8) {
            0..3 => self.fail_task(index, at),
            3 => self.fail_job(index),
            4..6 => drop(self.jobs[index].tasks[at].up.pop_front()),
            _ => self.lose_order(index, at),
        }
    }

    fn fail_task(&mut self, index: usize, at: usize) {
        if self.jobs[index].tasks[at].finished {
            return;
        }
        self.failed(index, || format!("task {at} is restarted"));
        let lost = self.jobs[index].restart_task(at);
        self.ledger.taken_back(&lost, &mut self.tally);
        self.tally.restored_held += self.jobs[index].tasks[at].machine.held().len() as u64;
    }

    pub(super) fn fail_job(&mut self, index: usize) {
        let (before, width) = (self.jobs[index].parallelism, self.plan.width.max(2));
        let another = self.plan.size == Size::Small || self.rng.u8(..4) == 0;
        let parallelism = if another && self.rng.bool() { self.rng.u32(1..=width) } else { before };
        let clock = if self.plan.skewed { Clock::off(&mut self.rng) } else { Clock::default() };
        let agent = self.rng.bool().then_some(clock);
        let keeps = agent.is_none();
        self.failed(index, || format!("is restarted with {parallelism}, the same agent: {keeps}"));
        let lost = self.jobs[index].restart(parallelism, agent, &self.plan);
        if !keeps && !self.store.former.is_empty() {
            // The next life has read before it claims, while the one before still went on.
            let place = self.rng.usize(..self.store.former.len());
            self.jobs[index].agent.has_read(self.store.former[place].clone());
        }
        self.ledger.taken_back(&lost, &mut self.tally);
        if parallelism != before {
            let held = self.jobs[index].tasks.iter().flat_map(|task| task.machine.held());
            held.for_each(|held| self.ledger.moved(held.record.id));
        }
        let held: usize = self.jobs[index].tasks.iter().map(|task| task.machine.held().len()).sum();
        self.tally.restored_held += held as u64;
        self.tally.rescaled += u64::from(held > 0 && parallelism != before);
    }

    fn failed(&mut self, index: usize, what: impl FnOnce() -> String) {
        self.tally.failed += 1;
        let job = &self.jobs[index];
        let (member, from) = (job.member, job.completed.as_ref().map(|completed| completed.id));
        self.fold(u64::from(job.number));
        self.tell(|| format!("{member} {} from {from:?}", what()));
    }

    /// An order that cannot be delivered fails its task, as Flink sees to.
    fn lose_order(&mut self, index: usize, at: usize) {
        if self.jobs[index].tasks[at].down.pop_front().is_some() {
            self.fail_task(index, at);
        }
    }
}
