//! The active member dies for good, and the old color takes the output back from a snapshot that was pinned before the commit.

use std::rc::Rc;

use tidegate_protocol::document::{Cutover, Reclaim};
use tidegate_protocol::identity::{Incarnation, Member, Snapshot};
use tidegate_protocol::report::Report;
use tidegate_protocol::time::EventTime;

use super::World;
use crate::properties::Violation;
use crate::sim::clock::Clock;
use crate::sim::job::{Checkpoint, Job};
use crate::sim::ledger::Dead;
use crate::sim::store::Told;

/// A snapshot of the old owner, completed before a cutover was committed.
#[derive(Clone, Debug)]
pub(super) struct Pinned {
    from: Member,
    to: Member,
    snapshot: Rc<Checkpoint>,
    /// All of its output is committed.
    committed: bool,
}

/// A member that is dead for good.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) job: Job,
    /// What rested in the report by which its last cutover was finished.
    pub(super) rests: Vec<bool>,
    /// Which part it had, once that has ended.
    pub(super) part: Option<(EventTime, EventTime)>,
}

impl World {
    /// A cutover is committed: the last snapshot of `from` is the way back.
    pub(super) fn pin(&mut self, from: Member, to: Member) {
        self.pinned = None;
        let Some(job) = self.jobs.iter().find(|job| job.member == from) else { return };
        let Some(snapshot) = job.completed.clone() else { return };
        let committed = job.commits.iter().all(|queue| queue.iter().all(|(id, _)| *id > snapshot.id));
        self.pinned = Some(Pinned { from, to, snapshot, committed });
    }

    /// The active member dies, and is never started again; once per seed.
    pub(super) fn kill(&mut self) {
        let (Some((_, document)), Some(pinned)) = (&self.store.document, &self.pinned) else { return };
        let active = document.active().member;
        let midway = match &document.cutover {
            Some(Cutover::Committed { terms, .. }) => terms.to == pinned.to,
            Some(Cutover::Proposed { .. }) => return,
            None => false,
        };
        let way_back = if midway { active == pinned.from && pinned.committed } else { active == pinned.to };
        let Some(index) = self.jobs.iter().position(|job| job.member == active) else { return };
        if !way_back || self.jobs.len() < 2 || self.store.replaced.is_some() {
            return;
        }
        let dead = self.jobs.remove(index);
        self.plan.reclaim = false;
        self.dead = Some(Lost { job: dead, rests: Vec::new(), part: None });
        self.tell(|| format!("{active} is dead for good"));
    }

    /// The controller takes the output of a dead member back, as soon as the document allows it.
    pub(super) fn take_back_if_dead(&mut self) -> Result<(), Violation> {
        let (Some(lost), Some(pinned)) = (&self.dead, self.pinned.clone()) else { return Ok(()) };
        let dead = lost.job.member;
        let Some((version, document)) = self.store.document.clone() else { return Ok(()) };
        if self.store.replaced.is_some() {
            return Ok(());
        }
        if document.active().member != dead {
            // The cutover from it was finished.
            let Some(Lost { job, rests, part }) = self.dead.take() else { return Ok(()) };
            let part = part.expect("only the end of a cutover takes a part from a member");
            self.tell(|| format!("{dead} is not taken back, its part was {part:?}"));
            let dead = Dead { job: &job, rests: &rests, document: &document, log: &self.log };
            return self.ledger.abandoned(&dead, part);
        }
        let told = self.store.report(dead).map(|(_, told)| told.clone());
        let frontier = told.as_ref().map_or(EventTime::MIN, |told| told.report.frontier());
        // Where its inputs were idle when it told last, a person names what is certain: that it has shown nothing.
        let frontier = if frontier == EventTime::MAX { EventTime::MIN } else { frontier };
        let by = Member::new(pinned.from.color, self.generations[usize::from(pinned.from.color as u8)] + 1);
        let snapshot = Snapshot { member: pinned.from, checkpoint: pinned.snapshot.id };
        let Ok((next, since)) = document.reclaim(&Reclaim { dead, frontier, by, snapshot }) else {
            return Ok(());
        };
        let (part, end) =
            (document.active().since, document.terms().map_or(EventTime::MAX, |terms| terms.at));
        if !self.store.write_document(Some(version), Rc::new(next)) {
            return Ok(());
        }
        let (name, midway) = (self.next_of(by.color), document.cutover.is_some());
        self.tell(|| format!("{name} takes over from {since:?}, the frontier of {dead} was {frontier:?}"));
        self.tally.reclaimed += 1;
        self.tally.reclaimed_midway += u64::from(midway);
        self.pinned = None;
        self.owners.push(name);
        self.start(name, Some(pinned.snapshot));
        if let Some(Lost { job, .. }) = self.dead.take() {
            let rests = told.as_ref().map_or(&[][..], |told| &told.rests);
            let dead = Dead { job: &job, rests, document: &document, log: &self.log };
            self.ledger.reclaimed(&dead, (part, since, end))?;
        }
        match self.rng.u8(..4) {
            0 | 1 => self.superseded(self.jobs.len() - 1),
            2 => self.start_slowly(self.jobs.len() - 1),
            _ => Ok(()),
        }
    }

