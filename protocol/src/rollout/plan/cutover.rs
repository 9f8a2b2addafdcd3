//! The cutover, and what withdraws it.

use super::super::action::Action;
use super::super::record::{Cause, Failure, Launch, OperationKind, Phase, Version, Way};
use super::health::Health;
use super::sight::{Course, Withdrawal};
use super::{Planner, Turn};
use crate::identity::Attempt;
use crate::time::WallTime;

/// A request for a cutover, as it is in the phase.
struct Request {
    to: Launch,
    before: Attempt,
    tries: u32,
    since: WallTime,
}

/// What comes of one look at a request for a cutover.
enum Step {
    Over,
    Committed,
    Retry,
    Failed(Failure),
    Turn(Turn),
}

impl Planner<'_> {
    pub(super) fn cutting_over(&mut self) -> Turn {
        let Phase::CuttingOver { target, baseline, way_back, before, tries, condemned, since } =
            self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        let committed = self.is_committed_to(target.launch.member);
        if !committed && !self.is_active(&target) {
            let deadline = self.observed.wanted.settings.deadlines.cutover_ms;
            let overdue = self.overdue(since, deadline, "the cutover");
            let failure = condemned.clone().or(self.standby_unsound(&target, &baseline)).or(overdue);
            if let (Some(failure), Some(_)) = (failure, self.document()) {
                let since = self.now;
                return self.go(Phase::Aborting { target, baseline, way_back, tries, failure, since });
            }
        }
        let request = Request { to: target.launch, before, tries, since };
        match self.ask(&request) {
            Step::Over => {
                let Some(former) = self.record.active.replace(target.clone()) else { return Turn::Wait };
                self.tell(format!("{} has the output", target.launch), "the cutover is done");
                let (baseline, since) = (self.baseline(&target), self.now);
                self.go(Phase::Watching { former, way_back, baseline, condemned, since })
            }
            Step::Committed => {
                if condemned.is_none()
                    && let Health::Failed(failure) = self.health(&target, Some(&baseline))
                {
                    let (condemned, tries) = (Some(failure), tries);
                    return self.go(Phase::CuttingOver {
                        target,
                        baseline,
                        way_back,
                        before,
                        tries,
                        condemned,
                        since,
                    });
                }
                self.finishing(since)
            }
            Step::Retry => {
                let (before, tries) = (self.attempts(), tries + 1);
                self.go(Phase::CuttingOver { target, baseline, way_back, before, tries, condemned, since })
            }
            Step::Failed(failure) => {
                let since = self.now;
                self.go(Phase::Aborting { target, baseline, way_back, tries, failure, since })
            }
            Step::Turn(turn) => turn,
        }
    }

    pub(super) fn aborting(&mut self) -> Turn {
        let Phase::Aborting { target, baseline, way_back, tries, failure, since } = self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        if self.is_committed_to(target.launch.member) || self.is_active(&target) {
            let (before, condemned) = (self.attempts(), Some(failure));
            return self.go(Phase::CuttingOver {
                target,
                baseline,
                way_back,
                before,
                tries,
                condemned,
                since,
            });
        }
        let operation = self.operation(OperationKind::Withdraw, target.launch, tries);
        match self.withdrawal(target.launch.member, operation) {
            Withdrawal::Done => self.give_up(target, failure),
            Withdrawal::Ask(action) => Turn::Act(action),
            Withdrawal::Unanswered => self.wait_for_withdrawal(since),
            Withdrawal::Blind => self.blind(),
        }
    }

    pub(super) fn reversing(&mut self) -> Turn {
        let Phase::Reversing { back, way_back, before, tries, failure, abandoned, since } =
            self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        let Some(failed) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let is_open = !self.is_committed_to(back.launch.member) && !self.is_active(&back);
        if is_open && abandoned {
            return self.abandon_reverse(back, tries, since);
        }
        if let Some(way_back) = way_back.clone().filter(|_| is_open && self.has_ended(failed.launch)) {
            return self.fence(back, way_back, tries, failure);
        }
        let request = Request { to: back.launch, before, tries, since };
        let step = self.ask(&request);
        if let (Step::Failed(_), Some(way_back), false) = (&step, &way_back, self.runs(failed.launch)) {
            return self.fence(back, way_back.clone(), tries, failure);
        }
        match step {
            Step::Over => {
                self.warn(format!("{} has the output again", back.launch), failure.message.clone());
                self.record.active = Some(back);
                self.fail(&failed, failure);
                self.leave_over(failed, Way::Retire);
                self.go(Phase::Idle)
            }
            Step::Committed => self.finishing(since),
            Step::Failed(why) if !self.backed_off(since, tries) => {
                let message = format!(
                    "the output cannot be given back to {} yet, and is asked for again: {}; ask for abort to keep {}",
                    back.launch, why.message, failed.launch
                );
                self.call("ReverseFailed", message)
            }
            Step::Retry | Step::Failed(_) => {
                let (before, tries) = (self.attempts(), tries.saturating_add(1));
                self.go(Phase::Reversing { back, way_back, before, tries, failure, abandoned, since })
            }
            Step::Turn(turn) => {
                let settings = self.observed.wanted.settings;
                if tries > settings.tries || self.passed(since, settings.deadlines.cutover_ms) {
                    self.loud = Some("ReverseFailed");
                }
                turn
            }
        }
    }

    /// A person would rather keep the active version.
    fn abandon_reverse(&mut self, back: Version, tries: u32, since: WallTime) -> Turn {
        let operation = self.operation(OperationKind::Withdraw, back.launch, tries);
        match self.withdrawal(back.launch.member, operation) {
            Withdrawal::Done => {
                self.leave_over(back, Way::Retire);
                self.go(Phase::Idle)
            }
            Withdrawal::Ask(action) => Turn::Act(action),
            Withdrawal::Unanswered => self.wait_for_withdrawal(since),
            Withdrawal::Blind => self.blind(),
        }
    }

    /// Nobody conducts while no job runs and the controller is away: that needs a person in the end.
    pub(super) fn wait_for_withdrawal(&mut self, since: WallTime) -> Turn {
        let message = "a cutover is open, or nobody has answered its withdrawal yet";
        if self.passed(since, self.observed.wanted.settings.deadlines.cutover_ms) {
            return self.call("WithdrawalOverdue", message);
        }
        self.wait("Withdrawal", message)
    }

    /// A committed cutover goes on by itself; beyond its deadline the wait is loud, and nothing is guessed.
    fn finishing(&mut self, since: WallTime) -> Turn {
        self.wait_for_conductor();
        let limit = self.observed.wanted.settings.deadlines.cutover_ms;
        if self.passed(since, limit) {
            return self.call(
                "CutoverOverdue",
                format!("the cutover is committed and not done after {} s; it cannot be aborted: bring the old job forward", limit / 1_000),
            );
        }
        self.wait(
            "Finish",
            "the cutover is committed; what is below the boundary is not all committed by the sink yet",
        )
    }

    fn ask(&mut self, request: &Request) -> Step {
        let Request { to, before, tries, since } = *request;
        let operation = self.operation(OperationKind::Promote, to, tries);
        match self.course(to.member, before, operation) {
            Course::Over => Step::Over,
            Course::Committed => Step::Committed,
            Course::Blind => Step::Turn(self.blind()),
            Course::Proposed => {
                self.wait_for_conductor();
                Step::Turn(
                    self.wait("Proposed", "the boundary is proposed, and not acknowledged by everybody yet"),
                )
            }
            Course::Unasked => {
                let hand_over = self.observed.wanted.settings.hand_over;
                Step::Turn(Turn::Act(Action::Promote { operation, to: to.member, hand_over }))
            }
            Course::Unanswered => {
                Step::Turn(self.wait("Request", "nobody has answered the request for the cutover yet"))
            }
            Course::Failed(why) if tries >= self.observed.wanted.settings.tries => {
                Step::Failed(Failure::new(Cause::CutoverFailed, why))
            }
            Course::Failed(_) if self.backed_off(since, tries) => Step::Retry,
            Course::Failed(why) => {
                Step::Turn(self.wait("Retry", format!("the cutover is asked for again: {why}")))
            }
        }
    }

    pub(super) fn is_active(&self, version: &Version) -> bool {
        self.document().is_some_and(|document| document.active().member == version.launch.member)
    }
}
