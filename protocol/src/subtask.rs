//! The subtask machine: one parallel instance of a gate. It admits records by its order, holds some, keeps the watermark
//! behind what it holds, answers the question of a cutover, and knows what each of its snapshots covers.
//!
//! It is pure: it owns no clock and no records beyond those it holds, and whatever it wants done comes out as [`Effect`]s.
//! It never emits before its first order, never forwards a watermark past a held record, and never follows an order whose
//! epoch is lower than one it has known.

mod header;
mod status;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use header::Restored;
pub use header::{Header, MixedOrigin};
pub use status::{Reply, Status};

use crate::identity::{CheckpointId, Epoch, Member, Origin};
use crate::order::{Disposition, Inherited, Order};
use crate::time::{EventTime, WallTime};

/// How many snapshots are remembered until one is known to be committed.
const SNAPSHOTS: usize = 64;

/// No honest record of a live stream is dated further ahead of the clock than this, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Bounds of one subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// At most this many records are held.
    pub hold_records: u64,
    /// At most about this many bytes are held.
    pub hold_bytes: u64,
    /// A record further above the watermark than this gets the watermark as its time, in milliseconds of event time. `None`:
    /// one that is more than a day above the watermark and above the clock.
    pub max_ahead_ms: Option<i64>,
    /// A subtask that has been idle for this long has no frontier of its own, in milliseconds of wall-clock time.
    pub idle_after_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { hold_records: 100_000, hold_bytes: 64 << 20, max_ahead_ms: None, idle_after_ms: 10_000 }
    }
}

/// A record that waits, in arrival order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Held<R> {
    /// Its event time, fixed at arrival.
    pub time: EventTime,
    /// Its size in bytes.
    pub bytes: u64,
    /// It was held by another member, in the snapshot that this one was started from, and no order has said yet whose it is.
    pub inherited: bool,
    /// The record, or whatever stands for it.
    pub record: R,
}

/// What happens to a subtask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<R> {
    /// A record arrives; no time means that it carries no timestamp.
    Record {
        /// Its timestamp.
        time: Option<EventTime>,
        /// Its size in bytes.
        bytes: u64,
        /// The record.
        record: R,
    },
    /// Records passed under the lease since the last event.
    Passed(Passed),
    /// No record below this is to come (Flink's watermark w arrives here as w + 1).
    Watermark(EventTime),
    /// The input became idle, or active again.
    Idle(bool, WallTime),
    /// What the clock says: only for telling records of the far future from others. Told before records outside of the lease.
    Clock(WallTime),
    /// A new order.
    Order(Order),
    /// A snapshot is taken here and now.
    Snapshot(CheckpointId, WallTime),
    /// The input has ended.
    EndOfInput,
}

/// Records that passed on the fast path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How many were emitted.
    pub emitted: u64,
    /// The highest timestamp among them, if any.
    pub emitted_high: Option<EventTime>,
    /// How many were discarded.
    pub discarded: u64,
    /// The highest timestamp among them, if any.
    pub discarded_high: Option<EventTime>,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<R> {
    /// Do this with the record; never [`Disposition::Hold`].
    Dispose(Disposition, R),
    /// Forward this watermark.
    Watermark(EventTime),
    /// Forward this status: idle, or active.
    Idle(bool),
}

/// Records with `from <= time < until` have this disposition and need not be told one by one, until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The first event time.
    pub from: EventTime,
    /// The end, exclusive.
    pub until: EventTime,
    /// [`Disposition::Emit`], [`Disposition::Discard`] or [`Disposition::LateDiscard`].
    pub disposition: Disposition,
}

/// What was counted since the start of this execution attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Emitted, late ones included.
    pub emitted: u64,
    /// Discarded.
    pub discarded: u64,
    /// Below `settled`: emitted, dropped or sent to the side output by the first owner, passed over by the others.
    pub late: u64,
    /// Without a timestamp.
    pub untimed: u64,
    /// Dated too far in the future.
    pub future: u64,
    /// What the last one of those was dated.
    pub future_time: Option<EventTime>,
}

