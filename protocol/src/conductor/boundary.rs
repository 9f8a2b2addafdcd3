//! Where the boundary is put, and who may take over.

use super::{Observation, Seen, named};
use crate::document::{HandOver, Terms};
use crate::identity::{Attempt, Member, Origin};
use crate::report::Report;
use crate::request::Refusal;
use crate::time::{EventTime, When};

/// A timestamp this far above the watermark is not believed when a boundary is chosen: a day, or what goes by in ten minutes.
const AHEAD_MS: i64 = 86_400_000;
const AHEAD_S: i64 = 600;

/// A proposal that may be put to the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) terms: Terms,
    /// `None` when a person named the boundary.
    pub(super) tries_left: Option<u32>,
}

/// Checks a request to promote and chooses its boundary.
pub(super) fn proposal(
    observation: Observation<'_>,
    at: When,
    to: Option<Member>,
    hand_over: Option<HandOver>,
) -> Result<Proposal, Refusal> {
    let Observation { document, now, .. } = observation;
    if let Some(terms) = document.terms() {
        let state = if matches!(document.cutover, Some(crate::document::Cutover::Committed { .. })) {
            "committed"
        } else {
            "proposed"
        };
        return Err(Refusal::CutoverUnderWay { attempt: terms.attempt.0, state });
    }
    let from = document.active().member;
    let from_report = alive(observation, from)?;
    let (to, to_report) = standby(observation, to)?;
    let origin = may_take_over(observation, to, to_report, from_report)?;
    let high = seen(from_report, to_report);
    if named(at).is_none_or(|at| matches!(at, When::In(_))) {
        believable(high, from_report, to_report)?;
    }
    let boundary = match at {
        When::Now => high.finite().map(|_| high.plus(margin(observation, from_report, 0))),
        When::In(millis) => high.finite().map(|_| high.plus(millis)),
        When::At(at) => Some(at),
    };
    let boundary = boundary.filter(|at| at.finite().is_some()).ok_or(Refusal::NoEventTime)?;
    let past = document.active().since.max(document.settled).max(high);
    if boundary <= past {
        return Err(Refusal::BoundaryInPast { at: boundary.to_string(), high: past.to_string() });
    }
    let hand_over = hand_over.unwrap_or(document.settings.hand_over);
    let terms = Terms { attempt: Attempt(0), to, origin, at: boundary, hand_over, proposed: now };
    let tries_left = if named(at).is_some() { None } else { Some(document.settings.tries.saturating_sub(1)) };
    Ok(Proposal { terms, tries_left })
}

/// The next boundary after one was refused: above everything seen, by a margin that doubles with every try.
pub(super) fn next(
    observation: Observation<'_>,
    terms: &Terms,
    tried: u32,
    refused: EventTime,
) -> Result<EventTime, Refusal> {
    let from = alive(observation, observation.document.active().member)?;
    let to = alive(observation, terms.to)?;
    let high = seen(from, to).max(refused).max(terms.at);
    // What was believable when the attempt began need not be what it was refused for.
    believable(high, from, to)?;
    let at = high.plus(margin(observation, from, tried));
    if at.finite().is_none() {
        return Err(Refusal::GaveUp(format!("the highest event time was {high}")));
    }
    Ok(at)
}

/// The highest event time that either side has seen.
fn seen(from: &Report, to: &Report) -> EventTime {
    let watermark = |report: &Report| {
        let finite = report.highest(|gate| gate.watermark_high);
        if finite == EventTime::MAX { EventTime::MIN } else { finite }
    };
    let highs = [
        from.highest(|gate| gate.emitted_high),
        to.highest(|gate| gate.discarded_high),
        watermark(from),
        watermark(to),
    ];
    highs.into_iter().max().unwrap_or(EventTime::MIN)
}

