//! What must be true whatever happens, as functions over plain data, for every tier.

use tidegate_protocol::document::{Cutover, Document, HandOver};
use tidegate_protocol::identity::Member;
use tidegate_protocol::report::{GateReport, Report};
use tidegate_protocol::time::EventTime;

/// A broken invariant.
pub type Violation = String;

/// What has become of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// A cutover ends, done or aborted, once nothing fails any more, or somebody is told loudly what stands in its way.
pub fn every_cutover_ends(document: &Document, loud: bool) -> Result<(), Violation> {
    match &document.cutover {
        Some(cutover) if !loud => Err(format!("the cutover does not end: {cutover:?}")),
        Some(_) | None => Ok(()),
    }
}

/// A subtask never follows an order of a lower epoch than one that it has followed, or than its own snapshot knows.
pub fn orders_never_go_back(followed: u64, next: u64) -> Result<(), Violation> {
    if next >= followed {
        return Ok(());
    }
    Err(format!("an order of epoch {next} is followed after one of epoch {followed}"))
}

/// Each change of the document has the next epoch: no epoch is ever given to two documents, also after an older document was
/// put back.
pub fn an_epoch_has_one_document(last: u64, next: u64) -> Result<(), Violation> {
    if next == last + 1 {
        return Ok(());
    }
    Err(format!("a document of epoch {next} is written, and epoch {last} was written before"))
}

/// The late policy is for records that came later than the allowed lateness, and for no others.
pub fn only_late_records_meet_the_late_policy(record: usize, late: bool) -> Result<(), Violation> {
    if late { Ok(()) } else { Err(format!("record {record} met the late policy, and was not late")) }
}

/// With a sink that delivers at least once, each repetition is explained by a failure of the job that had written the record
/// and no checkpoint that covers it.
pub fn duplicates_are_explained(record: usize, shown: u32, failures: u32) -> Result<(), Violation> {
    if shown <= 1 + failures {
        return Ok(());
    }
    Err(format!("record {record} was shown {shown} times, and only {failures} failures explain that"))
}

/// With `ordered`, an older value of a key never becomes visible after a newer one that was read later; `newest` is the
/// newest one that is visible. Both are records and their event times.
pub fn an_older_value_never_follows_a_newer_one(
    record: (usize, EventTime),
    newest: (usize, EventTime),
) -> Result<(), Violation> {
    if newest.0 < record.0 || newest.1 <= record.1 {
        return Ok(());
    }
    Err(format!(
        "record {} of {:?} becomes visible after record {} of {:?}, a newer value of the same key",
        record.0, record.1, newest.0, newest.1
    ))
}

/// At a reclaim, what is below the newcomer's part and was not shown by the dead member was late.
pub fn only_late_records_are_lost_at_a_reclaim(record: usize, late: bool) -> Result<(), Violation> {
    if late { Ok(()) } else { Err(format!("record {record} is lost at a reclaim, and was not late")) }
}

/// A record of the far future blocks no cutover.
pub fn a_record_of_the_far_future_blocks_nothing(refusal: &str) -> Result<(), Violation> {
    if refusal != "FarFuture" {
        return Ok(());
    }
    Err("a cutover is refused because of a record of the far future".to_owned())
}

/// A member that owns or has owned event time, and lives on, is never refused for what it was first started from.
pub fn a_former_owner_is_not_refused(
    refusal: &str,
    member: Member,
    has_owned: bool,
) -> Result<(), Violation> {
    if !has_owned || refusal != "StandbyWithoutSnapshot" {
        return Ok(());
    }
    Err(format!("{member} has been the active member, and is refused as one that was started from nothing"))
}

/// When everything has come to rest, an at-least-once sink has every record.
pub fn visible_at_least_once(fates: &[Fate]) -> Result<(), Violation> {
    match fates.iter().position(|fate| fate.visible == 0 && !fate.may_deviate()) {
        Some(record) => Err(format!("record {record} is never visible")),
        None => Ok(()),
    }
}

/// A frontier that is reported means that everything below it is committed; late records apart.
pub fn frontier_is_committed(
    frontier: EventTime,
    record: usize,
    time: EventTime,
    late: bool,
) -> Result<(), Violation> {
    if late || time >= frontier {
        return Ok(());
    }
    Err(format!(
        "record {record} of {time:?} becomes visible below the frontier {frontier:?} that was reported"
    ))
}

/// A member that is stopped owns nothing and is to own nothing.
pub fn stopped_owns_nothing(document: &Document, member: Member) -> Result<(), Violation> {
    let owns = document.owners.iter().any(|owner| owner.member == member);
    let named = document.terms().is_some_and(|terms| terms.to == member);
    if owns || named {
        return Err(format!("{member} is stopped, but owns or is to own a part: {:?}", document.owners));
    }
    Ok(())
}

/// Where nothing moves any more, no proposal waits for its deadline: everybody has answered it. And no committed cutover waits
/// either, if event time has got as far as its boundary.
pub fn nothing_waits_for_a_deadline(document: &Document, reached: EventTime) -> Result<(), Violation> {
    match &document.cutover {
        Some(Cutover::Committed { terms, .. }) if terms.at > reached => Ok(()),
        Some(Cutover::Proposed { .. } | Cutover::Committed { .. }) | None => {
            every_cutover_ends(document, false)
        }
    }
}

/// A frontier beyond every boundary is for gates all of whose inputs rest or have ended, and which hold nothing. A subtask that is
/// restored after its input has ended does not tell so yet, but has its last watermark.
pub fn only_rest_promises_everything(report: &Report) -> Result<(), Violation> {
    let promises = |gate: &GateReport| gate.frontier == EventTime::MAX;
    let runs =
        |gate: &GateReport| gate.idle + gate.ended < gate.parallelism && gate.watermark_low < EventTime::MAX;
    let counts = |gate: &GateReport| gate.held > 0 || runs(gate);
    match report.gates.iter().find(|(_, gate)| promises(gate) && counts(gate)) {
        Some((name, _)) => {
            Err(format!("gate {name} of {} promises everything, and does not rest", report.member))
        }
        None => Ok(()),
    }
}

/// A gate that was told to close disposes of nothing, inherited or not.
pub fn a_closed_gate_disposes_of_nothing(closed: bool, record: usize) -> Result<(), Violation> {
    if closed { Err(format!("record {record} was disposed of by a gate that is closed")) } else { Ok(()) }
}

/// In the end the first owner's part is settled, if event time has got beyond it by the allowed lateness.
pub fn the_past_is_settled(document: &Document, reached: EventTime) -> Result<(), Violation> {
    match document.owners.get(1) {
        Some(second) if second.since.plus(document.settings.lateness_ms) <= reached => {
            Err(format!("the past is never settled: {:?}", document.owners))
        }
        Some(_) | None => Ok(()),
    }
}

/// A cutover that is asked for when nothing fails, with members that are there, is done, or refused with a reason that a person
/// can act on; `code` is that of its refusal or abort.
pub fn a_calm_promotion_is_done(code: Option<&str>) -> Result<(), Violation> {
    match code {
        Some(code @ ("DeadlinePassed" | "MemberNotAlive" | "StandbyClosed")) => {
            Err(format!("nothing fails, and a cutover that was asked for is not done: {code}"))
        }
        Some(_) | None => Ok(()),
    }
}
