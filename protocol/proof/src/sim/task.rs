//! One subtask of a gate with the source before it and the writer behind it.

use std::collections::VecDeque;

use tidegate_protocol::identity::Member;
use tidegate_protocol::order::{Disposition, Order};
use tidegate_protocol::subtask::{Effect, Event, Header, Held, Lease, Limits, Passed, Status, Subtask};
use tidegate_protocol::time::EventTime;

use super::log::Stamp;
use crate::properties::{self, Violation};

/// Statuses on their way at most; each one replaces those before.
const UNDER_WAY: usize = 6;

/// A record in a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The record.
    pub id: u32,
    /// Its event time.
    pub time: EventTime,
    /// What it says about it.
    pub stamp: Stamp,
    /// It was not behind its subtask's watermark when it arrived.
    pub on_time: bool,
    /// It was further behind than the allowed lateness, or its partition had rested.
    pub late: bool,
    /// It was further above its subtask's watermark than `max-ahead`, so its time does not count.
    pub far: bool,
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
    /// The partitions that its source reads.
    pub partitions: Vec<usize>,
    /// Written since the last snapshot.
    pub open: Vec<u32>,
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
    lease: Option<Lease>,
    passed: Passed,
    effects: Vec<Effect<Item>>,
    epoch: u64,
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
        // Told by the headers, not by the machine: lateness must not go by what is to be examined.
        let own = || headers.iter().filter(|header| header.member == member);
        let watermark = own().map(|header| header.watermark).min().unwrap_or(EventTime::MIN);
        let known = own().map(|header| header.epoch.0);
        Task {
            machine,
            attempt,
            partitions: Vec::new(),
            open: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            watermark,
            forwarded: EventTime::MIN,
            idle: false,
            ended: false,
            finished: false,
            lease: None,
            passed: Passed::default(),
            effects: Vec::new(),
            epoch: known.max().unwrap_or(0),
        }
    }

    /// A record arrives: on the fast path when the lease covers it and `fast` says so.
    pub fn record(&mut self, item: Item, fast: bool, out: &mut Vec<Disposed>) -> Result<(), Violation> {
        if fast
            && item.stamp != Stamp::Nothing
            && let Some(lease) = self.lease
            && lease.from <= item.time
            && item.time < lease.until
        {
            if lease.disposition == Disposition::Emit {
                self.passed.emitted += 1;
                self.passed.emitted_high = self.passed.emitted_high.max(Some(item.time));
            } else {
                self.passed.discarded += 1;
                self.passed.discarded_high = self.passed.discarded_high.max(Some(item.time));
            }
            return self.dispose(lease.disposition, item, out);
        }
        let time = (item.stamp != Stamp::Nothing).then_some(item.time);
        self.step(Event::Record { time, bytes: 10, record: item }, out)
    }

    /// Any other event.
    pub fn step(&mut self, event: Event<Item>, out: &mut Vec<Disposed>) -> Result<(), Violation> {
        self.account();
        let mut effects = std::mem::take(&mut self.effects);
        self.machine.step(event, &mut effects);
        self.lease = self.machine.lease();
        for effect in effects.drain(..) {
            match effect {
                Effect::Dispose(disposition, item) => self.dispose(disposition, item, out)?,
                Effect::Watermark(watermark) => {
                    self.forwarded = watermark;
                    let held = self.machine.held().map(|held| held.time);
                    properties::no_watermark_overtakes_a_held_record(watermark, held)?;
                }
                Effect::Idle(_) => {}
            }
        }
        self.effects = effects;
        Ok(())
    }

    /// An order arrives.
    pub fn order(&mut self, order: Order, out: &mut Vec<Disposed>) -> Result<(), Violation> {
        self.step(Event::Order(order), out)?;
        if let Some(order) = self.machine.current_order() {
            properties::orders_never_go_back(self.epoch, order.epoch.0)?;
            self.epoch = order.epoch.0;
        }
        Ok(())
    }

    fn account(&mut self) {
        if self.passed != Passed::default() {
            let passed = std::mem::take(&mut self.passed);
            self.machine.step(Event::Passed(passed), &mut self.effects);
        }
    }

    fn dispose(
        &mut self,
        disposition: Disposition,
        item: Item,
        out: &mut Vec<Disposed>,
    ) -> Result<(), Violation> {
        let order = self.machine.current_order();
        properties::nothing_before_the_first_order(order.is_some(), item.id as usize)?;
        let closed = order.and_then(Order::holds_from) == Some(EventTime::MIN);
        properties::a_closed_gate_disposes_of_nothing(closed, item.id as usize)?;
        let epoch = order.map_or(0, |order| order.epoch.0);
        if matches!(disposition, Disposition::Emit | Disposition::LateEmit) {
            if item.stamp == Stamp::Time {
                let (id, on_time) = (item.id as usize, item.on_time);
                properties::no_record_is_made_late(id, item.time, on_time, self.forwarded)?;
            }
            self.open.push(item.id);
        }
        out.push(Disposed { item, disposition, epoch });
        Ok(())
    }

    /// Sends a status.
    pub fn tell(&mut self) {
        self.account();
        if self.up.len() < UNDER_WAY {
            self.up.push_back((self.attempt, self.machine.status()));
        }
    }

    /// Its last snapshot says that it has rested, so that its frontier counts as the end of time.
    pub fn has_rested(&self) -> bool {
        self.idle && self.machine.status().snapshots.last().is_some_and(|(_, taken)| *taken == EventTime::MAX)
    }
}
