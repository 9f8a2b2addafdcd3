//! What the conductor waits for, down to the subtask. `tidegate status --why` shows this list; nobody computes it again.

use std::fmt;

use super::{Observation, Seen};
use crate::document::{NotAllowed, Terms};
use crate::identity::Member;
use crate::report::NAMED;
use crate::time::EventTime;

/// One thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Whose it is.
    pub member: Option<Member>,
    /// The gate.
    pub gate: Option<String>,
    /// The subtask.
    pub subtask: Option<u32>,
    /// What is missing.
    pub what: WaitingFor,
    /// How far it is.
    pub detail: String,
}

/// The kinds of things that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitingFor {
    /// A sign of life.
    Member,
    /// A subtask's status.
    Subtask,
    /// A subtask's acknowledgement.
    Acknowledgement,
    /// The frontier, at a boundary.
    Frontier,
    /// Event time itself, at a boundary: the inputs rest.
    Watermark,
    /// A person: the deadline of a committed cutover has passed.
    Overdue,
    /// The document: it is older than what was followed, or does not allow the change.
    Document,
}

impl WaitingFor {
    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            WaitingFor::Member => "Member",
            WaitingFor::Subtask => "Subtask",
            WaitingFor::Acknowledgement => "Acknowledgement",
            WaitingFor::Frontier => "Frontier",
            WaitingFor::Watermark => "Watermark",
            WaitingFor::Overdue => "Overdue",
            WaitingFor::Document => "Document",
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if let Some(member) = self.member {
            write!(f, "{member}")?;
            comma = ", ";
        }
        if let Some(gate) = &self.gate {
            write!(f, "{comma}gate {gate}")?;
            comma = ", ";
        }
        if let Some(subtask) = self.subtask {
            write!(f, "{comma}subtask {subtask}")?;
            comma = ", ";
        }
        write!(f, "{}{}", if comma.is_empty() { "" } else { ": " }, self.detail)
    }
}

impl Waiting {
    fn of(member: Member, what: WaitingFor, detail: String) -> Waiting {
        Waiting { member: Some(member), gate: None, subtask: None, what, detail }
    }

    pub(super) fn overdue(from: Member, terms: &Terms, elapsed_ms: u64) -> Waiting {
        let detail = format!(
            "attempt {} was committed {} s ago and is not done; it cannot be aborted: bring {from} forward, or reclaim if its job is dead",
            terms.attempt.0,
            elapsed_ms / 1_000
        );
        Waiting::of(from, WaitingFor::Overdue, detail)
    }

    pub(super) fn watermark(member: Member, high: EventTime, end: EventTime) -> Waiting {
        let detail = format!("no watermark has reached {end} yet, the highest is {high}: its inputs rest");
        Waiting::of(member, WaitingFor::Watermark, detail)
    }

    pub(super) fn not_allowed(reason: &NotAllowed) -> Waiting {
        Waiting {
            member: None,
            gate: None,
            subtask: None,
            what: WaitingFor::Document,
            detail: reason.to_string(),
        }
    }
}

/// A member has followed a newer document than this one: somebody has put back an old one, and nothing may be built on it.
pub(super) fn put_back(observation: Observation<'_>) -> Option<Waiting> {
    let known = |seen: &Seen| seen.report.epoch.map(|epoch| (epoch, seen.report.member));
    let (epoch, member) = observation.reports.values().filter_map(known).max()?;
    let found = observation.document.epoch;
    let detail = format!("it has followed epoch {}, but the document has epoch {}", epoch.0, found.0);
    (epoch > found).then(|| Waiting::of(member, WaitingFor::Document, detail))
}

fn no_report(member: Member) -> Vec<Waiting> {
    vec![Waiting::of(member, WaitingFor::Member, "it has never reported".to_owned())]
}

/// What is missing until every subtask of a member has acknowledged the attempt.
pub(super) fn acknowledgements(seen: Option<&Seen>, member: Member, terms: &Terms) -> Vec<Waiting> {
    let Some(seen) = seen else { return no_report(member) };
    let mut waiting = Vec::new();
    if !seen.is_alive() {
        let detail = format!("no sign of life for {} s", seen.silent_ms / 1_000);
        waiting.push(Waiting::of(member, WaitingFor::Member, detail));
    }
    if seen.report.gates.is_empty() {
        waiting.push(Waiting::of(member, WaitingFor::Subtask, "it has told of no gate".to_owned()));
    }
    for (name, gate) in &seen.report.gates {
        let replies = gate.replies.as_ref().filter(|replies| replies.attempt == terms.attempt);
        let acknowledged = replies.map_or(0, |replies| replies.acknowledged);
        if gate.parallelism > 0 && acknowledged == gate.parallelism && gate.ready == gate.parallelism {
            continue;
        }
        // Never nobody: an empty list would be taken for an acknowledgement.
        let named = match replies {
            Some(replies) if !replies.missing.is_empty() => replies.missing.clone(),
            Some(_) | None => (0..gate.parallelism.max(1)).take(NAMED).collect(),
        };
        for subtask in named {
            waiting.push(Waiting {
                member: Some(member),
                gate: Some(name.clone()),
                subtask: Some(subtask),
                what: WaitingFor::Acknowledgement,
                detail: format!(
                    "has not acknowledged attempt {} ({acknowledged} of {} have, {} are ready)",
                    terms.attempt.0, gate.parallelism, gate.ready
                ),
            });
        }
    }
    waiting
}

/// What is missing until a member's frontier is at `at`; never empty when it is not.
pub(super) fn frontier(seen: Option<&Seen>, member: Member, at: EventTime) -> Vec<Waiting> {
    let Some(seen) = seen else { return no_report(member) };
    let mut waiting = Vec::new();
    if !seen.is_alive() {
        let detail = format!("no sign of life for {} s", seen.silent_ms / 1_000);
        waiting.push(Waiting::of(member, WaitingFor::Member, detail));
    }
    for (name, gate) in seen.report.gates.iter().filter(|(_, gate)| gate.frontier < at) {
        let slow = gate.slowest.iter().filter(|slow| slow.frontier < at);
        waiting.extend(slow.map(|slow| Waiting {
            member: Some(member),
            gate: Some(name.clone()),
            subtask: Some(slow.subtask),
            what: WaitingFor::Frontier,
            detail: format!(
                "frontier {} < {at} (watermark {}, {} held)",
                slow.frontier, slow.watermark, slow.held
            ),
        }));
    }
    if waiting.is_empty() {
        waiting.push(Waiting::of(member, WaitingFor::Subtask, "it has told of no gate".to_owned()));
    }
    waiting
}
