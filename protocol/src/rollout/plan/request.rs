//! What a person asks for. Each request is answered once; one that is refused says why, and changes nothing.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a phase that a verb does not name refuses it, whichever it is"
)]

use super::super::observation::{Asked, Verb};
use super::super::record::{Answered, Cause, Failure, Phase, Purpose, Start, Version, Way};
use super::Planner;
use crate::identity::Member;
use crate::time::EventTime;

type Answer = Result<(), String>;

impl Planner<'_> {
    pub(super) fn answer(&mut self) {
        let Some(asked) = self.observed.asked else { return };
        if self.record.answered.as_ref().is_some_and(|answered| answered.id == asked.id) {
            return;
        }
        let name = asked.verb.name();
        let phase = self.record.phase.name();
        let result = match &self.record.phase {
            Phase::Leaving { .. } | Phase::Left => Err("the resource is being deleted".to_owned()),
            _ if self.observed.deleting => Err("the resource is being deleted".to_owned()),
            _ => self.follow(asked),
        };
        let refusal = result.err().map(|why| format!("{name} is refused in phase {phase}: {why}"));
        let what = match &refusal {
            None => format!("asked for {name}"),
            Some(refusal) => refusal.clone(),
        };
        self.tell_of(&asked.who, what, asked.why.clone());
        self.record.answered = Some(Answered { id: asked.id.clone(), refusal });
    }

    fn follow(&mut self, asked: &Asked) -> Answer {
        let why = if asked.why.is_empty() { String::new() } else { format!(": {}", asked.why) };
        let failure = Failure::new(Cause::Asked, format!("{} asked for it{why}", asked.who));
        match &asked.verb {
            Verb::Promote { waive } => self.promote(*waive),
            Verb::Abort => self.abort(failure),
            Verb::Rollback { frontier } => self.roll_back(failure, *frontier),
            Verb::Retry => self.retry(),
            Verb::Replace { from } => self.replace(from.as_ref()),
            Verb::Forget { member } => self.forget(*member),
        }
    }

    fn promote(&mut self, waive: bool) -> Answer {
        match &mut self.record.phase {
            Phase::Ready { promoted, .. } => {
                *promoted = true;
                Ok(())
            }
            Phase::Proving { purpose: Purpose::Standby(_), waived, .. } if waive => {
                *waived = true;
                Ok(())
            }
            Phase::Watching { .. } if waive => {
                self.accept();
                Ok(())
            }
            Phase::Proving { purpose: Purpose::Standby(target), .. } => {
                let launch = target.launch;
                Err(format!(
                    "{launch} is not ready yet; ask for it with waive to skip its lag, window and checks"
                ))
            }
            _ => Err("no new version waits for its promotion".to_owned()),
        }
    }

    /// The new version has the output, and is accepted as it is.
    fn accept(&mut self) {
        if let Phase::Watching { former, .. } = self.record.phase.clone() {
            self.leave_over(former, Way::Retire);
            self.record.phase = Phase::Idle;
        }
    }

    fn abort(&mut self, failure: Failure) -> Answer {
        match self.record.phase.clone() {
            Phase::Snapshotting { revision, .. } => {
                if let Some(active) = self.record.active.clone() {
                    self.fail(&Version { revision, ..active }, failure);
                }
                self.record.phase = Phase::Idle;
            }
            Phase::Starting { purpose: Purpose::Standby(target), .. }
            | Phase::Proving { purpose: Purpose::Standby(target), .. }
            | Phase::Ready { target, .. }
            | Phase::Pinning { target, .. } => {
                self.give_up(target, failure);
            }
            Phase::CuttingOver { target, .. }
                if self.is_committed_to(target.launch.member) || self.is_active(&target) =>
            {
                return Err("the cutover is committed; ask for rollback".to_owned());
            }
            Phase::CuttingOver { target, baseline, way_back, tries, .. } => {
                let since = self.now;
                self.record.phase = Phase::Aborting { target, baseline, way_back, tries, failure, since };
            }
            Phase::Aborting { .. } => {}
            Phase::Reversing { back, way_back, before, tries, failure, since, .. } => {
                if self.is_committed_to(back.launch.member) || self.is_active(&back) {
                    return Err("the way back is committed".to_owned());
                }
                let abandoned = true;
                self.record.phase =
                    Phase::Reversing { back, way_back, before, tries, failure, abandoned, since };
            }
            _ => return Err("nothing is under way that could be aborted".to_owned()),
        }
        Ok(())
    }

    fn roll_back(&mut self, failure: Failure, named: Option<EventTime>) -> Answer {
        match &mut self.record.phase {
            Phase::CuttingOver { condemned, .. } | Phase::Watching { condemned, .. } => {
                condemned.get_or_insert(failure);
                return Ok(());
            }
            Phase::Fencing { frontier, .. } if named.is_some() => {
                *frontier = named;
                return Ok(());
            }
            Phase::Reversing { abandoned, .. } => {
                *abandoned = false;
                return Ok(());
            }
            Phase::Fencing { .. } | Phase::Claiming { .. } => return Ok(()),
            _ => {}
        }
        match self.record.phase.clone() {
            Phase::Starting { purpose: purpose @ Purpose::InPlace { fallback: Some(_) }, .. }
            | Phase::Proving { purpose: purpose @ Purpose::InPlace { fallback: Some(_) }, .. } => {
                self.unsound(&purpose, failure);
                Ok(())
            }
            Phase::Idle => self.reverse_idle(failure),
            _ => Err("there is nothing to go back to; before the cutover ask for abort".to_owned()),
        }
    }

    /// The old version may still stand by, although the new one was accepted.
    fn reverse_idle(&mut self, failure: Failure) -> Answer {
        let stands_by = |leftover: &super::Leftover| {
            leftover.way == Way::Retire && leftover.tries == 0 && self.runs(leftover.version.launch)
        };
        let Some(index) = self.record.leftovers.iter().rposition(stands_by) else {
            return Err("the old version is not there any more; put its revision into the spec".to_owned());
        };
        if !self.record.gated {
            return Err("the rollout has no cutover document".to_owned());
        }
        let back = self.record.leftovers.remove(index).version;
        self.record.attempt += 1;
        let (before, since, abandoned) = (self.attempts(), self.now, false);
        self.record.phase =
            Phase::Reversing { back, way_back: None, before, tries: 1, failure, abandoned, since };
        Ok(())
    }

    fn retry(&mut self) -> Answer {
        let now = self.now;
        match &mut self.record.phase {
            Phase::Idle if self.record.failed.is_some() => {
                self.record.failed = None;
                Ok(())
            }
            // A try that is under way goes on under its name; the waits between tries begin anew.
            Phase::Reversing { since, .. } | Phase::Stopping { since, .. } => {
                *since = now;
                Ok(())
            }
            _ => Err("nothing was given up, and nothing is stuck that could be tried again".to_owned()),
        }
    }

    fn replace(&mut self, from: Option<&String>) -> Answer {
        if self.record.active.is_none() || self.observed.wanted.suspended {
            return Err("no job is there, or none is wanted".to_owned());
        }
        let given = from.cloned().map(Start::Given);
        match &mut self.record.phase {
            Phase::Relaunching { start, cancel, .. } => {
                *cancel = true;
                if given.is_some() {
                    *start = given;
                }
                Ok(())
            }
            Phase::Stopping { .. }
            | Phase::Idle
            | Phase::Snapshotting { .. }
            | Phase::Starting {
                purpose: Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim, ..
            }
            | Phase::Proving {
                purpose: Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim, ..
            } => {
                self.record.failed = None;
                self.repair(given, true);
                Ok(())
            }
            _ => Err("a rollout is under way; ask for abort or rollback first".to_owned()),
        }
    }

    fn forget(&mut self, member: Member) -> Answer {
        let leftover =
            self.record.leftovers.iter().position(|leftover| leftover.version.launch.member == member);
        let Some(index) = leftover else {
            return Err(format!("{member} is no former version of this rollout"));
        };
        let launch = self.record.leftovers[index].version.launch;
        if self.is_unknown(launch) && self.is_free(member) {
            // Should it live after all: its gates own nothing, and what is found of it is taken down.
            self.record.leftovers.remove(index);
            return Ok(());
        }
        if !self.has_ended(launch) {
            return Err(format!("{launch} has not ended, or that cannot be told while it owns event time"));
        }
        self.record.leftovers[index].way = Way::Forget;
        Ok(())
    }
}

impl Verb {
    /// As a person writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Promote { .. } => "promote",
            Verb::Abort => "abort",
            Verb::Rollback { .. } => "rollback",
            Verb::Retry => "retry",
            Verb::Replace { .. } => "replace",
            Verb::Forget { .. } => "forget",
        }
    }
}