/// One parallel instance of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subtask<R> {
    member: Member,
    limits: Limits,
    origin: Origin,
    known: Epoch,
    order: Option<Order>,
    emitted_high: EventTime,
    discarded_high: EventTime,
    watermark: EventTime,
    clock: Option<WallTime>,
    forwarded: EventTime,
    idle_since: Option<WallTime>,
    idle_forwarded: bool,
    near: EventTime,
    held: VecDeque<Held<R>>,
    held_bytes: u64,
    reply: Option<Reply>,
    snapshots: VecDeque<(CheckpointId, EventTime)>,
    /// What the snapshots that were taken while it rested cover at least.
    covered: EventTime,
    counts: Counts,
    ended: bool,
}

impl<R> Subtask<R> {
    /// A subtask of a member, restored from the headers of *all* subtasks of the snapshot and from its own part of the
    /// records held in it. No headers: it starts from nothing.
    ///
    /// Highs take the maximum and the watermark the minimum over the headers. Of another member's snapshot only the seen
    /// high is adopted, as this one's discarded high: its source stands past all that had been seen. The held records of
    /// another member wait for the first order, which says whether they are this one's to emit.
    pub fn new(
        member: Member,
        limits: Limits,
        headers: &[Header],
        mut held: Vec<Held<R>>,
    ) -> Result<Subtask<R>, MixedOrigin> {
        let restored = header::restored(member, headers)?;
        for held in &mut held {
            held.inherited |= matches!(restored, Restored::Foreign(_));
        }
        let highest = |of: fn(&Header) -> EventTime| headers.iter().map(of).max().unwrap_or(EventTime::MIN);
        let lowest = |of: fn(&Header) -> EventTime| headers.iter().map(of).min().unwrap_or(EventTime::MIN);
        let mut subtask = Subtask {
            member,
            limits,
            origin: match restored {
                Restored::Nothing => Origin::Fresh,
                Restored::Own(origin) => origin,
                Restored::Foreign(snapshot) => Origin::Snapshot(snapshot),
            },
            known: headers.iter().map(|header| header.epoch).max().unwrap_or_default(),
            order: None,
            emitted_high: EventTime::MIN,
            discarded_high: EventTime::MIN,
            watermark: EventTime::MIN,
            clock: None,
            forwarded: EventTime::MIN,
            idle_since: None,
            idle_forwarded: false,
            near: EventTime::MIN,
            held_bytes: held.iter().map(|held| held.bytes).sum(),
            held: held.into(),
            reply: None,
            snapshots: VecDeque::new(),
            covered: EventTime::MAX,
            counts: Counts::default(),
            ended: false,
        };
        match restored {
            Restored::Nothing => {}
            Restored::Own(_) => {
                subtask.emitted_high = highest(|header| header.emitted_high);
                subtask.discarded_high = highest(|header| header.discarded_high);
                subtask.watermark = lowest(|header| header.watermark);
                let taken = headers.iter().map(|header| header.checkpoint).max();
                subtask
                    .snapshots
                    .extend(taken.map(|checkpoint| (checkpoint, lowest(|header| header.frontier))));
            }
            Restored::Foreign(_) => subtask.discarded_high = highest(|header| header.seen_high),
        }
        Ok(subtask)
    }

    /// Takes one event; what is to be done is appended to `effects`, in the order in which it is to be done.
    pub fn step(&mut self, event: Event<R>, effects: &mut Vec<Effect<R>>) {
        match event {
            Event::Record { time, bytes, record } => self.record(time, bytes, record, effects),
            Event::Passed(passed) => self.passed(passed),
            Event::Watermark(watermark) => {
                self.watermark = self.watermark.max(watermark);
                self.forward(effects);
            }
            Event::Idle(idle, now) => self.idle(idle, now, effects),
            Event::Clock(now) => self.clock = self.clock.max(Some(now)),
            Event::Order(order) => self.order(order, effects),
            Event::Snapshot(checkpoint, now) => self.snapshot(checkpoint, now),
            Event::EndOfInput => self.ended = true,
        }
    }

    /// The records that need not be told one by one, around the last record that was; `None` when each must be.
    pub fn lease(&self) -> Option<Lease> {
        let (from, mut until, disposition) = self.order.as_ref()?.span(self.near);
        if let Some(ahead) = self.ahead() {
            until = until.min(ahead.plus(1));
        }
        let may_pass = match disposition {
            Disposition::Emit | Disposition::Discard | Disposition::LateDiscard => true,
            Disposition::Hold
            | Disposition::LateEmit
            | Disposition::LateDrop
            | Disposition::LateSideOutput => false,
        };
        // The smallest number means "no timestamp" to the callers, so it is in nobody's lease.
        let from = from.max(EventTime::from_millis(i64::MIN + 1));
        (may_pass && from < until).then_some(Lease { from, until, disposition })
    }

