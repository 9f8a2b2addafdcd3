//! The cutover document: a step function from event time to the member that owns it, and the few ways in which it changes.
//!
//! Only the document decides who owns what. Every method here that changes it returns the next document, with the next
//! epoch; whether the change may be made now is the conductor's question. Nothing here reads a clock or a store.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::identity::{Attempt, Epoch, Member, Origin, Snapshot};
use crate::text::cut;
use crate::time::{EventTime, WallTime};

/// How many finished cutovers the document remembers.
pub const HISTORY: usize = 32;
/// How many characters of a reason the document keeps. It must fit into every store whatever is reported or asked for: one
/// that cannot be written is a conductor that takes no step.
pub const REASON: usize = 2_000;

/// A part of event time, from `since` to the next owner's `since`, and who owns it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The first event time that is owned.
    pub since: EventTime,
    /// Who owns it.
    pub member: Member,
    /// What this generation was started from: nothing else may emit in its name.
    pub origin: Origin,
    /// It continues for a dead owner, and so what was held in that snapshot is its own.
    pub reclaimed: bool,
}

/// When the new owner begins to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandOver {
    /// Once everything below the boundary is committed: an old value never follows a newer one.
    Ordered,
    /// At the commit: no pause, and both members emit for a while.
    Overlapped,
}

/// What the first owner does with records below `settled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LatePolicy {
    /// They are emitted, and counted.
    Emit,
    /// They are dropped, and counted.
    Drop,
    /// They go to a stream of their own, and are counted.
    SideOutput,
}

/// What the members of a rollout agree on beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The hand-over of a cutover that does not name its own.
    pub hand_over: HandOver,
    /// Policy for records below `settled`.
    pub late: LatePolicy,
    /// How far behind the frontier a record may come and still count, in milliseconds of event time.
    pub lateness_ms: i64,
    /// How long an attempt may wait for its acknowledgements, in milliseconds of wall-clock time.
    pub propose_deadline_ms: u64,
    /// How long a committed cutover may take before its wait is called overdue, in milliseconds of wall-clock time.
    pub finish_deadline_ms: u64,
    /// How long an order takes from the document to the last subtask at worst, in milliseconds of wall-clock time.
    pub control_path_ms: u64,
    /// How often a boundary that the conductor chose is chosen again.
    pub tries: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hand_over: HandOver::Ordered,
            late: LatePolicy::Emit,
            lateness_ms: 0,
            propose_deadline_ms: 30_000,
            finish_deadline_ms: 600_000,
            control_path_ms: 1_000,
            tries: 6,
        }
    }
}

/// What one attempt is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Binds every acknowledgement.
    pub attempt: Attempt,
    /// Who takes over.
    pub to: Member,
    /// What `to` was started from.
    pub origin: Origin,
    /// The boundary: `from` owns what is below it, `to` the rest.
    pub at: EventTime,
    /// When `to` begins to emit.
    pub hand_over: HandOver,
    /// When the first try of this cutover was proposed.
    pub proposed: WallTime,
}

/// The cutover that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cutover {
    /// Everybody is asked to hold from the boundary on.
    Proposed {
        /// What is proposed.
        terms: Terms,
        /// When the attempt is given up.
        deadline: WallTime,
        /// How many more boundaries may be tried; `None` when a person named this one.
        tries_left: Option<u32>,
    },
    /// Everybody holds, and the boundary is final.
    Committed {
        /// What was agreed.
        terms: Terms,
        /// When.
        committed: WallTime,
    },
}

/// How a cutover ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `to` owns everything from the boundary on.
    Done,
    /// Nothing changed hands.
    Aborted {
        /// Stable name of the reason.
        code: String,
        /// The reason.
        message: String,
    },
}

/// A cutover that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    /// The last attempt's terms.
    pub terms: Terms,
    /// Who would have handed over, or did.
    pub from: Member,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub ended: WallTime,
}

/// What became of the last request: each is answered once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The id of the request that is answered.
    pub request: String,
    /// The attempt that it began or ended.
    pub attempt: Option<Attempt>,
    /// `None` when it was taken up, else the stable name and the text of the refusal.
    pub refusal: Option<(String, String)>,
}

/// The one document that says who owns what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Document {
    /// The rollout that it belongs to.
    pub rollout: String,
    /// Grows by one with every change.
    pub epoch: Epoch,
    /// Below this everything is late.
    pub settled: EventTime,
    /// Ascending by `since`, never empty; the last one is the active member.
    pub owners: Vec<Owner>,
    /// The cutover that is under way.
    pub cutover: Option<Cutover>,
    /// The last attempt that was ever begun.
    pub attempts: Attempt,
    /// Members whose jobs are proven to be gone.
    pub gone: BTreeSet<Member>,
    /// The last request that was looked at.
    pub answered: Option<Answer>,
    /// Ended cutovers, oldest first, at most [`HISTORY`]; those that were aborted make room first.
    pub history: Vec<Past>,
    /// What the members agree on.
    pub settings: Settings,
}

