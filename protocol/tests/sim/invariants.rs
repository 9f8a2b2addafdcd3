//! What must be true whatever happens, as functions over plain data, for every tier.

use tidegate_protocol::document::{Document, HandOver};
use tidegate_protocol::identity::Member;
use tidegate_protocol::time::EventTime;

/// A broken invariant.
pub type Violation = String;

/// What has become of one record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    /// How often it is visible downstream.
    pub visible: u32,
    /// It was disposed of under an order whose `settled` was not above it.
    pub before_settle: bool,
    /// It was disposed of under an order whose `settled` was above it.
    pub after_settle: bool,
    /// It was behind a watermark, or its subtask had rested, in one of the jobs.
    pub late: bool,
}

impl Fate {
    /// The one deviation that the design names.
    pub fn may_deviate(&self) -> bool {
        self.late && self.before_settle && self.after_settle
    }
}

/// A boundary that was committed.
#[derive(Clone, Debug)]
pub struct Boundary {
    /// The boundary.
    pub at: EventTime,
    /// Who owns what is below it.
    pub from: Member,
    /// Who owns the rest.
    pub to: Member,
    /// Ordered or overlapped.
    pub hand_over: HandOver,
    /// A record of `to` at or above it is visible.
    pub opened: bool,
}

/// A record may become visible once.
pub fn visible_at_most_once(record: usize, fate: &Fate) -> Result<(), Violation> {
    if fate.visible <= 1 || fate.may_deviate() {
        return Ok(());
    }
    Err(format!("record {record} is visible {} times", fate.visible))
}

/// When everything has come to rest, each record is visible once.
pub fn visible_exactly_once(fates: &[Fate]) -> Result<(), Violation> {
    match fates.iter().enumerate().find(|(_, fate)| fate.visible != 1 && !fate.may_deviate()) {
        Some((record, fate)) => Err(format!("record {record} is visible {} times in the end", fate.visible)),
        None => Ok(()),
    }
}

/// A subtask without an order disposes of nothing.
pub fn nothing_before_the_first_order(has_order: bool, record: usize) -> Result<(), Violation> {
    if has_order { Ok(()) } else { Err(format!("record {record} was disposed of before the first order")) }
}

/// A watermark that is forwarded promises that nothing below it is still to come.
pub fn no_watermark_overtakes_a_held_record(
    watermark: EventTime,
    held: impl Iterator<Item = EventTime>,
) -> Result<(), Violation> {
    match held.min() {
        Some(lowest) if lowest < watermark => {
            Err(format!("watermark {watermark:?} was forwarded over a held record of {lowest:?}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// A record that arrived in time leaves in time.
pub fn no_record_is_made_late(
    record: usize,
    time: EventTime,
    on_time: bool,
    forwarded: EventTime,
) -> Result<(), Violation> {
    if !on_time || time >= forwarded {
        return Ok(());
    }
    Err(format!("record {record} of {time:?} was in time, and leaves after watermark {forwarded:?}"))
}

/// With `ordered`, nothing of the old owner below a boundary becomes visible after something of the new owner above it.
pub fn old_never_follows_new(
    boundaries: &mut [Boundary],
    record: usize,
    time: EventTime,
    by: Member,
    late: bool,
) -> Result<(), Violation> {
    for boundary in boundaries.iter_mut().filter(|boundary| boundary.hand_over == HandOver::Ordered) {
        if by == boundary.from && time < boundary.at && boundary.opened && !late {
            return Err(format!(
                "record {record} of {time:?} by {by} becomes visible after {} was seen above {:?}",
                boundary.to, boundary.at
            ));
        }
        boundary.opened |= by == boundary.to && time >= boundary.at;
    }
    Ok(())
}

/// Nothing of the new owner at or above an `ordered` boundary is visible before the cutover is done.
pub fn ordered_opens_at_finish(document: &Document, time: EventTime, by: Member) -> Result<(), Violation> {
    match document.terms() {
        Some(terms) if terms.to == by && time >= terms.at && terms.hand_over == HandOver::Ordered => {
            Err(format!("{by} shows {time:?} before the cutover at {:?} is done", terms.at))
        }
        Some(_) | None => Ok(()),
    }
}

/// A cutover ends, done or aborted, once nothing fails any more.
pub fn every_cutover_ends(document: &Document) -> Result<(), Violation> {
    match &document.cutover {
        Some(cutover) => Err(format!("the cutover does not end: {cutover:?}")),
        None => Ok(()),
    }
}
