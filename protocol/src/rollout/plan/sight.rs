//! What the document says, and what is safe when it cannot be read.

use super::super::action::Action;
use super::super::observation::Sight;
use super::super::record::Operation;
use super::Planner;
use crate::conductor::{self, Decision};
use crate::document::{Cutover, Document, Outcome};
use crate::identity::{Attempt, Member};

/// How far a cutover is that was asked for.
pub(super) enum Course {
    /// The document cannot be read, or is missing.
    Blind,
    /// Not asked for yet, as far as can be seen.
    Unasked,
    /// Asked for; nobody has looked at it.
    Unanswered,
    /// It is proposed.
    Proposed,
    /// It cannot be taken back.
    Committed,
    /// It is done.
    Over,
    /// It was refused or aborted.
    Failed(String),
}

/// How far a withdrawal is.
pub(super) enum Withdrawal {
    /// Nothing of what was asked for can come any more.
    Done,
    /// It must be asked for.
    Ask(Action),
    /// Nobody has looked at it.
    Unanswered,
    /// The document cannot be read, or is missing.
    Blind,
}

impl<'a> Planner<'a> {
    pub(super) fn document(&self) -> Option<&'a Document> {
        match self.observed.document {
            Sight::Seen(document) => Some(document),
            Sight::Absent | Sight::Unknown => None,
        }
    }

    /// The member owns nothing, and no cutover names it: proven by the document, or by there never having been one.
    pub(super) fn is_free(&self, member: Member) -> bool {
        match self.observed.document {
            Sight::Seen(document) => {
                let owns = document.owns(member) && !document.gone.contains(&member);
                let named = document.terms().is_some_and(|terms| terms.to == member);
                !owns && !named
            }
            Sight::Absent => !self.record.gated,
            Sight::Unknown => false,
        }
    }

    pub(super) fn is_committed_to(&self, member: Member) -> bool {
        let cutover = self.document().and_then(|document| document.cutover.as_ref());
        match cutover {
            Some(Cutover::Committed { terms, .. }) => terms.to == member,
            Some(Cutover::Proposed { .. }) | None => false,
        }
    }

    pub(super) fn attempts(&self) -> Attempt {
        self.document().map_or(Attempt(0), |document| document.attempts)
    }

    /// How far the cutover to a member is: told by its effects first, by the answer to the request only then.
    pub(super) fn course(&self, to: Member, before: Attempt, operation: Operation) -> Course {
        let Some(document) = self.document() else { return Course::Blind };
        if document.active().member == to {
            return Course::Over;
        }
        match &document.cutover {
            Some(Cutover::Committed { terms, .. }) if terms.to == to => return Course::Committed,
            Some(Cutover::Proposed { terms, .. }) if terms.to == to => return Course::Proposed,
            Some(Cutover::Committed { .. } | Cutover::Proposed { .. }) | None => {}
        }
        let mut ended = document.history.iter().rev();
        let ended = ended.find(|past| past.terms.attempt > before && past.terms.to == to);
        if let Some(Outcome::Aborted { code, message }) = ended.map(|past| &past.outcome) {
            return Course::Failed(format!("{code}: {message}"));
        }
        let id = operation.to_string();
        match document.answered.as_ref().filter(|answer| answer.request == id) {
            None if self.observed.placed == Some(&id) => Course::Unanswered,
            None => Course::Unasked,
            Some(answer) => Course::Failed(match &answer.refusal {
                Some((code, message)) => format!("{code}: {message}"),
                None => "it was taken up and is not known any more".to_owned(),
            }),
        }
    }

    /// Takes back what was asked for. It takes the place of the request, so that nobody takes that up later; once it is answered
    /// no cutover to that member is open.
    pub(super) fn withdrawal(&self, to: Member, operation: Operation) -> Withdrawal {
        let document = match self.observed.document {
            Sight::Seen(document) => document,
            Sight::Absent if !self.record.gated => return Withdrawal::Done,
            Sight::Absent | Sight::Unknown => return Withdrawal::Blind,
        };
        let attempt = document.terms().filter(|terms| terms.to == to).map(|terms| terms.attempt);
        let answered = document.answered.as_ref().map(|answer| answer.request.as_str());
        let is_ours = |id: &&str| operation.is_withdrawal(id);
        match self.observed.placed.filter(is_ours) {
            Some(placed) if answered != Some(placed) => Withdrawal::Unanswered,
            _ if attempt.is_none() && answered.filter(is_ours).is_some() => Withdrawal::Done,
            _ => Withdrawal::Ask(Action::Withdraw { operation, attempt }),
        }
    }

    /// What the conductor waits for, in its own words.
    pub(super) fn wait_for_conductor(&mut self) {
        let Some(document) = self.document() else { return };
        let observation = conductor::Observation {
            document,
            reports: self.observed.reports,
            asked: None,
            paused: false,
            now: self.now,
        };
        if let Decision::Wait(waiting) = conductor::conduct(observation) {
            for waiting in waiting {
                self.wait(waiting.what.code(), waiting.to_string());
            }
        }
    }

    /// The cause, when a wait goes on because the document is not there.
    pub(super) fn blind(&mut self) -> super::Turn {
        match self.observed.document {
            Sight::Unknown => self.call(
                "StoreUnknown",
                "the rollout's store or its cutover document cannot be read; nothing is stopped, and the jobs go on as before",
            ),
            Sight::Absent | Sight::Seen(_) => self.call(
                "DocumentMissing",
                "the rollout has no cutover document; check that the job has a gate and the same store, or restore the document \
                 from a copy",
            ),
        }
    }
}
