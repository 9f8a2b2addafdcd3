//! The conductor: a pure function that returns either the next document or the exact list of what it waits for.
//!
//! Any agent may evaluate it, since every step is one compare-and-set on the document that was read. The observation must
//! come from linearizable reads, the document's before the reports': an acknowledgement that is read belongs to the attempt
//! that it names, so it stays true while the document does not change.

mod boundary;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Answer, Cutover, Document, Terms};
use crate::identity::{Attempt, Member};
use crate::report::{GateReport, Report};
use crate::request::{Refusal, Request};
use crate::time::{EventTime, WallTime, When};
pub use waiting::{Waiting, WaitingFor};

/// A member whose report has not changed for this long is not alive, in milliseconds of the conductor's clock.
pub const SILENT_MS: u64 = 6_000;

/// A report, and for how long it has not changed as far as the conductor has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The newest report.
    pub report: Report,
    /// Milliseconds of the conductor's clock.
    pub silent_ms: u64,
}

impl Seen {
    /// Whether the member's agent has written lately.
    pub fn is_alive(&self) -> bool {
        self.silent_ms < SILENT_MS
    }
}

/// A request that was taken: see [`edit`](crate::edit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Names it; no two have the same.
    pub id: String,
    /// What was asked for.
    pub request: Request,
}

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The document.
    pub document: &'a Document,
    /// The members' reports.
    pub reports: &'a BTreeMap<Member, Seen>,
    /// The newest request, answered or not.
    pub asked: Option<&'a Asked>,
    /// People have paused the rollout: nothing is proposed, and what is only proposed ends.
    pub paused: bool,
    /// Wall-clock time, for deadlines only.
    pub now: WallTime,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Put this document in the place of the one that was observed.
    Change(Box<Document>, Step),
    /// Nothing may be done until something of this happens; empty when there is nothing to do.
    Wait(Vec<Waiting>),
}

/// The steps of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// none -> Proposed.
    Propose,
    /// Proposed -> Proposed, with a higher boundary.
    ProposeHigher,
    /// Proposed -> Committed.
    Commit,
    /// Proposed -> none.
    Abort,
    /// Committed -> none, with a new owner.
    Finish,
    /// The first owner's part becomes the past.
    Settle,
    /// A request is refused; nothing else changes.
    Refuse,
}

/// Decides.
pub fn conduct(observation: Observation<'_>) -> Decision {
    if let Some(waiting) = waiting::put_back(observation) {
        return Decision::Wait(vec![waiting]);
    }
    if let Some(decision) = answer(observation) {
        return decision;
    }
    match &observation.document.cutover {
        Some(Cutover::Proposed { terms, deadline, tries_left }) => {
            proposed(observation, terms, *deadline, *tries_left)
        }
        Some(Cutover::Committed { terms, committed }) => finish(observation, terms, *committed),
        None => settle(observation),
    }
}

/// A new request is answered before anything else.
fn answer(observation: Observation<'_>) -> Option<Decision> {
    let Observation { document, asked, .. } = observation;
    let Asked { id, request } = asked?;
    if document.answered.as_ref().is_some_and(|answer| answer.request == *id) {
        return None;
    }
    let done = |attempt| Answer { request: id.clone(), attempt, refusal: None };
    let result = match request {
        Request::Promote { .. } if observation.paused => Err(Refusal::Paused),
        Request::Promote { at, to, hand_over } => boundary::proposal(observation, *at, *to, *hand_over)
            .and_then(|proposal| propose(observation, proposal)),
        Request::Abort { attempt } => abort_asked(observation, *attempt).map(|next| (next, Step::Abort)),
    };
    Some(match result {
        Ok((next, step)) => {
            let attempt = document.terms().or(next.terms()).map(|terms| terms.attempt);
            Decision::Change(Box::new(next.with_answer(done(attempt))), step)
        }
        Err(refusal) => {
            let refusal = Some((refusal.code().to_owned(), refusal.to_string()));
            let answer = Answer { request: id.clone(), attempt: None, refusal };
            Decision::Change(Box::new(document.answer(answer)), Step::Refuse)
        }
    })
}

fn propose(observation: Observation<'_>, proposal: boundary::Proposal) -> Result<(Document, Step), Refusal> {
    let Observation { document, now, .. } = observation;
    let deadline = now.plus(document.settings.propose_deadline_ms);
    let refused = |_| Refusal::BoundaryInPast {
        at: proposal.terms.at.to_string(),
        high: document.active().since.max(document.settled).to_string(),
    };
    let next = document.propose(proposal.terms.clone(), deadline, proposal.tries_left).map_err(refused)?;
    Ok((next, Step::Propose))
}

fn abort_asked(observation: Observation<'_>, asked: Option<Attempt>) -> Result<Document, Refusal> {
    let Observation { document, now, .. } = observation;
    let attempt = document.terms().ok_or(Refusal::NothingToAbort)?.attempt;
    if let Some(asked) = asked.filter(|asked| *asked != attempt) {
        return Err(Refusal::OtherAttempt { asked: asked.0, current: attempt.0 });
    }
    let reason = Refusal::Asked;
    document.abort(reason.code(), &reason.to_string(), now).map_err(|_| Refusal::AlreadyCommitted(attempt.0))
}

