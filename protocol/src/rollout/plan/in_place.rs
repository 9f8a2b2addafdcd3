//! Versions that take the place of their member's last launch: stop-start, suspending, repair.

use super::super::action::Action;
use super::super::observation::Progress;
use super::super::record::{
    Cause, Failure, Launch, Next, OperationKind, Phase, Purpose, Savepoint, Start, Version, Way,
};
use super::{Planner, Turn};
use crate::time::WallTime;

impl Planner<'_> {
    pub(super) fn stopping(&mut self, next: Next, tries: u32, since: WallTime) -> Turn {
        let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let settings = self.observed.wanted.settings;
        let launch = active.launch;
        let operation = self.operation(OperationKind::Stop, launch, tries);
        let progress = self.keep(operation, true);
        let ended = self.has_ended(launch);
        let newest = self.deployment(launch).and_then(|deployment| deployment.checkpoints.newest.clone());
        match progress {
            Some(Progress::Done(savepoint)) if ended => return self.stopped(active, savepoint),
            // A stop that worked may be told as failed (C6): the job's own last state is what counts.
            Some(Progress::Failed(_)) | None if ended => {
                return match newest {
                    Some(savepoint) => self.stopped(active, savepoint),
                    None => self.call(
                        "LastStateUnknown",
                        format!("{launch} has ended, and its last state cannot be told; ask for replace and name the savepoint"),
                    ),
                };
            }
            Some(Progress::Failed(reason)) if tries >= settings.tries => {
                return self.unstoppable(&active, next, tries, since, reason);
            }
            Some(Progress::Failed(reason)) => {
                if self.backed_off(since, tries) {
                    return self.go(Phase::Stopping { next, tries: tries + 1, since });
                }
                return self.wait("Stop", format!("{launch} is stopped again soon: {reason}"));
            }
            None => return Turn::Act(Action::Stop { operation }),
            Some(Progress::Done(_) | Progress::Running) => {}
        }
        if self.passed(since, settings.deadlines.stop_ms) {
            let message = format!("{launch} has not stopped after {} s", settings.deadlines.stop_ms / 1_000);
            return self.call("StopOverdue", message);
        }
        self.wait("Stop", format!("{launch} is being stopped with a savepoint"))
    }

    fn unstoppable(
        &mut self,
        active: &Version,
        next: Next,
        tries: u32,
        since: WallTime,
        reason: String,
    ) -> Turn {
        match next {
            Next::Replace => {
                let revision = self.observed.wanted.revision.clone();
                let failure =
                    Failure::new(Cause::StopFailed, format!("{} cannot be stopped: {reason}", active.launch));
                self.fail(&Version { revision, ..active.clone() }, failure);
                self.go(Phase::Idle)
            }
            Next::Suspend if !self.observed.wanted.suspended => self.go(Phase::Idle),
            Next::Suspend if self.backed_off(since, tries) => {
                self.go(Phase::Stopping { next, tries: tries.saturating_add(1), since })
            }
            Next::Suspend => self.call(
                "StopFailed",
                format!("{} cannot be stopped with a savepoint: {reason}", active.launch),
            ),
        }
    }

    /// Whatever is wanted now, not when the stop began.
    fn stopped(&mut self, active: Version, savepoint: Savepoint) -> Turn {
        let wanted = self.observed.wanted;
        let start = Start::Savepoint(savepoint);
        if wanted.suspended {
            self.tell(format!("suspended {}", active.launch), "the resource wants no job to run");
            self.leave_over(active, Way::Discard);
            return self.go(Phase::Suspended { start });
        }
        let same = active.revision == wanted.revision;
        let scale = active.scale.filter(|_| same);
        let fallback = (!same).then(|| Version { start: start.clone(), ..active });
        let (revision, start, cancel, since) = (wanted.revision.clone(), Some(start), false, self.now);
        self.go(Phase::Relaunching { revision, scale, start, fallback, cancel, since })
    }

    pub(super) fn suspended(&mut self, start: Start) -> Turn {
        let wanted = self.observed.wanted;
        if wanted.suspended {
            return self.wait("Suspended", "the resource wants no job to run; its state is kept");
        }
        self.record.attempt += 1;
        self.tell("resumes", "the resource wants a job to run");
        let revision = wanted.revision.clone();
        let active = self.record.active.as_ref();
        let scale = active.filter(|active| active.revision == revision).and_then(|active| active.scale);
        let (start, since) = (Some(start), self.now);
        self.go(Phase::Relaunching { revision, scale, start, fallback: None, cancel: false, since })
    }

    pub(super) fn relaunching(&mut self) -> Turn {
        let Phase::Relaunching { revision, scale, start, fallback, cancel, since } =
            self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let launch = active.launch;
        if !self.has_ended(launch) {
            if cancel {
                return Turn::Act(Action::Cancel { launch });
            }
            return self.call(
                "StillRunning",
                format!("{launch} was stopped, but its job runs again; stop it, or ask for replace"),
            );
        }
        let deployment = self.deployment(launch);
        let Some(start) = start else {
            let newest = deployment.and_then(|deployment| deployment.checkpoints.newest.clone());
            let own = newest.map(Start::Savepoint).or((!active.rooted).then_some(active.start));
            let Some(own) = own else {
                return self.call(
                    "LastStateUnknown",
                    format!("the last state of {launch} cannot be told; ask for replace and name a savepoint or checkpoint"),
                );
            };
            let start = Some(own);
            return self.go(Phase::Relaunching { revision, scale, start, fallback, cancel, since });
        };
        if deployment.is_some_and(|deployment| deployment.high_availability) {
            return Turn::Act(Action::ClearHighAvailability { launch });
        }
        let number = self.last_launch(launch.member).saturating_add(1);
        let next = Launch { number, ..launch };
        self.leave_over(active, Way::Discard);
        self.record.active =
            Some(Version { launch: next, revision, start, scale, ran: false, rooted: false });
        let (purpose, since) = (Purpose::InPlace { fallback }, self.now);
        self.go(Phase::Starting { purpose, created: false, since })
    }
}
