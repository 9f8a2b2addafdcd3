//! What people do: they ask for cutovers, start and stop jobs, and put documents back.

use std::rc::Rc;

use tidegate_protocol::conductor::Asked;
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{EventTime, When};

use super::World;
use crate::properties::{self, Violation};
use crate::sim::job::Checkpoint;

impl World {
    /// Somebody does something that is done seldom.
    pub(super) fn people(&mut self, index: usize) {
        match self.rng.u8(..4) {
            0 if self.plan.put_back => self.put_back(),
            1 if self.plan.reclaim => self.kill(),
            2 | 3 if self.plan.generations => self.retire(index),
            _ => {}
        }
    }

    /// Something that was away comes back, or goes away.
    pub(super) fn appear(&mut self) {
        if self.now >= self.restored_at {
            self.restore_document();
        }
        if self.plan.outages && !self.store.is_away(self.now) && self.rng.u8(..4) == 0 {
            self.store.away_until = self.now + self.rng.u64(100..4_000);
            self.tally.outages += 1;
            let until = self.store.away_until;
            self.tell(|| format!("the store is unreachable until {until}"));
        }
    }

    pub(super) fn ask(&mut self) {
        self.asked += 1;
        let held = self.held_high.filter(|_| self.now < self.halted_until && self.rng.bool());
        let at = match self.rng.u8(..8) {
            _ if held.is_some() => held.map_or(When::Now, When::At),
            0 => When::In(self.rng.i64(1..1_500)),
            1 | 2 => self.named(),
            3 | 4 if self.plan.coarse_ms.is_some() => self.named(),
            _ => When::Now,
        };
        let hand_over = [None, Some(HandOver::Ordered), Some(HandOver::Overlapped)][self.rng.usize(..3)];
        let to = self.jobs.last().map(|job| job.member).filter(|_| self.rng.bool());
        let to = to.filter(|to| self.store.newest().is_some_and(|document| document.active().member != *to));
        let request = match self.rng.u8(..14) {
            0 => Request::Abort { attempt: None },
            _ => Request::Promote { at, to, hand_over },
        };
        self.tell(|| format!("asked: {request:?}"));
        self.store.asked = Some(Asked { id: self.asked.to_string(), request });
    }

    /// A boundary that a person names: any, that of a record to come, or just above a watermark to come; where times are coarse,
    /// also one of those that come next.
    fn named(&mut self) -> When {
        let partition = self.rng.usize(..self.log.partitions.len());
        let any = self.now as i64 + self.rng.i64(-500..1_500);
        let exact = match self.rng.u8(..4) {
            0 => self.plan.coarse_ms.map(|grid| (self.now as i64 / grid + self.rng.i64(0..3)) * grid),
            1 => self.log.soon(partition, self.now),
            _ => self.log.above_a_watermark(partition, self.now),
        };
        When::At(EventTime::from_millis(exact.unwrap_or(any)))
    }

    /// The next version is started from a snapshot of the active member, where there is only one job.
    pub(super) fn start_standby(&mut self) -> Result<(), Violation> {
        let [active] = self.jobs.as_slice() else { return Ok(()) };
        let color = if active.member.color == Color::Blue { Color::Green } else { Color::Blue };
        let from_start = self.plan.green_from_start && self.started == 1;
        let named = self.store.newest().is_none_or(|document| document.active().member == active.member);
        if !named {
            return Ok(());
        }
        let (storm, mut from) = (self.now < self.plan.storm_ms, active.completed.clone());
        if self.plan.savepoints && self.now < self.plan.span.min(10_000) / 4 {
            return Ok(()); // Not before there is something to fall back to.
        }
        if self.plan.savepoints && storm && !from_start {
            from = self.old_snapshot()?;
        }
        let from = from.filter(|_| !from_start);
        if from.is_none() && !from_start {
            return Ok(());
        }
        let member = self.next_of(color);
        self.tell(|| format!("{member} starts from {:?}", from.as_ref().map(|from| from.id)));
        let falls_back = from.as_ref().is_some_and(|from| from.savepoint);
        let held = from.iter().flat_map(|from| from.parts.iter().flatten()).flat_map(|part| &part.held);
        self.held_high = held.map(|held| held.time).max();
        self.start(member, from);
        if falls_back {
            self.tally.from_savepoint += 1;
            if self.rng.bool() {
                self.fail_job(0);
                self.halted_until = self.now + 2_500;
            }
        }
        Ok(())
    }

    /// A savepoint that is taken now, perhaps while the job waits for its first orders, or one of the last snapshots.
    fn old_snapshot(&mut self) -> Result<Option<Rc<Checkpoint>>, Violation> {
        if self.rng.bool() {
            if self.rng.bool() {
                self.fail_job(0);
            }
            for _ in 0..self.rng.u8(1..4) {
                (0..self.jobs[0].tasks.len()).try_for_each(|at| self.read(0, at))?;
            }
            self.jobs[0].savepoint();
            (0..self.jobs[0].tasks.len()).try_for_each(|at| self.snapshot(0, at))?;
            return Ok(self.jobs[0].snapshots.back().cloned());
        }
        let snapshots = &self.jobs[0].snapshots;
        let place = self.rng.usize(..snapshots.len().max(1));
        Ok(snapshots.get(place).cloned())
    }

    pub(super) fn next_of(&mut self, color: Color) -> Member {
        let generation = &mut self.generations[usize::from(color == Color::Green)];
        *generation += 1;
        Member::new(color, *generation)
    }

    /// A job is stopped, when it may be, and its sinks have nothing left.
    fn retire(&mut self, index: usize) {
        let Some((_, document)) = &self.store.document else { return };
        let (document, job) = (document.clone(), &self.jobs[index]);
        let member = job.member;
        let may = document.may_retire(member) && job.is_empty() && self.store.replaced.is_none();
        if !may || self.jobs.len() < 2 {
            return;
        }
        if let Err(violation) = properties::stopped_owns_nothing(&document, member) {
            self.store.broken.get_or_insert(violation);
        }
        let job = self.jobs.remove(index);
        if self.owners.contains(&member) {
            self.ledger.unread_at_retirement(&self.log, &job.read, document.settled);
        }
        self.tally.retired += 1;
        self.tell(|| format!("{member} is stopped"));
    }

    /// Somebody writes an older document over the newest one, which at least one member has told that it follows.
    fn put_back(&mut self) {
        let Some((_, document)) = &self.store.document else { return };
        let epoch = document.epoch;
        if self.store.told() != Some(epoch) || self.store.replaced.is_some() || self.store.former.is_empty() {
            return;
        }
        let older = self.store.former[self.rng.usize(..self.store.former.len())].clone();
        if older.epoch >= epoch {
            return;
        }
        let found = older.epoch.0;
        self.store.put_back(older);
        self.restored_at = self.now + self.rng.u64(100..3_000);
        self.tally.put_back += 1;
        self.tell(|| format!("somebody puts back the document of epoch {found} over epoch {}", epoch.0));
    }

    pub(super) fn restore_document(&mut self) {
        if self.store.replaced.is_some() {
            self.store.restore();
            self.tell(|| "the newest document is restored".to_owned());
        }
    }
}
