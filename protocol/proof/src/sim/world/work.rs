//! What goes on in the jobs: records, watermarks, snapshots, commits, statuses and orders.

use tidegate_protocol::member::Event;

use super::World;
use crate::properties::Violation;
use crate::sim::job::{Burst, gate_name};
use crate::sim::plan::Sink;
use crate::sim::task::Disposed;

impl World {
    pub(super) fn read(&mut self, index: usize, at: usize) -> Result<(), Violation> {
        let burst = Burst {
            partition: self.rng.usize(..64),
            records: self.rng.usize(1..16),
            fast: self.rng.u8(..4) > 0,
        };
        let mut disposed = std::mem::take(&mut self.disposed);
        let job = &mut self.jobs[index];
        let idle = job.tasks[at].has_rested();
        job.read(&self.log, at, burst, self.now, &mut disposed)?;
        let task = &job.tasks[at];
        self.tally.woken += u64::from(idle && !task.idle);
        self.tally.full += u64::from(task.machine.is_full());
        self.account(index, disposed)
    }

    pub(super) fn watermark(&mut self, index: usize, at: usize) -> Result<(), Violation> {
        let mut disposed = std::mem::take(&mut self.disposed);
        let ended = self.jobs[index].tasks[at].ended;
        self.jobs[index].watermark(&self.log, at, self.now, &mut disposed)?;
        self.tally.ended += u64::from(!ended && self.jobs[index].tasks[at].ended);
        self.reached = self.reached.max(self.jobs[index].tasks[at].watermark);
        self.account(index, disposed)
    }

    pub(super) fn snapshot(&mut self, index: usize, at: usize) -> Result<(), Violation> {
        let mut disposed = std::mem::take(&mut self.disposed);
        self.jobs[index].snapshot(at, self.now, &mut disposed)?;
        self.account(index, disposed)?;
        let completing = std::mem::take(&mut self.jobs[index].completing);
        self.show(index, &completing)
    }

    pub(super) fn commit(&mut self, index: usize, at: usize) -> Result<(), Violation> {
        // Committers that are behind catch up where nobody waits for them.
        let waited = self.store.newest().is_some_and(|document| document.cutover.is_some());
        let fails = self.plan.retries && self.now < self.plan.storm_ms && self.rng.u8(..3) == 0;
        let records = self.jobs[index].commit(at, self.plan.behind && waited, fails);
        self.tally.retried += u64::from(fails && !records.is_empty());
        self.show(index, &records)
    }

    pub(super) fn send_status(&mut self, index: usize, at: usize) -> Result<(), Violation> {
        self.jobs[index].tasks[at].tell();
        Ok(())
    }

    /// A status of a former execution attempt arrives at last.
    pub(super) fn stray(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        if job.strays.is_empty() {
            return;
        }
        let (at, attempt, status) = job.strays.swap_remove(self.rng.usize(..job.strays.len()));
        let (gate, subtask) = job.place(at);
        let gate = gate_name(gate);
        job.agent.step(Event::SubtaskStatus { gate, subtask, attempt, status }, self.now);
        self.perform(index);
    }

    /// One status goes up, one order comes down.
    pub(super) fn deliver(&mut self, index: usize, at: usize) -> Result<(), Violation> {
        let job = &mut self.jobs[index];
        let (gate, subtask) = job.place(at);
        if let Some((attempt, status)) = job.tasks[at].up.pop_front() {
            let gate = gate_name(gate);
            job.heard(at, attempt, &status);
            job.agent.step(Event::SubtaskStatus { gate, subtask, attempt, status }, self.now);
            self.perform(index);
        }
        let task = &mut self.jobs[index].tasks[at];
        // A later order overtakes an earlier one, as the answer to a waiting gate may.
        let overtakes =
            matches!(task.down.make_contiguous(), [first, second, ..] if first.epoch < second.epoch);
        let place = usize::from(overtakes && self.rng.u8(..8) == 0);
        let Some(order) = task.down.remove(place) else { return Ok(()) };
        let mut disposed = std::mem::take(&mut self.disposed);
        let epoch = order.epoch.0;
        task.order(order, &mut disposed)?;
        task.tell();
        let reply = task.machine.status().reply;
        let member = self.jobs[index].member;
        self.fold(epoch);
        self.tell(|| format!("{member} {at} has the order of epoch {epoch}, answers {reply:?}"));
        self.account(index, disposed)
    }

    /// Writes down what a gate has disposed of.
    fn account(&mut self, index: usize, mut disposed: Vec<Disposed>) -> Result<(), Violation> {
        let (member, number) = (self.jobs[index].member, self.jobs[index].number);
        for one in &disposed {
            let Disposed { item, disposition, epoch } = *one;
            self.tell(|| format!("{member} {disposition:?} [{}] {:?} in epoch {epoch}", item.id, item.time));
            self.fold(u64::from(item.id) << 16 | u64::from(number) << 8 | disposition as u64);
            let settled = self.store.settled[epoch as usize];
            self.ledger.disposed(one, settled, &self.jobs[index], &mut self.tally)?;
            if self.plan.sink == Sink::AtOnce && is_emitted(one) {
                self.show(index, &[item.id])?;
            }
        }
        disposed.clear();
        self.disposed = disposed;
        Ok(())
    }

    fn show(&mut self, index: usize, records: &[u32]) -> Result<(), Violation> {
        if records.is_empty() {
            return Ok(());
        }
        let (member, number) = (self.jobs[index].member, self.jobs[index].number);
        self.tell(|| format!("{member} shows {records:?}"));
        for record in records {
            self.fold(u64::from(*record) << 8 | u64::from(number));
            let document = self.store.newest().map(|document| &**document);
            self.ledger.shown(*record, &self.jobs[index], document, &mut self.tally)?;
        }
        Ok(())
    }
}

fn is_emitted(disposed: &Disposed) -> bool {
    use tidegate_protocol::order::Disposition::{Emit, LateEmit};
    matches!(disposed.disposition, Emit | LateEmit)
}
