//! A task's steps: what its source reads, and what becomes of the records that its gate disposes of.

use tidegate_protocol::document::HandOver;
use tidegate_protocol::order::{Disposition, Inherited, Order};
use tidegate_protocol::subtask::{Effect, Event};
use tidegate_protocol::time::{EventTime, WallTime};

use super::run::Run;
use super::scenario::{End, Entry, Mark, Sink};
use super::shared::Shared;
use super::state::{At, Item, Ledger, Task};
use crate::properties::{self, Boundary, Violation};

/// A time far in the future, and how far above the watermark one may be to be believed, where that is said.
const FAR: i64 = 400_000_000_000;
pub(super) const MAX_AHEAD: i64 = 1_000;
/// Event time when it has gone on for long.
pub(super) const LONG_AFTER: i64 = 100;

/// What a partition says of event time after so many steps; `None` when it does not count.
fn said(entries: &[Entry], end: End, bound: i64, read: usize) -> Option<i64> {
    let over = read > entries.len();
    if over && end == End::GoesOn {
        return Some(LONG_AFTER);
    }
    let silent = read > 0 && entries.get(read - 1) == Some(&Entry::Silence);
    if over || silent {
        return None;
    }
    let times = entries[..read].iter().filter_map(|entry| match entry {
        Entry::At(time) => Some(*time),
        Entry::Untimed | Entry::Far | Entry::Silence => None,
    });
    Some(times.max().map_or(i64::MIN, |top| top - bound))
}

