//! A gate over records of any type.

use tidegate_protocol::identity::{CheckpointId, Member};
use tidegate_protocol::order::{Disposition, Order};
use tidegate_protocol::subtask::{
    Effect, Event, Header, Held, Lease, Limits, MixedOrigin, Passed, Status, Subtask,
};
use tidegate_protocol::time::{EventTime, WallTime};

/// What goes on to the sink besides records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// A watermark: every record below it has gone to the sink.
    pub watermark: Option<EventTime>,
    /// The stream became idle, or active again.
    pub idle: Option<bool>,
}

/// A lease that no time is in.
const NONE: Lease = Lease { from: EventTime::MAX, until: EventTime::MIN, disposition: Disposition::Discard };

/// One parallel instance of a gate.
///
/// `admit` costs two comparisons and a maximum while records stay inside the interval that the gate is in.
#[derive(Debug)]
pub struct Gate<R> {
    machine: Subtask<R>,
    lease: Lease,
    passed: Passed,
    effects: Vec<Effect<R>>,
    /// Where late records go, if they go anywhere else than the others.
    late: Option<Vec<R>>,
}

impl<R> Gate<R> {
    /// A gate that starts from nothing.
    pub fn new(member: Member, limits: Limits) -> Gate<R> {
        match Gate::restore(member, limits, &[], Vec::new()) {
            Ok(gate) => gate,
            Err(_) => unreachable!("without headers there is nothing that could differ"),
        }
    }

    /// A gate restored from the headers of all instances of a snapshot, and from this one's part of the held records.
    pub fn restore(
        member: Member,
        limits: Limits,
        headers: &[Header],
        held: Vec<Held<R>>,
    ) -> Result<Gate<R>, MixedOrigin> {
        let machine = Subtask::new(member, limits, headers, held)?;
        Ok(Gate { machine, lease: NONE, passed: Passed::default(), effects: Vec::new(), late: None })
    }

    /// A gate whose late records are kept for [`Gate::take_late`] where the late policy of the rollout is a side output. Without
    /// it they are emitted then: nothing is lost for want of a place.
    #[must_use]
    pub fn with_side_output(self) -> Gate<R> {
        Gate { late: Some(Vec::new()), ..self }
    }

    /// Takes a record with its event time in epoch milliseconds; what is to be emitted now is appended to `out`.
    /// `bytes` is its size, for the bound of holding.
    #[inline]
    pub fn admit(&mut self, millis: i64, record: R, bytes: u64, out: &mut Vec<R>) {
        let time = EventTime::from_millis(millis);
        if self.lease.from <= time && time < self.lease.until {
            if self.pass(time) {
                out.push(record);
            }
        } else {
            self.admit_slow(Some(time), record, bytes, out);
        }
    }

    /// Takes a record that carries no event time: it counts with the watermark, and is outside the guarantee.
    pub fn admit_untimed(&mut self, record: R, bytes: u64, out: &mut Vec<R>) {
        self.admit_slow(None, record, bytes, out);
    }

    /// Accounts for a record inside the lease; returns whether it is emitted.
    #[inline]
    fn pass(&mut self, time: EventTime) -> bool {
        if self.lease.disposition == Disposition::Emit {
            self.passed.emitted += 1;
            self.passed.emitted_high = self.passed.emitted_high.max(Some(time));
            true
        } else {
            self.passed.discarded += 1;
            self.passed.discarded_high = self.passed.discarded_high.max(Some(time));
            false
        }
    }

    /// The disposition of a record by its time alone, with the record kept by the caller; `None` when it would be held or
    /// needs the slow path.
    #[inline]
    pub(crate) fn pass_through(&mut self, time: EventTime) -> Option<bool> {
        (self.lease.from <= time && time < self.lease.until).then(|| self.pass(time))
    }