/// A boundary that is chosen must be reached before long: not so when a record was dated far above everything else (F7), and
/// not known before there is a watermark to compare it with.
fn believable(high: EventTime, from: &Report, to: &Report) -> Result<(), Refusal> {
    let watermark = from.highest(|gate| gate.watermark_high);
    let ahead = rate(from).max(rate(to)).saturating_mul(AHEAD_S).max(AHEAD_MS);
    if watermark == EventTime::MIN && high > EventTime::MIN {
        return Err(Refusal::NoEventTime);
    }
    if watermark.finite().is_some() && high > watermark.plus(ahead) {
        return Err(Refusal::FarFuture { high: high.to_string(), watermark: watermark.to_string() });
    }
    Ok(())
}

/// Event time that goes by in a second, in milliseconds; at least as fast as the clock.
fn rate(report: &Report) -> i64 {
    report.event_rate.max(1_000)
}

/// Event time that goes by while an order travels, doubled with every try, in milliseconds. It goes by the pace of the active
/// member: the other one may be catching up with days of it in seconds, and will be no faster once it has.
fn margin(observation: Observation<'_>, from: &Report, tried: u32) -> i64 {
    let path = i64::try_from(observation.document.settings.control_path_ms).unwrap_or(i64::MAX);
    let margin = rate(from).saturating_mul(path) / 1_000;
    margin.max(1).saturating_mul(1_i64.checked_shl(tried.min(32)).unwrap_or(i64::MAX))
}

fn alive(observation: Observation<'_>, member: Member) -> Result<&Report, Refusal> {
    match observation.reports.get(&member) {
        Some(seen) if seen.is_alive() => Ok(&seen.report),
        Some(seen) => {
            let detail = format!("its report has not changed for {:.1} s", seen.silent_ms as f64 / 1_000.0);
            Err(Refusal::MemberNotAlive { member, detail })
        }
        None => Err(Refusal::MemberNotAlive { member, detail: "it has never reported".to_owned() }),
    }
}

fn standby<'a>(observation: Observation<'a>, to: Option<Member>) -> Result<(Member, &'a Report), Refusal> {
    let active = observation.document.active().member;
    if let Some(to) = to {
        return if to == active {
            Err(Refusal::AlreadyActive(to))
        } else {
            Ok((to, alive(observation, to)?))
        };
    }
    let candidates: Vec<(&Member, &Seen)> =
        observation.reports.iter().filter(|(member, seen)| **member != active && seen.is_alive()).collect();
    match candidates.as_slice() {
        [] => Err(Refusal::NoStandby),
        [(member, seen)] => Ok((**member, &seen.report)),
        several => {
            let names: Vec<String> = several.iter().map(|(member, _)| member.to_string()).collect();
            Err(Refusal::StandbyAmbiguous { count: names.len(), names: names.join(", ") })
        }
    }
}

/// `to` must be complete, free of trouble, have the same gates, and start where the active member's snapshot ends, unless it
/// has been the active member itself.
fn may_take_over(
    observation: Observation<'_>,
    to: Member,
    report: &Report,
    from: &Report,
) -> Result<Origin, Refusal> {
    if !from.gates.keys().eq(report.gates.keys()) {
        let names = |report: &Report| report.gates.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(Refusal::GatesDiffer {
            from: from.member,
            from_gates: names(from),
            to,
            to_gates: names(report),
        });
    }
    if let Some(trouble) = report.trouble.first() {
        return Err(Refusal::StandbyClosed {
            member: to,
            detail: format!("{}: {}", trouble.code, trouble.message),
        });
    }
    let origin = report.origin.filter(|_| report.is_complete() && report.epoch.is_some());
    match origin {
        None => {
            let ready: Vec<String> = report
                .gates
                .iter()
                .map(|(name, gate)| format!("{name} {}/{}", gate.ready, gate.parallelism))
                .collect();
            Err(Refusal::StandbyClosed {
                member: to,
                detail: format!("not all subtasks are ready ({})", ready.join(", ")),
            })
        }
        Some(Origin::Fresh) if !report.from_beginning && !observation.document.has_owned(to) => {
            Err(Refusal::StandbyWithoutSnapshot(to))
        }
        Some(origin) => Ok(origin),
    }
}