impl Run<'_> {
    /// The partitions of a task.
    fn partitions(&self, at: At) -> Vec<usize> {
        let life = self.state.life(at.who);
        let mine = |partition: &usize| life.reader(self.scenario.gates, *partition) == usize::from(at.task);
        (0..self.scenario.log.len()).filter(mine).collect()
    }

    /// The number of a record in the whole log.
    pub(super) fn record_id(&self, partition: usize, index: usize) -> u8 {
        self.scenario.record_id(partition, index)
    }

    /// A task's source takes the next step of one of its partitions.
    pub(super) fn read(&mut self, at: At, partition: usize) {
        let entries = self.scenario.log[partition];
        let index = usize::from(self.state.life(at.who).read[partition]);
        self.state.life_mut(at.who).read[partition] += 1;
        let mut task = Task::clone(self.state.task(at));
        match entries.get(index) {
            Some(Entry::At(time)) => self.arrive(at, &mut task, partition, index, Some(*time)),
            Some(Entry::Untimed) => self.arrive(at, &mut task, partition, index, None),
            Some(Entry::Far) => self.arrive(at, &mut task, partition, index, Some(FAR)),
            Some(Entry::Silence) | None => {}
        }
        self.follow_time(at, &mut task);
        (task.untold, task.fresh) = (true, true);
        self.marks.add_if(task.machine.is_full(), Mark::Full);
        self.state.put(at, task);
    }

    fn arrive(&mut self, at: At, task: &mut Task, partition: usize, index: usize, time: Option<i64>) {
        if task.idle {
            task.idle = false;
            self.step_task(at, task, Event::Idle(false, self.wall()));
        }
        let timestamp = time.map(EventTime::from_millis);
        let usable = timestamp.filter(|_| time != Some(FAR));
        let lateness = self.scenario.settings.lateness_ms;
        let item = Item {
            id: self.record_id(partition, index),
            time: usable.unwrap_or(task.watermark),
            on_time: timestamp.is_none_or(|time| time >= task.watermark),
            late: timestamp.is_some_and(|time| time < task.watermark.plus(-lateness)),
            rested: self.state.jobs[usize::from(at.who.job)].rested & (1 << partition) != 0,
        };
        self.marks.add_if(!item.on_time, Mark::Late);
        self.marks.add_if(usable.is_none(), Mark::Untimed);
        self.step_task(at, task, Event::Record { time: timestamp, bytes: 1, record: item });
    }

    /// The watermark follows what the partitions say.
    fn follow_time(&mut self, at: At, task: &mut Task) {
        let scenario = self.scenario;
        let partitions = self.partitions(at);
        let read = &self.state.life(at.who).read;
        let says = |partition: &usize| {
            said(scenario.log[*partition], scenario.end, scenario.bound, usize::from(read[*partition]))
        };
        let lowest = partitions.iter().filter_map(says).min();
        let over =
            partitions.iter().all(|partition| usize::from(read[*partition]) > scenario.log[*partition].len());
        match lowest.map(EventTime::from_millis) {
            Some(lowest) if lowest > task.watermark => {
                task.watermark = lowest;
                if scenario.may_rest() {
                    self.ledger(|ledger| ledger.reached = ledger.reached.max(lowest));
                }
                self.step_task(at, task, Event::Watermark(lowest));
            }
            Some(_) => {}
            None if over && scenario.end == End::Finite => {
                task.ended = true;
                task.watermark = EventTime::MAX;
                self.step_task(at, task, Event::Watermark(EventTime::MAX));
                self.step_task(at, task, Event::EndOfInput);
            }
            None if !task.idle => {
                task.idle = true;
                self.step_task(at, task, Event::Idle(true, self.wall()));
            }
            None => {}
        }
    }

    /// An order arrives.
    pub(super) fn follow(&mut self, at: At, repeated: bool) {
        let mut task = Task::clone(self.state.task(at));
        let order = if repeated { task.kept.take() } else { task.down.pop_front() };
        let Some(order) = order else { return };
        if repeated {
            let newer = task.machine.current_order().is_some_and(|current| current.epoch > order.0.epoch);
            self.marks.add_if(newer, Mark::OldOrder);
        } else if self.state.left.repeats > 0 && task.kept.is_none() {
            task.kept = Some(order.clone());
        }
        self.step_order(at, &mut task, &order);
        (task.untold, task.fresh) = (true, true);
        self.state.put(at, task);
    }

    fn step_order(&mut self, at: At, task: &mut Task, order: &(Order, EventTime)) {
        let mut effects = Vec::new();
        let inherited = task.machine.held().any(|held| held.inherited);
        let known = task.machine.status().known.0;
        task.machine.step(Event::Order(order.0.clone()), &mut effects);
        let left = inherited && order.0.inherited == Inherited::Forget;
        self.marks.add_if(left, Mark::Forgotten);
        if task.machine.current_order().is_some_and(|current| current.epoch == order.0.epoch) {
            task.settled = order.1;
            self.must("orders never go back", properties::orders_never_go_back(known, order.0.epoch.0));
        }
        self.perform_task(at, task, effects);
    }

    /// The very machine takes a step.
    pub(super) fn step_task(&mut self, at: At, task: &mut Task, event: Event<Item>) {
        let mut effects = Vec::new();
        task.machine.step(event, &mut effects);
        self.perform_task(at, task, effects);
    }

    fn perform_task(&mut self, at: At, task: &mut Task, effects: Vec<Effect<Item>>) {
        for effect in effects {
            match effect {
                Effect::Dispose(disposition, item) => self.dispose(at, task, disposition, item),
                Effect::Watermark(watermark) => {
                    task.forwarded = watermark;
                    let held = task.machine.held().map(|held| held.time);
                    let kept = properties::no_watermark_overtakes_a_held_record(watermark, held);
                    self.must("no watermark overtakes a held record", kept);
                }
                Effect::Idle(_) => {}
            }
        }
    }

    fn dispose(&mut self, at: At, task: &mut Task, disposition: Disposition, item: Item) {
        let (has_order, id) = (task.machine.current_order().is_some(), usize::from(item.id));
        self.must(
            "nothing before the first order",
            properties::nothing_before_the_first_order(has_order, id),
        );
        let closed = task.machine.current_order().and_then(Order::holds_from) == Some(EventTime::MIN);
        self.must(
            "a closed gate disposes of nothing",
            properties::a_closed_gate_disposes_of_nothing(closed, id),
        );
        let settled = task.settled;
        let late = item.late || (item.rested && item.time < self.state.ledger.rest_excuses);
        self.ledger(|ledger| {
            let fate = &mut ledger.fates[id];
            fate.before_settle |= settled <= item.time;
            fate.after_settle |= settled > item.time;
            fate.late |= late;
            ledger.behind[id] |= !item.on_time || item.rested;
        });
        let excused = match disposition {
            Disposition::LateEmit | Disposition::LateDrop | Disposition::LateSideOutput => late,
            Disposition::Emit | Disposition::Discard | Disposition::LateDiscard | Disposition::Hold => true,
        };
        self.must(
            "only late records meet the late policy",
            properties::only_late_records_meet_the_late_policy(id, excused),
        );
        match disposition {
            Disposition::Emit | Disposition::LateEmit => {
                let in_time = properties::no_record_is_made_late(id, item.time, item.on_time, task.forwarded);
                self.must("no record is made late", in_time);
                match self.scenario.sink {
                    Sink::AtLeastOnce => self.show(at, item),
                    // The sink fences the writers of a life that is over.
                    Sink::ExactlyOnce | Sink::CommitterUnheard if at.who.former => {}
                    Sink::ExactlyOnce | Sink::CommitterUnheard => task.open.push(item),
                }
            }
            Disposition::Discard
            | Disposition::LateDrop
            | Disposition::LateSideOutput
            | Disposition::LateDiscard
            | Disposition::Hold => {}
        }
    }

    /// A record becomes visible downstream.
    pub(super) fn show(&mut self, at: At, item: Item) {
        let (id, time, zombie) = (usize::from(item.id), item.time, at.who.former);
        let by = self.state.jobs[usize::from(at.who.job)].member;
        let mut ledger = Ledger::clone(&self.state.ledger);
        let fate = &mut ledger.fates[id];
        fate.visible += 1;
        ledger.shown_by[id] |= 1 << at.who.job;
        if self.scenario.is_untimed(item.id) {
            self.state.ledger = Shared::new(ledger);
            return;
        }
        let fate = ledger.fates[id];
        let repeated = ledger.repeats_from.is_some_and(|since| time >= since);
        if self.scenario.sink == Sink::AtLeastOnce {
            let showed = |job: &usize| ledger.shown_by[id] & (1 << *job) != 0;
            let failures: u32 = (0..self.state.jobs.len())
                .filter(showed)
                .map(|job| u32::from(self.state.jobs[job].failures))
                .sum();
            self.marks.add_if(fate.visible > 1 && failures > 0, Mark::Explained);
            if !fate.may_deviate() {
                let explained = properties::duplicates_are_explained(id, fate.visible, failures);
                self.must("a duplicate needs a failure", explained);
            }
        } else if !repeated {
            self.must("committed at most once", properties::visible_at_most_once(id, &fate));
        }
        let late = ledger.behind[id] || zombie || repeated;
        if self.scenario.sink == Sink::ExactlyOnce && !late && !self.scenario.rescales() {
            let in_order = self.in_order(&ledger, item);
            self.must("an older value of a key never follows a newer one", in_order);
        }
        let order = properties::old_never_follows_new(&mut ledger.boundaries, id, time, by, late);
        self.must("an old value never follows a newer one", order);
        if let Some(document) = self.state.store.document.clone()
            && !zombie
        {
            self.must(
                "ordered opens at the finish",
                properties::ordered_opens_at_finish(&document, time, by),
            );
        }
        let promised = self.state.slot(by).map_or(EventTime::MIN, |slot| slot.promised);
        let kept = properties::frontier_is_committed(promised, id, time, late);
        self.must("below the frontier everything is committed", kept);
        self.state.ledger = Shared::new(ledger);
    }

    /// Nothing newer of the same partition is visible, each of which is about one key, unless both jobs were allowed to show.
    fn in_order(&self, ledger: &Ledger, item: Item) -> Result<(), Violation> {
        let newer = self.scenario.neighbours(item.id).0.into_iter();
        let mut newer = newer.filter(|(id, _)| ledger.fates[*id].visible > 0 && !ledger.behind[*id]);
        newer.try_for_each(|(id, time)| {
            let overlaps = |boundary: &Boundary| {
                boundary.hand_over == HandOver::Overlapped && item.time < boundary.at && boundary.at <= time
            };
            if ledger.repeats_from.is_some() || ledger.boundaries.iter().any(overlaps) {
                return Ok(());
            }
            properties::an_older_value_never_follows_a_newer_one(
                (usize::from(item.id), item.time),
                (id, time),
            )
        })
    }

    /// Changes the ledger, if it does change.
    pub(super) fn ledger(&mut self, change: impl FnOnce(&mut Ledger)) {
        let mut ledger = Ledger::clone(&self.state.ledger);
        change(&mut ledger);
        if ledger != *self.state.ledger {
            self.state.ledger = Shared::new(ledger);
        }
    }

    pub(super) fn wall(&self) -> WallTime {
        WallTime::from_millis(self.state.now)
    }
}