    /// Accounts for many records at once when all are inside the lease; returns whether they are emitted, `None` when each has
    /// to be looked at.
    pub(crate) fn pass_all(&mut self, millis: &[i64]) -> Option<bool> {
        let least = EventTime::from_millis(millis.iter().copied().min()?);
        let greatest = EventTime::from_millis(millis.iter().copied().max()?);
        if least < self.lease.from || greatest >= self.lease.until {
            return None;
        }
        let emit = self.pass(greatest);
        let others = millis.len() as u64 - 1;
        *(if emit { &mut self.passed.emitted } else { &mut self.passed.discarded }) += others;
        Some(emit)
    }

    #[cold]
    pub(crate) fn admit_slow(&mut self, time: Option<EventTime>, record: R, bytes: u64, out: &mut Vec<R>) {
        self.step(Event::Record { time, bytes, record }, out);
    }

    /// Follows an order. An order with a lower epoch than one that was known is passed over.
    pub fn order(&mut self, order: Order, out: &mut Vec<R>) -> Forward {
        self.step(Event::Order(order), out)
    }

    /// No record below `watermark` is to come.
    pub fn watermark(&mut self, watermark: EventTime) -> Forward {
        self.step(Event::Watermark(watermark), &mut Vec::new())
    }

    /// What the clock says. Tell it before the first record and with each watermark: a record that is dated more than a day
    /// above both, and by that from nowhere, counts with the watermark. Nothing else goes by the clock, and untold it judges
    /// nothing.
    pub fn clock(&mut self, now: WallTime) {
        self.step(Event::Clock(now), &mut Vec::new());
    }

    /// The late records since the last call, of a gate [`with_side_output`](Gate::with_side_output).
    pub fn take_late(&mut self) -> Vec<R> {
        self.late.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The input became idle, or active again.
    pub fn idle(&mut self, idle: bool, now: WallTime) -> Forward {
        self.step(Event::Idle(idle, now), &mut Vec::new())
    }

    /// The input has ended. What is still held waits for an order.
    pub fn end(&mut self) {
        self.step(Event::EndOfInput, &mut Vec::new());
    }

    /// Takes part in a snapshot: the header and the held records belong to its state.
    pub fn snapshot(&mut self, checkpoint: CheckpointId, now: WallTime) -> Header {
        self.step(Event::Snapshot(checkpoint, now), &mut Vec::new());
        self.machine.header(checkpoint)
    }

    /// The records that are held, in arrival order.
    pub fn held(&self) -> impl ExactSizeIterator<Item = &Held<R>> {
        self.machine.held()
    }

    /// The bound of holding is reached: take the next record only after the next order.
    pub fn is_full(&self) -> bool {
        self.machine.is_full()
    }

    /// What the agent is told, after every order and as often as it likes.
    pub fn status(&mut self) -> Status {
        self.settle_accounts();
        self.machine.status()
    }

    fn settle_accounts(&mut self) {
        if self.passed != Passed::default() {
            self.machine.step(Event::Passed(std::mem::take(&mut self.passed)), &mut self.effects);
        }
    }

    fn step(&mut self, event: Event<R>, out: &mut Vec<R>) -> Forward {
        self.settle_accounts();
        self.machine.step(event, &mut self.effects);
        self.lease = self.machine.lease().unwrap_or(NONE);
        let mut forward = Forward::default();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Dispose(Disposition::Emit | Disposition::LateEmit, record) => out.push(record),
                Effect::Dispose(Disposition::LateSideOutput, record) => {
                    self.late.as_mut().unwrap_or(out).push(record);
                }
                Effect::Dispose(
                    Disposition::Discard
                    | Disposition::LateDrop
                    | Disposition::LateDiscard
                    | Disposition::Hold,
                    _,
                ) => {}
                Effect::Watermark(watermark) => forward.watermark = Some(watermark),
                Effect::Idle(idle) => forward.idle = Some(idle),
            }
        }
        forward
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::document::{Document, HandOver, LatePolicy, Settings, Terms};
    use tidegate_protocol::identity::{Attempt, Color, Origin};

