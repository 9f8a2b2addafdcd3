//! What happens next: one thing by chance, or everything once.

use super::World;
use crate::properties::Violation;

impl World {
    /// One random thing happens.
    pub(super) fn anything(&mut self) -> Result<(), Violation> {
        let index = self.rng.usize(..self.jobs.len());
        match self.rng.u32(..1_000) {
            0..200 if self.now < self.halted_until => {}
            0..200 if self.plan.slow && self.rng.u8(..8) > 0 => {}
            0..200 => self.some(index, World::read)?,
            200..290 => self.some(index, World::watermark)?,
            290..300 if self.is_frail(index) => {}
            290..300 => self.jobs[index].trigger(),
            300..390 => self.some(index, World::snapshot)?,
            390..460 if self.plan.lazy && self.rng.u8(..16) > 0 => {}
            390..460 => self.some(index, World::commit)?,
            460..590 => self.some(index, World::deliver)?,
            590..650 => self.some(index, World::send_status)?,
            650..710 => self.events(index),
            710..720 => self.agent(index, |agent, _, _, now| agent.tick(now)),
            720..770 => self.agent(index, |agent, store, _, now| agent.read(store, now)),
            770..820 => self.agent(index, |agent, _, _, now| agent.hear(now)),
            820..880 => self.agent(index, |agent, store, luck, now| agent.report(store, luck, now)),
            880..960 => self.conduct(index),
            960..980 => self.agent(index, |agent, store, luck, now| agent.claim(store, luck, now)),
            980..986 => self.haunt(index),
            986..988 => self.people(index),
            988..989 => self.take_back_if_dead()?,
            989..991 => self.appear(),
            991..994 => self.apply_ghost(),
            994..996 if self.plan.storm > 0 && self.rng.bool() => self.stray(index),
            996..997 if self.plan.reclaim => self.kill(),
            _ => self.start_standby()?,
        }
        self.fail_if_frail();
        if std::mem::take(&mut self.doomed) && self.plan.reclaim {
            self.kill();
        }
        let asks = if self.now < self.halted_until { 40 } else { self.plan.asks };
        if self.rng.u32(..1_000) < asks {
            self.ask();
        }
        if self.rng.u32(..1_000) < self.plan.storm && index < self.jobs.len() {
            self.fault(index);
        }
        match self.store.broken.take() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    /// The same for one task, or for some of many.
    fn some(
        &mut self,
        index: usize,
        act: fn(&mut World, usize, usize) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let tasks = self.jobs[index].tasks.len();
        let first = self.rng.usize(..tasks);
        let count = if tasks <= 8 { 1 } else { self.rng.usize(1..=tasks / 2) };
        (0..count).try_for_each(|offset| act(self, index, (first + offset) % tasks))
    }

    /// Everything happens once, in order.
    pub(super) fn everything(&mut self) -> Result<(), Violation> {
        self.start_standby()?;
        self.take_back_if_dead()?;
        self.fail_if_frail();
        for index in 0..self.jobs.len() {
            for _ in 0..2 {
                self.calm_agent(index, |agent, store, luck, now| agent.claim(store, luck, now));
            }
            self.calm_agent(index, |agent, store, _, now| agent.read(store, now));
            self.drain_events(index);
            for at in 0..self.jobs[index].tasks.len() {
                for _ in 0..4 {
                    self.read(index, at)?;
                }
                self.watermark(index, at)?;
                self.snapshot(index, at)?;
                self.commit(index, at)?;
                self.send_status(index, at)?;
                self.drain_events(index);
                for _ in 0..4 {
                    self.deliver(index, at)?;
                }
            }
            self.calm_agent(index, |agent, _, _, now| agent.tick(now));
            for _ in 0..3 {
                self.calm_agent(index, |agent, _, _, now| agent.hear(now));
                self.calm_agent(index, |agent, store, luck, now| agent.report(store, luck, now));
                self.calm_conduct(index);
            }
            if self.now % 400 < 40 && !self.is_frail(index) {
                self.jobs[index].trigger();
            }
        }
        match self.store.broken.take() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    fn is_frail(&self, index: usize) -> bool {
        self.frail.is_some_and(|(number, _)| self.jobs[index].number == number)
    }

    pub(super) fn drain_events(&mut self, index: usize) {
        while !self.jobs[index].told.is_empty() {
            self.events(index);
        }
    }
}
