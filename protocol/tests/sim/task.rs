//! One subtask of a gate with the source before it and the exactly-once writer behind it.

use std::collections::VecDeque;

use tidegate_protocol::identity::Member;
use tidegate_protocol::order::{Disposition, Order};
use tidegate_protocol::subtask::{Effect, Event, Header, Held, Limits, Passed, Status, Subtask};
use tidegate_protocol::time::EventTime;

use super::invariants::{self, Violation};

/// A record in a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The record.
    pub id: usize,
    /// Its event time.
    pub time: EventTime,
    /// It was not behind its subtask's watermark when it arrived.
    pub on_time: bool,
}

/// A record that a gate has disposed of.
#[derive(Clone, Copy, Debug)]
pub struct Disposed {
    /// The record.
    pub item: Item,
    /// What was done with it.
    pub disposition: Disposition,
    /// The order's epoch.
    pub epoch: u64,
}

/// One subtask.
#[derive(Debug)]
pub struct Task {
    /// The very machine.
    pub machine: Subtask<Item>,
    /// Its execution attempt.
    pub attempt: u32,
    /// Written since the last snapshot.
    pub open: Vec<usize>,
    /// Statuses on their way to the agent, with the execution attempt that sent them.
    pub up: VecDeque<(u32, Status)>,
    /// Orders on their way from the agent.
    pub down: VecDeque<Order>,
    /// The last watermark that arrived.
    pub watermark: EventTime,
    /// The last watermark that left.
    pub forwarded: EventTime,
    /// Its input is idle.
    pub idle: bool,
    /// Its input has ended.
    pub ended: bool,
    /// It has ended, and its last snapshot is complete: it hears nothing any more.
    pub finished: bool,
    passed: Passed,
}

impl Task {
    /// A task that is restored from headers and held records, or starts from nothing.
    pub fn new(
        member: Member,
        limits: Limits,
        attempt: u32,
        headers: &[Header],
        held: Vec<Held<Item>>,
    ) -> Task {
        let machine = Subtask::new(member, limits, headers, held).expect("headers of one snapshot");
        let watermark = machine.status().watermark;
        Task {
            machine,
            attempt,
            open: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            watermark,
            forwarded: EventTime::MIN,
            idle: false,
            ended: false,
            finished: false,
            passed: Passed::default(),
        }
    }

    /// A record arrives: on the fast path when the lease covers it and `fast` says so.
    pub fn record(&mut self, item: Item, fast: bool) -> Result<Vec<Disposed>, Violation> {
        let lease = self.machine.lease().filter(|lease| lease.from <= item.time && item.time < lease.until);
        match lease.filter(|_| fast) {
            Some(lease) => {
                if lease.disposition == Disposition::Emit {
                    self.passed.emitted += 1;
                    self.passed.emitted_high = self.passed.emitted_high.max(Some(item.time));
                } else {
                    self.passed.discarded += 1;
                    self.passed.discarded_high = self.passed.discarded_high.max(Some(item.time));
                }
                Ok(vec![self.dispose(lease.disposition, item)?])
            }
            None => self.step(Event::Record { time: Some(item.time), bytes: 10, record: item }),
        }
    }

    /// Any other event.
    pub fn step(&mut self, event: Event<Item>) -> Result<Vec<Disposed>, Violation> {
        let mut effects = Vec::new();
        let passed = std::mem::take(&mut self.passed);
        if passed != Passed::default() {
            self.machine.step(Event::Passed(passed), &mut effects);
        }
        self.machine.step(event, &mut effects);
        let mut disposed = Vec::new();
        for effect in effects {
            match effect {
                Effect::Dispose(disposition, item) => disposed.push(self.dispose(disposition, item)?),
                Effect::Watermark(watermark) => {
                    self.forwarded = watermark;
                    let held = self.machine.held().map(|held| held.time);
                    invariants::no_watermark_overtakes_a_held_record(watermark, held)?;
                }
                Effect::Idle(_) => {}
            }
        }
        Ok(disposed)
    }

    fn dispose(&mut self, disposition: Disposition, item: Item) -> Result<Disposed, Violation> {
        let order = self.machine.current_order();
        invariants::nothing_before_the_first_order(order.is_some(), item.id)?;
        let epoch = order.map_or(0, |order| order.epoch.0);
        if matches!(disposition, Disposition::Emit | Disposition::LateEmit) {
            invariants::no_record_is_made_late(item.id, item.time, item.on_time, self.forwarded)?;
            self.open.push(item.id);
        }
        Ok(Disposed { item, disposition, epoch })
    }

    /// Sends a status.
    pub fn tell(&mut self) {
        let passed = std::mem::take(&mut self.passed);
        self.machine.step(Event::Passed(passed), &mut Vec::new());
        self.up.push_back((self.attempt, self.machine.status()));
    }
}
