//! The resource is deleted: everything is stopped with a savepoint, then deleted; and never waited for beyond the deadline.

use super::super::action::Action;
use super::super::observation::Progress;
use super::super::record::{Launch, Operation, OperationKind, Phase, Way};
use super::sight::Withdrawal;
use super::{Planner, Turn};
use crate::document::Cutover;
use crate::time::WallTime;

impl Planner<'_> {
    pub(super) fn leave(&mut self) {
        self.record.attempt += 1;
        self.tell("leaves", "the resource is being deleted");
        // Whatever has the output, or had it, goes with a savepoint.
        let former = match &self.record.phase {
            Phase::Watching { former, .. }
            | Phase::Fencing { former, .. }
            | Phase::Claiming { former, .. } => Some(former.clone()),
            Phase::CuttingOver { target, .. } | Phase::Aborting { target, .. } => Some(target.clone()),
            Phase::Reversing { back, .. } => Some(back.clone()),
            Phase::Idle
            | Phase::Suspended { .. }
            | Phase::Snapshotting { .. }
            | Phase::Starting { .. }
            | Phase::Proving { .. }
            | Phase::Ready { .. }
            | Phase::Pinning { .. }
            | Phase::Stopping { .. }
            | Phase::Relaunching { .. }
            | Phase::Leaving { .. }
            | Phase::Left => None,
        };
        if let Some(former) = former {
            self.leave_over(former, Way::Retire);
        }
        self.record.phase = Phase::Leaving { since: self.now };
    }

    pub(super) fn leaving(&mut self, since: WallTime) -> Turn {
        let late = self.passed(since, self.observed.wanted.settings.deadlines.leave_ms);
        if !late && let Some(turn) = self.close_cutover() {
            return turn;
        }
        let launches: Vec<Launch> = self.observed.deployments.keys().copied().collect();
        if launches.is_empty() {
            return self.go(Phase::Left);
        }
        let mut turns = launches.into_iter().map(|launch| self.let_go(launch, late)).collect::<Vec<Turn>>();
        let act = turns.iter().position(|turn| matches!(turn, Turn::Act(_)));
        act.map_or(Turn::Wait, |act| turns.swap_remove(act))
    }

    fn let_go(&mut self, launch: Launch, late: bool) -> Turn {
        if self.has_ended(launch) || late {
            return Turn::Act(Action::Delete { launch });
        }
        let retires =
            |leftover: &&super::Leftover| leftover.version.launch == launch && leftover.way == Way::Retire;
        let had_output = self.record.active.as_ref().is_some_and(|active| active.launch == launch)
            || self.record.leftovers.iter().any(|leftover| retires(&leftover))
            || !self.is_free(launch.member);
        let settings = self.observed.wanted.settings;
        if !had_output || !settings.savepoint_on_deletion {
            return Turn::Act(Action::Delete { launch });
        }
        let operation = self.stop_of(launch);
        match self.keep(operation, true) {
            None if self.runs(launch) => Turn::Act(Action::Stop { operation }),
            None => {
                self.wait("NotRunning", format!("{launch} does not run, so no savepoint can be taken yet"))
            }
            Some(Progress::Failed(reason)) if operation.tries >= settings.tries => {
                self.warn_once(format!("deletes {launch} without a savepoint"), reason);
                Turn::Act(Action::Delete { launch })
            }
            Some(Progress::Failed(_)) => {
                self.keep(Operation { tries: operation.tries + 1, ..operation }, true);
                self.let_go(launch, late)
            }
            Some(Progress::Running | Progress::Done(_)) => {
                self.wait("Stop", format!("{launch} is being stopped with a savepoint"))
            }
        }
    }

    /// The last stop of that launch that was asked for, or the first one.
    fn stop_of(&self, launch: Launch) -> Operation {
        let first = self.operation(OperationKind::Stop, launch, 1);
        let kept = self.record.savepoints.iter().map(|kept| kept.operation);
        let same = |operation: &Operation| Operation { tries: 1, ..*operation } == first;
        kept.filter(same).max_by_key(|operation| operation.tries).unwrap_or(first)
    }

    /// Nothing is stopped in the middle of a cutover.
    fn close_cutover(&mut self) -> Option<Turn> {
        let document = self.document()?;
        let answered = document.answered.as_ref().map(|answer| answer.request.as_str());
        let promote = format!("-{}-", OperationKind::Promote.name());
        let asked = self.observed.placed.is_some_and(|id| id.contains(&promote) && answered != Some(id));
        let to = match &document.cutover {
            Some(Cutover::Committed { .. }) => {
                self.wait_for_conductor();
                return Some(self.wait("Finish", "a cutover is committed and not done yet"));
            }
            Some(Cutover::Proposed { terms, .. }) => terms.to,
            None if asked => document.active().member,
            None => return None,
        };
        let operation = self.operation(OperationKind::Withdraw, Launch::first(to), 1);
        match self.withdrawal(to, operation) {
            Withdrawal::Ask(action) => Some(Turn::Act(action)),
            Withdrawal::Unanswered => {
                Some(self.wait("Withdrawal", "nobody has answered the withdrawal of the cutover yet"))
            }
            Withdrawal::Done | Withdrawal::Blind => None,
        }
    }
}
