//! Versions that have played their part go by, beside whatever phase it is.

use super::super::action::Action;
use super::super::observation::Progress;
use super::super::record::{Launch, Leftover, Operation, OperationKind, Way};
use super::Planner;
use super::idle::adopted;

/// What becomes of a leftover: as it now is, or nothing when nothing of it is left; and what is to be done.
type Fate = (Option<Leftover>, Option<Action>);

impl Planner<'_> {
    pub(super) fn leftovers(&mut self) -> Option<Action> {
        self.take_in_strays();
        let mut action = None;
        let leftovers = std::mem::take(&mut self.record.leftovers);
        for leftover in leftovers {
            if action.is_some() {
                self.record.leftovers.push(leftover);
                continue;
            }
            let (stays, next) = self.leftover(leftover);
            self.record.leftovers.extend(stays);
            action = next;
        }
        action
    }

    /// Deployments that the record does not know: their start came through after it was given up, or the record was lost.
    fn take_in_strays(&mut self) {
        if self.record.active.is_none() {
            return;
        }
        let known: Vec<Launch> = self.record.versions_mut().iter().map(|version| version.launch).collect();
        let observed = self.observed;
        for (launch, deployment) in observed.deployments.iter().filter(|(launch, _)| !known.contains(launch))
        {
            let had_output = self.document().is_some_and(|document| document.has_owned(launch.member));
            self.warn(format!("found {launch}"), "it is there, and nothing was known of it");
            self.leave_over(
                adopted(*launch, deployment),
                if had_output { Way::Retire } else { Way::Discard },
            );
        }
    }

    fn leftover(&mut self, mut leftover: Leftover) -> Fate {
        let launch = leftover.version.launch;
        let free = self.is_free(launch.member);
        let act = |leftover, action| (Some(leftover), Some(action));
        if leftover.way == Way::Forget {
            if !free && self.has_ended(launch) {
                return act(leftover, Action::Forget { member: launch.member });
            }
            leftover.way = Way::Discard;
        }
        if self.deployment(launch).is_none() {
            if leftover.way == Way::Discard || free {
                return (None, None);
            }
            self.call(
                "FormerLost",
                format!("the deployment of {launch} is gone, but it still owns event time; ask for forget if it will not come back"),
            );
            return (Some(leftover), None);
        }
        if self.has_ended(launch) {
            return self.ended_leftover(leftover, free);
        }
        if !free {
            self.wait("NotSettled", format!("{launch} still owns event time, or a cutover names it"));
            return (Some(leftover), None);
        }
        match leftover.way {
            Way::Retire => self.retire(leftover),
            Way::Discard | Way::Forget => act(leftover, Action::Delete { launch }),
        }
    }

    fn ended_leftover(&mut self, leftover: Leftover, free: bool) -> Fate {
        let launch = leftover.version.launch;
        if leftover.way == Way::Retire && !free {
            self.call(
                "FormerEnded",
                format!(
                    "{launch} has ended, but it still owns event time; launch it again, or ask for forget"
                ),
            );
            return (Some(leftover), None);
        }
        let ended = leftover.ended.unwrap_or(self.now);
        if self.passed(ended, self.observed.wanted.settings.deletion_delay_ms) {
            return (Some(leftover), Some(Action::Delete { launch }));
        }
        (Some(leftover), None)
    }

    /// It owns nothing any more: it is stopped, so that its sinks commit.
    fn retire(&mut self, mut leftover: Leftover) -> Fate {
        let launch = leftover.version.launch;
        leftover.tries = leftover.tries.max(1);
        let tries = leftover.tries;
        let operation = Operation { attempt: leftover.attempt, kind: OperationKind::Stop, launch, tries };
        match self.keep(operation, true) {
            None if self.runs(launch) => (Some(leftover), Some(Action::Stop { operation })),
            Some(Progress::Failed(reason)) if tries >= self.observed.wanted.settings.tries => {
                self.warn(format!("discards {launch} without a savepoint"), reason);
                leftover.way = Way::Discard;
                self.leftover(leftover)
            }
            Some(Progress::Failed(_)) if self.backed_off(leftover.since, tries) => {
                leftover.tries += 1;
                self.retire(leftover)
            }
            None | Some(_) => {
                self.wait("Retiring", format!("{launch} is being stopped with a savepoint"));
                (Some(leftover), None)
            }
        }
    }
}