/// What is needed to take the output back from a member whose job is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaim {
    /// The owner whose job is proven to be gone.
    pub dead: Member,
    /// Its frontier, from its last report.
    pub frontier: EventTime,
    /// The new generation that takes over.
    pub by: Member,
    /// The snapshot that it is started from, completed before the dead member's cutover was committed.
    pub snapshot: Snapshot,
}

/// A change that the document does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Another cutover is under way.
    #[error("a cutover is under way")]
    CutoverUnderWay,
    /// There is no cutover in the needed state.
    #[error("no cutover is in that state")]
    NoSuchCutover,
    /// The boundary is not above the last owner's part.
    #[error("the boundary is not above {0}, from which the active member owns")]
    NotAbove(EventTime),
    /// That member already owns the end of event time.
    #[error("{0} is the active member")]
    AlreadyActive(Member),
    /// Only the active member can be reclaimed from.
    #[error("{0} is not the active member")]
    NotActive(Member),
    /// That generation has played a part before.
    #[error("{0} is not a new generation")]
    NotNew(Member),
    /// All its inputs were idle or had ended: its report does not say how far it came.
    #[error("the inputs of {0} were idle, so how far its output goes must be named")]
    FrontierUnknown(Member),
    /// Only a former owner can be forgotten.
    #[error("{0} owns no former part of event time")]
    NotFormer(Member),
    /// There is nothing to settle.
    #[error("only one member owns event time")]
    NothingToSettle,
}

impl Document {
    /// The first document of a rollout: one member owns everything.
    pub fn first(rollout: &str, member: Member, origin: Origin, settings: Settings) -> Document {
        Document {
            rollout: rollout.to_owned(),
            epoch: Epoch(1),
            settled: EventTime::MIN,
            owners: vec![Owner { since: EventTime::MIN, member, origin, reclaimed: false }],
            cutover: None,
            attempts: Attempt(0),
            gone: BTreeSet::new(),
            answered: None,
            history: Vec::new(),
            settings,
        }
    }

    /// The active member's entry.
    pub fn active(&self) -> &Owner {
        self.owners.last().expect("a document has an owner: parsing and every change see to it")
    }

    /// The owner of a point in event time at or above `settled`.
    pub fn owner_of(&self, time: EventTime) -> Member {
        let owner = self.owners.iter().rev().find(|owner| owner.since <= time);
        owner.unwrap_or(&self.owners[0]).member
    }

    /// Whether a member owns any event time.
    pub fn owns(&self, member: Member) -> bool {
        self.owners.iter().any(|owner| owner.member == member)
    }

    /// Whether a member owns or has owned event time, as far as the document remembers: it has read what there was to read.
    pub fn has_owned(&self, member: Member) -> bool {
        let done =
            |past: &Past| past.outcome == Outcome::Done && (past.from == member || past.terms.to == member);
        self.owns(member) || self.history.iter().any(done)
    }

    /// The terms of the cutover under way, proposed or committed.
    pub fn terms(&self) -> Option<&Terms> {
        match &self.cutover {
            Some(Cutover::Proposed { terms, .. } | Cutover::Committed { terms, .. }) => Some(terms),
            None => None,
        }
    }

    /// What a member must have been started from to be given a say: its entry's origin, if it owns something or is to by a
    /// committed cutover. `None` when it may have been started from anything.
    pub fn binding_origin(&self, member: Member) -> Option<Origin> {
        let owned = self.owners.iter().find(|owner| owner.member == member).map(|owner| owner.origin);
        let committed = match &self.cutover {
            Some(Cutover::Committed { terms, .. }) if terms.to == member => Some(terms.origin),
            Some(Cutover::Committed { .. } | Cutover::Proposed { .. }) | None => None,
        };
        owned.or(committed)
    }

    /// Whether a member may be stopped for good: it owns nothing, and no cutover names it.
    pub fn may_retire(&self, member: Member) -> bool {
        !self.owns(member) && self.terms().is_none_or(|terms| terms.to != member)
    }

    fn next(&self) -> Document {
        Document { epoch: Epoch(self.epoch.0 + 1), ..self.clone() }
    }

    /// propose: none -> Proposed, or Proposed -> Proposed with a new attempt (an abort and a proposal in one change).
    pub fn propose(
        &self,
        mut terms: Terms,
        deadline: WallTime,
        tries_left: Option<u32>,
    ) -> Result<Document, NotAllowed> {
        if matches!(self.cutover, Some(Cutover::Committed { .. })) {
            return Err(NotAllowed::CutoverUnderWay);
        }
        if terms.to == self.active().member {
            return Err(NotAllowed::AlreadyActive(terms.to));
        }
        let least = self.active().since.max(self.settled);
        if terms.at <= least {
            return Err(NotAllowed::NotAbove(least));
        }
        terms.attempt = Attempt(self.attempts.0 + 1);
        let mut next = self.next();
        next.attempts = terms.attempt;
        next.cutover = Some(Cutover::Proposed { terms, deadline, tries_left });
        Ok(next)
    }

