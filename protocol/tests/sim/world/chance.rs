//! What people ask for, and what fails.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::Asked;
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{EventTime, When};

use super::{BLUE, GREEN, World};
use crate::sim::job::Job;

impl World {
    pub(super) fn ask(&mut self) {
        self.asked += 1;
        let at = match self.rng.u8(..8) {
            0 => When::In(self.rng.i64(1..1_500)),
            1 => When::At(EventTime::from_millis(self.now as i64 + self.rng.i64(-500..1_500))),
            _ => When::Now,
        };
        let hand_over = [None, Some(HandOver::Ordered), Some(HandOver::Overlapped)][self.rng.usize(..3)];
        let request = match self.rng.u8(..14) {
            0 => Request::Abort { attempt: None },
            _ => Request::Promote { at, to: None, hand_over },
        };
        self.tell(|| format!("asked: {request:?}"));
        self.store.asked = Some(Asked { version: self.asked.to_string(), request: Ok(request) });
    }

    pub(super) fn start_green(&mut self) {
        if self.jobs.len() == 2 {
            return;
        }
        let start = self.jobs[0].completed.clone();
        if start.is_none() && !self.green_from_start {
            return;
        }
        let start = start.filter(|_| !self.green_from_start);
        let parallelism = self.rng.u32(1..5);
        let config = self.config(GREEN, self.jobs[0].gates, self.jobs[0].config.settings);
        self.tell(|| format!("{GREEN} starts from {:?}", start.as_ref().map(|start| start.id)));
        let limits = self.limits;
        self.jobs.push(Job::start(GREEN, config, limits, parallelism, start, &self.log));
    }

    /// Green is stopped, when it may be, and its next generation is started from a snapshot of blue.
    pub(super) fn replace_green(&mut self) {
        let (Some((_, document)), [blue, green]) = (&self.store.document, self.jobs.as_slice()) else {
            return;
        };
        let start = blue.completed.clone();
        if !document.may_retire(green.member) || !green.is_empty() || start.is_none() || !document.owns(BLUE)
        {
            return;
        }
        let old = green.member;
        for (partition, read) in green.read.iter().enumerate() {
            // What it has not read it will only have met after the settling.
            for record in &self.log.partitions[partition][*read..] {
                if EventTime::from_millis(record.time) < document.settled {
                    let fate = &mut self.fates[record.id];
                    (fate.after_settle, fate.late) = (true, true);
                }
            }
        }
        let next = Member::new(Color::Green, old.generation + 1);
        let (gates, settings, limits) = (blue.gates, blue.config.settings, self.limits);
        let (config, parallelism) = (self.config(next, gates, settings), self.rng.u32(1..5));
        self.tell(|| {
            format!("{old} is stopped, {next} starts from {:?}", start.as_ref().map(|start| start.id))
        });
        self.store.retired.insert(old);
        self.jobs[1] = Job::start(next, config, limits, parallelism, start, &self.log);
        self.tally.replaced += 1;
    }

    pub(super) fn fail_task(&mut self, index: usize, at: (usize, u32)) {
        if self.jobs[index].tasks[&at].finished {
            return;
        }
        self.jobs[index].restart_task(at);
        self.failed(index, || format!("{at:?} is restarted"));
    }

    pub(super) fn fail_job(&mut self, index: usize) {
        let parallelism = if self.rng.bool() { self.rng.u32(1..5) } else { self.jobs[index].parallelism };
        let keep_agent = self.rng.bool();
        self.jobs[index].restart(parallelism, keep_agent);
        self.failed(index, || format!("is restarted with {parallelism}, the same agent: {keep_agent}"));
    }

    pub(super) fn failed(&mut self, index: usize, what: impl FnOnce() -> String) {
        self.tally.failed += 1;
        let (member, from) =
            (self.jobs[index].member, self.jobs[index].completed.as_ref().map(|completed| completed.id));
        self.tell(|| format!("{member} {} from {from:?}", what()));
        let held: BTreeMap<_, usize> =
            self.jobs[index].tasks.iter().map(|(at, task)| (*at, task.machine.held().len())).collect();
        self.tally.restored_held += held.values().sum::<usize>() as u32;
    }

    pub(super) fn lose_status(&mut self, index: usize, at: (usize, u32)) {
        self.jobs[index].tasks.get_mut(&at).expect("picked").up.pop_front();
    }

    /// An order that cannot be delivered fails its task, as Flink sees to.
    pub(super) fn lose_order(&mut self, index: usize, at: (usize, u32)) {
        if self.jobs[index].tasks.get_mut(&at).expect("picked").down.pop_front().is_some() {
            self.fail_task(index, at);
        }
    }
}