    /// The bound of holding is reached: the caller waits for the next order before it takes another record.
    pub fn is_full(&self) -> bool {
        self.held.len() as u64 >= self.limits.hold_records || self.held_bytes >= self.limits.hold_bytes
    }

    /// The held records, in arrival order.
    pub fn held(&self) -> impl ExactSizeIterator<Item = &Held<R>> {
        self.held.iter()
    }

    /// The held records, in arrival order, for a shell that keeps the records elsewhere and numbers them here.
    pub fn held_mut(&mut self) -> impl ExactSizeIterator<Item = &mut R> {
        self.held.iter_mut().map(|held| &mut held.record)
    }

    /// Corrects the size of the record that was held last, for a shell that learns it only then.
    pub fn resize_last_held(&mut self, bytes: u64) {
        if let Some(held) = self.held.back_mut() {
            self.held_bytes = self.held_bytes - held.bytes + bytes;
            held.bytes = bytes;
        }
    }

    /// The order that is followed; `None` before the first one.
    pub fn current_order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// The event time that the last record told counted with.
    pub fn last_time(&self) -> EventTime {
        self.near
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The lowest event time that may still come out of this subtask: everything below it has.
    pub fn frontier(&self) -> EventTime {
        self.held.iter().map(|held| held.time).min().unwrap_or(EventTime::MAX).min(self.watermark)
    }

    fn record(&mut self, time: Option<EventTime>, bytes: u64, record: R, effects: &mut Vec<Effect<R>>) {
        let time = self.effective_time(time);
        match self.order.as_ref().map_or(Disposition::Hold, |order| order.disposition(time)) {
            Disposition::Hold => {
                self.held_bytes += bytes;
                self.held.push_back(Held { time, bytes, inherited: false, record });
            }
            disposition @ (Disposition::Emit
            | Disposition::Discard
            | Disposition::LateEmit
            | Disposition::LateDrop
            | Disposition::LateSideOutput
            | Disposition::LateDiscard) => {
                self.account(disposition, time);
                effects.push(Effect::Dispose(disposition, record));
            }
        }
        self.near = time;
    }

    /// The time that decides about a record: its timestamp, or the watermark when it has none or is from the far future.
    fn effective_time(&mut self, time: Option<EventTime>) -> EventTime {
        let Some(time) = time else {
            self.counts.untimed += 1;
            return self.watermark;
        };
        if self.ahead().is_some_and(|ahead| time > ahead) {
            self.counts.future += 1;
            self.counts.future_time = Some(time);
            return self.watermark;
        }
        time
    }

    /// The highest timestamp that is believed. The clock never makes a time: it only lets more be believed than the watermark
    /// does, and speaks for it while there is none.
    fn ahead(&self) -> Option<EventTime> {
        let watermark = (self.watermark > EventTime::MIN).then_some(self.watermark);
        let clock = self.clock.map(EventTime::from);
        match (self.limits.max_ahead_ms, watermark) {
            (Some(ahead), Some(watermark)) => Some(watermark.plus(ahead)),
            (Some(ahead), None) => clock.map(|clock| clock.plus(ahead.max(DAY_MS))),
            (None, watermark) => clock.map(|clock| clock.max(watermark.unwrap_or(clock)).plus(DAY_MS)),
        }
    }

    fn account(&mut self, disposition: Disposition, time: EventTime) {
        match disposition {
            Disposition::Emit | Disposition::LateEmit => {
                self.counts.emitted += 1;
                self.emitted_high = self.emitted_high.max(time);
            }
            Disposition::Discard | Disposition::LateDrop | Disposition::LateDiscard => {
                self.counts.discarded += 1;
                self.discarded_high = self.discarded_high.max(time);
            }
            // It has left the gate, though not for the sink.
            Disposition::LateSideOutput => self.emitted_high = self.emitted_high.max(time),
            Disposition::Hold => {}
        }
        self.counts.late += u64::from(disposition.is_late());
    }

    fn passed(&mut self, passed: Passed) {
        self.counts.emitted = self.counts.emitted.saturating_add(passed.emitted);
        self.counts.discarded = self.counts.discarded.saturating_add(passed.discarded);
        // All of one lease are in the span of the highest among them.
        let late = passed.discarded_high.zip(self.order.as_ref());
        if late.is_some_and(|(time, order)| order.disposition(time).is_late()) {
            self.counts.late = self.counts.late.saturating_add(passed.discarded);
        }
        self.emitted_high = self.emitted_high.max(passed.emitted_high.unwrap_or(EventTime::MIN));
        self.discarded_high = self.discarded_high.max(passed.discarded_high.unwrap_or(EventTime::MIN));
        self.near = passed.emitted_high.or(passed.discarded_high).unwrap_or(self.near);
    }

    fn order(&mut self, order: Order, effects: &mut Vec<Effect<R>>) {
        if order.epoch < self.known {
            return;
        }
        self.known = order.epoch;
        let mut kept = VecDeque::with_capacity(self.held.len());
        for mut held in std::mem::take(&mut self.held) {
            match (held.inherited, order.inherited) {
                (true, Inherited::Wait) => {
                    kept.push_back(held);
                    continue;
                }
                (true, Inherited::Forget) => {
                    // Whoever held it in that snapshot disposes of it; the seen high counts it already.
                    effects.push(Effect::Dispose(Disposition::Discard, held.record));
                    continue;
                }
                (true, Inherited::Adopt) | (false, _) => held.inherited = false,
            }
            match order.disposition(held.time) {
                Disposition::Hold => kept.push_back(held),
                disposition @ (Disposition::Emit
                | Disposition::Discard
                | Disposition::LateEmit
                | Disposition::LateDrop
                | Disposition::LateSideOutput
                | Disposition::LateDiscard) => {
                    self.account(disposition, held.time);
                    effects.push(Effect::Dispose(disposition, held.record));
                }
            }
        }
        self.held_bytes = kept.iter().map(|held| held.bytes).sum();
        self.held = kept;
        self.reply =
            order.question.map(|question| Reply::new(question, self.emitted_high, self.discarded_high));
        self.order = Some(order);
        self.forward(effects);
        if self.idle_since.is_some() && !self.holds() {
            self.set_idle(true, effects);
        }
    }

    /// Whether anything is or may be held: before the first order, and under an order that holds.
    fn holds(&self) -> bool {
        !self.held.is_empty() || self.order.as_ref().is_none_or(|order| order.holds_from().is_some())
    }

    fn forward(&mut self, effects: &mut Vec<Effect<R>>) {
        let Some(order) = &self.order else { return };
        let held = self.held.iter().map(|held| held.time).min();
        let cap = held.into_iter().chain(order.holds_from()).min().unwrap_or(EventTime::MAX);
        let watermark = self.watermark.min(cap);
        if watermark > self.forwarded {
            self.forwarded = watermark;
            effects.push(Effect::Watermark(watermark));
        }
    }

    fn idle(&mut self, idle: bool, now: WallTime, effects: &mut Vec<Effect<R>>) {
        if !idle {
            self.idle_since = None;
            // It counts again, with what the snapshots that were taken while it rested really cover.
            let frontier = std::mem::replace(&mut self.covered, EventTime::MAX);
            for (_, rested) in self.snapshots.iter_mut().filter(|(_, taken)| *taken == EventTime::MAX) {
                *rested = frontier;
            }
            self.set_idle(false, effects);
        } else if self.idle_since.is_none() {
            self.idle_since = Some(now);
            if !self.holds() {
                self.set_idle(true, effects);
            }
        }
    }

    fn set_idle(&mut self, idle: bool, effects: &mut Vec<Effect<R>>) {
        if self.idle_forwarded != idle {
            self.idle_forwarded = idle;
            effects.push(Effect::Idle(idle));
        }
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, now: WallTime) {
        let rests = self.held.is_empty()
            && (self.ended
                || self.idle_since.is_some_and(|since| now.since(since) >= self.limits.idle_after_ms));
        let mut frontier = self.frontier();
        if rests && self.order.is_some() {
            // The watermark may rise before it wakes; this snapshot does not.
            self.covered = self.covered.min(frontier);
            frontier = EventTime::MAX;
        }
        self.snapshots.push_back((checkpoint, frontier));
        if self.snapshots.len() > SNAPSHOTS {
            self.snapshots.pop_front();
        }
    }
}