fn proposed(
    observation: Observation<'_>,
    terms: &Terms,
    deadline: WallTime,
    tries_left: Option<u32>,
) -> Decision {
    let Observation { document, reports, now, .. } = observation;
    if observation.paused {
        return abort(observation, &Refusal::Paused);
    }
    let from = document.active().member;
    let refused = [from, terms.to]
        .into_iter()
        .filter_map(|member| reports.get(&member)?.report.refused_high(terms.attempt))
        .max();
    if let Some(high) = refused {
        return propose_higher(observation, terms, tries_left, high);
    }
    if let Some(member) = origin_changed(observation, terms) {
        return abort(observation, &Refusal::OriginChanged(member));
    }
    let acknowledges = |member| {
        reports.get(&member).is_some_and(|seen| seen.is_alive() && seen.report.acknowledges(terms.attempt))
    };
    if acknowledges(from) && acknowledges(terms.to) {
        return change(document.commit(now), Step::Commit);
    }
    let waiting: Vec<Waiting> = [from, terms.to]
        .into_iter()
        .flat_map(|member| waiting::acknowledgements(reports.get(&member), member, terms))
        .collect();
    if now >= deadline {
        let list: Vec<String> = waiting.iter().map(Waiting::to_string).collect();
        return abort(observation, &Refusal::DeadlinePassed(list.join("; ")));
    }
    Decision::Wait(waiting)
}

/// `to` was restarted from elsewhere since the proposal: what it has missed is not what was looked at.
fn origin_changed(observation: Observation<'_>, terms: &Terms) -> Option<Member> {
    let origin = observation.reports.get(&terms.to)?.report.origin?;
    (origin != terms.origin).then_some(terms.to)
}

fn propose_higher(
    observation: Observation<'_>,
    terms: &Terms,
    tries_left: Option<u32>,
    high: EventTime,
) -> Decision {
    let Observation { document, now, .. } = observation;
    let Some(left) = tries_left else {
        return abort(
            observation,
            &Refusal::BoundaryInPast { at: terms.at.to_string(), high: high.to_string() },
        );
    };
    if left == 0 {
        return abort(observation, &Refusal::GaveUp(format!("the highest event time was {high}")));
    }
    let tried = document.settings.tries.saturating_sub(left);
    match boundary::next(observation, terms, tried, high) {
        Ok(at) => {
            let deadline = now.plus(document.settings.propose_deadline_ms);
            change(
                document.propose(Terms { at, ..terms.clone() }, deadline, Some(left - 1)),
                Step::ProposeHigher,
            )
        }
        Err(refusal) => abort(observation, &refusal),
    }
}

fn abort(observation: Observation<'_>, reason: &Refusal) -> Decision {
    change(observation.document.abort(reason.code(), &reason.to_string(), observation.now), Step::Abort)
}

fn finish(observation: Observation<'_>, terms: &Terms, committed: WallTime) -> Decision {
    let Observation { document, reports, now, .. } = observation;
    let from = document.active().member;
    if reports.get(&from).is_some_and(|seen| seen.report.frontier() >= terms.at) {
        return change(document.finish(now), Step::Finish);
    }
    let mut waiting = waiting::frontier(reports.get(&from), from, terms.at);
    if now.since(committed) >= document.settings.finish_deadline_ms {
        waiting.insert(0, Waiting::overdue(from, terms, now.since(committed)));
    }
    Decision::Wait(waiting)
}

/// The frontier of all live owners must have passed the end of the first owner's part, by the allowed lateness; and event time
/// itself, in one of them: the frontier of an input that rests is beyond every boundary, and says nothing of what is to come.
fn settle(observation: Observation<'_>) -> Decision {
    let Observation { document, reports, .. } = observation;
    let Some(second) = document.owners.get(1) else { return Decision::Wait(Vec::new()) };
    let end = second.since.plus(document.settings.lateness_ms);
    let owners = || document.owners.iter().map(|owner| owner.member);
    let live = || owners().filter(|member| !document.gone.contains(member));
    let behind = |member: &Member| reports.get(member).is_none_or(|seen| seen.report.frontier() < end);
    let behind: BTreeSet<Member> = live().filter(behind).collect();
    if behind.is_empty() {
        let watermark = |member| Some(reports.get(&member)?.report.highest(|gate| gate.watermark_high));
        let high = live().filter_map(watermark).max().unwrap_or(EventTime::MIN);
        if high < end {
            return Decision::Wait(vec![Waiting::watermark(document.active().member, high, end)]);
        }
        return change(document.settle(), Step::Settle);
    }
    let waiting = |member| waiting::frontier(reports.get(&member), member, end);
    Decision::Wait(behind.into_iter().flat_map(waiting).collect())
}

/// The guards above make every change an allowed one; if one is not, nothing is done and it is said.
fn change(next: Result<Document, crate::document::NotAllowed>, step: Step) -> Decision {
    match next {
        Ok(next) => Decision::Change(Box::new(next), step),
        Err(reason) => Decision::Wait(vec![Waiting::not_allowed(&reason)]),
    }
}

impl Report {
    /// Every subtask of every gate has acknowledged the attempt.
    pub fn acknowledges(&self, attempt: Attempt) -> bool {
        let all = |gate: &GateReport| {
            gate.replies
                .as_ref()
                .is_some_and(|replies| replies.attempt == attempt && replies.acknowledged == gate.parallelism)
        };
        self.is_complete() && self.gates.values().all(all)
    }

    /// The highest timestamp of the subtasks that refused an attempt.
    pub fn refused_high(&self, attempt: Attempt) -> Option<EventTime> {
        let replies = self.gates.values().filter_map(|gate| gate.replies.as_ref());
        replies.filter(|replies| replies.attempt == attempt).filter_map(|replies| replies.refused_high).max()
    }
}

/// The form in which a person names a boundary, for the texts of refusals.
fn named(at: When) -> Option<When> {
    match at {
        When::Now => None,
        When::In(_) | When::At(_) => Some(at),
    }
}