    /// commit: Proposed -> Committed.
    pub fn commit(&self, now: WallTime) -> Result<Document, NotAllowed> {
        let Some(Cutover::Proposed { terms, .. }) = &self.cutover else {
            return Err(NotAllowed::NoSuchCutover);
        };
        let mut next = self.next();
        next.cutover = Some(Cutover::Committed { terms: terms.clone(), committed: now });
        Ok(next)
    }

    /// abort: Proposed -> none.
    pub fn abort(&self, code: &str, message: &str, now: WallTime) -> Result<Document, NotAllowed> {
        let Some(Cutover::Proposed { terms, .. }) = &self.cutover else {
            return Err(NotAllowed::NoSuchCutover);
        };
        let mut next = self.next();
        next.cutover = None;
        next.remember(Past {
            terms: terms.clone(),
            from: self.active().member,
            outcome: Outcome::Aborted { code: code.to_owned(), message: cut(message, REASON) },
            ended: now,
        });
        Ok(next)
    }

    /// finish: Committed -> none, and `to` owns what is at or above the boundary.
    pub fn finish(&self, now: WallTime) -> Result<Document, NotAllowed> {
        let Some(Cutover::Committed { terms, .. }) = &self.cutover else {
            return Err(NotAllowed::NoSuchCutover);
        };
        let mut next = self.next();
        next.cutover = None;
        next.owners.push(Owner { since: terms.at, member: terms.to, origin: terms.origin, reclaimed: false });
        next.remember(Past {
            terms: terms.clone(),
            from: self.active().member,
            outcome: Outcome::Done,
            ended: now,
        });
        Ok(next)
    }

    /// settle: the first owner's part becomes the past; the end of that part becomes `settled`.
    pub fn settle(&self) -> Result<Document, NotAllowed> {
        if self.owners.len() < 2 {
            return Err(NotAllowed::NothingToSettle);
        }
        let mut next = self.next();
        next.owners.remove(0);
        next.settled = next.settled.max(next.owners[0].since);
        let owners = next.owners.clone();
        next.gone.retain(|member| owners.iter().any(|owner| owner.member == *member));
        Ok(next)
    }

    /// reclaim: the active member is proven to be gone, and a new generation owns what is at or above
    /// F = max(its `since`, its frontier - allowed lateness). In a committed cutover whose `from` is the dead one the new
    /// generation owns [F, at) and becomes `from`. Entries are never replaced; an empty part stays until it is settled.
    ///
    /// Returns the document and F: from F on, what the dead member had emitted may be repeated.
    pub fn reclaim(&self, reclaim: &Reclaim) -> Result<(Document, EventTime), NotAllowed> {
        let active = self.active();
        if active.member != reclaim.dead {
            return Err(NotAllowed::NotActive(reclaim.dead));
        }
        if self.owns(reclaim.by) || self.terms().is_some_and(|terms| terms.to == reclaim.by) {
            return Err(NotAllowed::NotNew(reclaim.by));
        }
        if reclaim.frontier == EventTime::MAX {
            return Err(NotAllowed::FrontierUnknown(reclaim.dead));
        }
        let since = active.since.max(reclaim.frontier.plus(-self.settings.lateness_ms));
        match &self.cutover {
            Some(Cutover::Proposed { .. }) => return Err(NotAllowed::CutoverUnderWay),
            Some(Cutover::Committed { terms, .. }) if since >= terms.at => {
                return Err(NotAllowed::CutoverUnderWay);
            }
            Some(Cutover::Committed { .. }) | None => {}
        }
        let mut next = self.next();
        let origin = Origin::Snapshot(reclaim.snapshot);
        next.owners.push(Owner { since, member: reclaim.by, origin, reclaimed: true });
        next.gone.insert(reclaim.dead);
        Ok((next, since))
    }

    /// forget: a former owner is dead for good, and settling no longer waits for it. What it had not committed is lost; so only
    /// a person may ask for it.
    pub fn forget(&self, member: Member) -> Result<Document, NotAllowed> {
        if !self.owns(member) || self.active().member == member {
            return Err(NotAllowed::NotFormer(member));
        }
        let mut next = self.next();
        next.gone.insert(member);
        Ok(next)
    }

    /// The same document with the answer to a request; part of a change, or a change of its own.
    pub fn answer(&self, answer: Answer) -> Document {
        self.next().with_answer(answer)
    }

    /// Puts the answer into a document that is already the next one.
    pub fn with_answer(mut self, mut answer: Answer) -> Document {
        answer.refusal = answer.refusal.map(|(code, message)| (code, cut(&message, REASON)));
        self.answered = Some(answer);
        self
    }

    fn remember(&mut self, past: Past) {
        self.history.push(past);
        while self.history.len() > HISTORY {
            // What was only tried is forgotten first: who has owned event time must stay known while aborts go on.
            let former = &self.history[..HISTORY];
            let tried = former.iter().position(|past| past.outcome != Outcome::Done);
            self.history.remove(tried.unwrap_or(0));
        }
    }
}