    use super::*;

    const BLUE: Member = Member::new(Color::Blue, 1);
    const GREEN: Member = Member::new(Color::Green, 1);

    fn first() -> Document {
        Document::first("orders", BLUE, Origin::Fresh, Settings::default())
    }

    fn proposed(at: i64) -> Document {
        let at = EventTime::from_millis(at);
        let now = WallTime::default();
        let terms = Terms {
            attempt: Attempt(0),
            to: GREEN,
            origin: Origin::Fresh,
            at,
            hand_over: HandOver::Ordered,
            proposed: now,
        };
        first().propose(terms, now, None).unwrap()
    }

    fn emitted(gate: &mut Gate<i64>, times: &[i64]) -> Vec<i64> {
        let mut out = Vec::new();
        for time in times {
            gate.admit(*time, *time, 8, &mut out);
        }
        out
    }

    #[test]
    fn late_records_go_to_the_side_output_or_with_the_others() {
        let settings = Settings { late: LatePolicy::SideOutput, ..Settings::default() };
        let (now, document) = (WallTime::default(), Document { settings, ..proposed(100) });
        let settled = document.commit(now).unwrap().finish(now).unwrap().settle().unwrap();
        for (with_side_output, in_time, late) in [(true, vec![100], vec![99]), (false, vec![99, 100], vec![])]
        {
            let gate = Gate::new(GREEN, Limits::default());
            let mut gate = if with_side_output { gate.with_side_output() } else { gate };
            gate.order(Order::new(&settled, GREEN), &mut Vec::new());
            assert_eq!(emitted(&mut gate, &[99, 100]), in_time);
            assert_eq!(gate.take_late(), late);
            assert_eq!(gate.take_late(), [] as [i64; 0]);
        }
    }

    #[test]
    fn each_record_goes_out_of_exactly_one_of_two_gates() {
        let (mut blue, mut green) = (Gate::new(BLUE, Limits::default()), Gate::new(GREEN, Limits::default()));
        let mut out = Vec::new();
        blue.order(Order::new(&first(), BLUE), &mut out);
        green.order(Order::new(&first(), GREEN), &mut out);
        assert_eq!((emitted(&mut blue, &[1, 2]), emitted(&mut green, &[1, 2])), (vec![1, 2], vec![]));

        let cutover = proposed(10);
        blue.order(Order::new(&cutover, BLUE), &mut out);
        green.order(Order::new(&cutover, GREEN), &mut out);
        assert_eq!(
            (emitted(&mut blue, &[9, 10, 3, 12]), emitted(&mut green, &[9, 10, 3, 12])),
            (vec![9, 3], vec![])
        );
        assert!(blue.status().reply.unwrap().acknowledged && green.status().reply.unwrap().acknowledged);

        let done = cutover.commit(WallTime::default()).unwrap().finish(WallTime::default()).unwrap();
        blue.order(Order::new(&done, BLUE), &mut out);
        assert_eq!(out, [0; 0]);
        green.order(Order::new(&done, GREEN), &mut out);
        assert_eq!(out, [10, 12]);
        assert_eq!((emitted(&mut blue, &[8, 13]), emitted(&mut green, &[8, 13])), (vec![8], vec![13]));
    }

    #[test]
    fn records_that_passed_on_the_fast_path_count_in_the_answer() {
        let mut blue = Gate::new(BLUE, Limits::default());
        blue.order(Order::new(&first(), BLUE), &mut Vec::new());
        emitted(&mut blue, &[1, 2, 11, 3]);
        blue.order(Order::new(&proposed(10), BLUE), &mut Vec::new());
        let status = blue.status();
        assert!(!status.reply.unwrap().acknowledged);
        assert_eq!((status.reply.unwrap().high, status.emitted), (EventTime::from_millis(11), 4));
    }
}