    /// The new generation reads on and takes a checkpoint before it has heard an order; no other one is completed until it
    /// fails, and the dead member's part may be settled by then.
    fn start_slowly(&mut self, index: usize) -> Result<(), Violation> {
        let tasks = self.jobs[index].tasks.len();
        for _ in 0..self.rng.u8(1..4) {
            (0..tasks).try_for_each(|at| self.read(index, at))?;
        }
        (0..tasks).try_for_each(|at| self.watermark(index, at))?;
        self.jobs[index].trigger();
        (0..tasks).try_for_each(|at| self.snapshot(index, at))?;
        self.frail = Some((self.jobs[index].number, self.now + self.rng.u64(500..5_000)));
        Ok(())
    }

    /// The job whose checkpoints fail fails itself, in the end.
    pub(super) fn fail_if_frail(&mut self) {
        let Some((number, until)) = self.frail else { return };
        let index = self.jobs.iter().position(|job| job.number == number);
        if self.now >= until || index.is_none() {
            self.frail = None;
            index.into_iter().for_each(|index| self.fail_job(index));
        }
    }

    /// Somebody has started the new generation twice: the first job loses its slot before it has heard an order, closes its
    /// gates and takes a checkpoint; then the second one is gone, and the first one is started again from that checkpoint.
    fn superseded(&mut self, index: usize) -> Result<(), Violation> {
        let member = self.jobs[index].member;
        for _ in 0..2 {
            self.calm_agent(index, |agent, store, luck, now| agent.claim(store, luck, now));
        }
        self.calm_agent(index, |agent, _, _, now| agent.hear(now));
        let Some((version, holder)) = self.store.report(member).cloned() else { return Ok(()) };
        let (incarnation, instance) = (Incarnation(holder.report.incarnation.0 + 1), "twin".to_owned());
        let report = Report { incarnation, instance, ..holder.report.clone() };
        self.store.write_report(Some(version), Rc::new(Told { report, rests: holder.rests.clone() }));
        for _ in 0..2 {
            self.calm_agent(index, |agent, store, luck, now| agent.report(store, luck, now));
        }
        self.calm_agent(index, |agent, store, _, now| agent.read(store, now));
        for _ in 0..3 {
            self.calm_agent(index, |agent, _, _, now| agent.hear(now));
        }
        self.drain_events(index);
        self.tell(|| format!("{member} is superseded"));
        for at in 0..self.jobs[index].tasks.len() {
            self.send_status(index, at)?;
            self.deliver(index, at)?;
        }
        self.jobs[index].trigger();
        (0..self.jobs[index].tasks.len()).try_for_each(|at| self.snapshot(index, at))?;
        self.tally.superseded += 1;
        let (parallelism, clock) = (self.jobs[index].parallelism, Clock::default());
        let lost = self.jobs[index].restart(parallelism, Some(clock), &self.plan);
        self.ledger.taken_back(&lost, &mut self.tally);
        Ok(())
    }
}
