//! What is measured of a rollout, from what the controller has just seen. Pure.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::Seen;
use tidegate_protocol::document::{Cutover, Document, Outcome as Ending};
use tidegate_protocol::identity::Member;
use tidegate_protocol::rollout::{Entry, Phase, Plan, Purpose, Record, Verdict};
use tidegate_protocol::time::WallTime;

/// One look at a rollout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    /// The record as it was before the plan.
    pub(crate) before: &'a Record,
    /// The plan, whose record is persisted.
    pub(crate) plan: &'a Plan,
    /// The cutover document, when it could be read.
    pub(crate) document: Option<&'a Document>,
    /// The members' reports.
    pub(crate) reports: &'a BTreeMap<Member, Seen>,
    /// The checks' verdicts.
    pub(crate) checks: &'a BTreeMap<String, Verdict>,
    /// The time of the plan.
    pub(crate) now: WallTime,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The new version was accepted.
    Completed,
    /// The new version was removed before it had the output.
    GivenUp,
    /// The old version got the output back.
    RolledBack,
}

impl Outcome {
    /// As it is in the label.
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::GivenUp => "given_up",
            Outcome::RolledBack => "rolled_back",
        }
    }
}

/// The boundary of the cutover that is under way, else of the last one that was done; in epoch seconds.
pub(super) fn boundary_seconds(document: &Document) -> Option<f64> {
    let done = || document.history.iter().rev().find(|past| past.outcome == Ending::Done);
    let terms = document.terms().or_else(|| done().map(|past| &past.terms))?;
    terms.at.finite().map(|millis| millis as f64 / 1_000.0)
}

/// How many subtasks of both members have not acknowledged the cutover that is proposed. A gate that has not told of its
/// subtasks, and a member that has told of no gate, is missing once.
pub(super) fn acknowledgements_missing(document: &Document, reports: &BTreeMap<Member, Seen>) -> Option<u64> {
    let Some(Cutover::Proposed { terms, .. }) = &document.cutover else { return None };
    let missing = |member: Member| {
        let Some(seen) = reports.get(&member).filter(|seen| !seen.report.gates.is_empty()) else { return 1 };
        let of_gates = seen.report.gates.values().map(|gate| {
            let replies = gate.replies.as_ref().filter(|replies| replies.attempt == terms.attempt);
            let acknowledged = replies.map_or(0, |replies| replies.acknowledged);
            u64::from(gate.parallelism.max(1).saturating_sub(acknowledged))
        });
        of_gates.sum::<u64>()
    };
    Some(missing(document.active().member) + missing(terms.to))
}

/// How the rollout of `before` has ended in `after`; `None` when it goes on, or there was none.
pub(super) fn outcome(before: &Record, after: &Record) -> Option<Outcome> {
    if !matches!(after.phase, Phase::Idle) {
        return None;
    }
    let active = after.active.as_ref()?;
    match &before.phase {
        Phase::Starting { purpose, .. } | Phase::Proving { purpose, .. } => Some(match purpose {
            Purpose::Standby(_) => Outcome::GivenUp,
            Purpose::Reclaim => Outcome::RolledBack,
            Purpose::First | Purpose::InPlace { fallback: Some(_) } => Outcome::Completed,
            // Without a way back it is the way back, unless it is the wanted one.
            Purpose::InPlace { fallback: None } => match &after.failed {
                Some(failed) if failed.revision != active.revision => Outcome::RolledBack,
                Some(_) | None => Outcome::Completed,
            },
        }),
        Phase::Snapshotting { .. }
        | Phase::Ready { .. }
        | Phase::Pinning { .. }
        | Phase::CuttingOver { .. }
        | Phase::Aborting { .. }
        | Phase::Stopping { .. } => Some(Outcome::GivenUp),
        Phase::Watching { .. } => Some(Outcome::Completed),
        Phase::Reversing { back, .. } => {
            let is_back = active.launch.member == back.launch.member;
            Some(if is_back { Outcome::RolledBack } else { Outcome::Completed })
        }
        Phase::Fencing { .. } | Phase::Claiming { .. } => Some(Outcome::RolledBack),
        Phase::Idle
        | Phase::Suspended { .. }
        | Phase::Relaunching { .. }
        | Phase::Leaving { .. }
        | Phase::Left => None,
    }
}

/// How long the rollout has taken, by its history, less the time that a person held it; `None` when its beginning is not in
/// the history any more.
pub(super) fn duration_ms(record: &Record, now: WallTime) -> Option<u64> {
    let mut entries = record.history.iter().filter(|entry| entry.attempt == record.attempt);
    let begun = entries.clone().next()?.at;
    let is_cut = record.history.first().is_some_and(|first| first.attempt == record.attempt);
    if is_cut && record.attempt > 1 {
        return None;
    }
    let mut paused = None;
    let mut held: u64 = 0;
    entries.by_ref().for_each(|Entry { at, what, .. }| match what.as_str() {
        Entry::PAUSED => paused = Some(*at),
        Entry::RESUMED => held += paused.take().map_or(0, |paused| at.since(paused)),
        _ => {}
    });
    held += paused.map_or(0, |paused| now.since(paused));
    Some(now.since(begun).saturating_sub(held))
}

/// How long a person has held the rollout since `last`; nothing when nobody was looking before: another controller has
/// counted that.
pub(super) fn paused_ms(look: &Look<'_>, last: Option<WallTime>) -> u64 {
    let since = look.before.paused.or(look.plan.record.paused);
    match (since, last) {
        (Some(since), Some(last)) => look.now.since(since.max(last)),
        (_, _) => 0,
    }
}
