//! The way forward, up to the request for the cutover.

use super::super::action::Action;
use super::super::observation::{Job, Progress};
use super::super::record::{
    Baseline, Cause, Failure, OperationKind, Phase, Purpose, Revision, Start, Version,
};
use super::super::settings::Promotion;
use super::health::Health;
use super::{Planner, Turn};
use crate::identity::Color;
use crate::time::WallTime;

impl Planner<'_> {
    pub(super) fn snapshotting(&mut self, revision: &Revision, tries: u32, since: WallTime) -> Turn {
        let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let wanted = self.observed.wanted;
        if wanted.revision != *revision || wanted.suspended {
            self.tell("dropped the rollout", "the resource wants something else now");
            return self.go(Phase::Idle);
        }
        let operation = self.operation(OperationKind::Snapshot, active.launch, tries);
        let progress = self.keep(operation, false);
        let failure = match progress {
            Some(Progress::Done(savepoint)) => {
                let launch = self.new_member(other(active.launch.member.color));
                let start = Start::Savepoint(savepoint);
                let target = Version {
                    launch,
                    revision: revision.clone(),
                    start,
                    scale: None,
                    ran: false,
                    rooted: false,
                };
                let (purpose, since) = (Purpose::Standby(target), self.now);
                return self.go(Phase::Starting { purpose, created: false, since });
            }
            Some(Progress::Failed(reason)) if tries >= wanted.settings.tries => Some(reason),
            Some(Progress::Failed(reason)) if self.backed_off(since, tries) => {
                self.warn(format!("tries the snapshot of {} again", active.launch), reason);
                return self.go(Phase::Snapshotting { revision: revision.clone(), tries: tries + 1, since });
            }
            Some(Progress::Running | Progress::Failed(_)) | None => None,
        };
        let overdue = self.overdue(since, wanted.settings.deadlines.snapshot_ms, "the snapshot");
        if let Some(failure) = failure.map(|reason| Failure::new(Cause::SnapshotFailed, reason)).or(overdue) {
            // Nothing was started, and nothing is taken down.
            self.fail(&Version { revision: revision.clone(), ..active }, failure);
            return self.go(Phase::Idle);
        }
        match progress_of(self, operation) {
            None if self.runs(active.launch) => Turn::Act(Action::Snapshot { operation }),
            None => self.wait("ActiveNotRunning", format!("{} does not run just now", active.launch)),
            Some(_) => self.wait("Snapshot", format!("the snapshot {operation} is not complete")),
        }
    }

    pub(super) fn starting(&mut self, purpose: &Purpose, created: bool, since: WallTime) -> Turn {
        let Some(version) = self.started(purpose) else { return self.go(Phase::Idle) };
        let superseded = self.is_superseded(&version).filter(|_| purpose.standby().is_some());
        if let Some(failure) = superseded {
            return self.unsound(purpose, failure);
        }
        let launch = version.launch;
        let deployment = self.deployment(launch);
        let job = deployment.map(|deployment| deployment.job.clone());
        if job.is_none() && !created {
            // The same member must never run twice.
            if let Some(other) = self.other_launch(&version) {
                return self
                    .call("EarlierLaunch", format!("{other} is of the same member and has not ended"));
            }
            let limit = self.observed.wanted.settings.deadlines.start_ms;
            if let Some(failure) = self.overdue(since, limit, "the start") {
                let failure = Failure { cause: Cause::StartFailed, ..failure };
                if purpose.has_way_back() {
                    return self.unsound(purpose, failure);
                }
                self.loud = Some(failure.cause.code());
                self.wait("Starting", format!("{}; it is tried on", failure.message));
            }
            return Turn::Act(Action::Start { version });
        }
        if job.is_some() && !created {
            return self.go(Phase::Starting { purpose: purpose.clone(), created: true, since });
        }
        if job == Some(Job::Running) {
            let (purpose, since) = (purpose.clone(), self.now);
            let (baseline, caught_up, waived) = (None, None, false);
            return self.go(Phase::Proving { purpose, baseline, caught_up, waived, since });
        }
        if let Health::Failed(failure) = self.health(&version, None) {
            let cause = if version.ran { failure.cause } else { Cause::StartFailed };
            return self.unsound(purpose, Failure { cause, ..failure });
        }
        let limit = self.observed.wanted.settings.deadlines.start_ms;
        if let Some(failure) = self.overdue(since, limit, "the start") {
            let why = deployment_exception(self, &version);
            let failure = Failure::new(Cause::StartFailed, format!("{}{why}", failure.message));
            return self.unsound(purpose, failure);
        }
        self.wait("Starting", format!("{launch} does not run yet"))
    }

    /// Another deployment of the same member that has not ended.
    fn other_launch(&self, version: &Version) -> Option<super::Launch> {
        let same = |launch: &super::Launch| {
            launch.member == version.launch.member && *launch != version.launch && !self.has_ended(*launch)
        };
        self.observed.deployments.keys().copied().find(same)
    }

    pub(super) fn proving(
        &mut self,
        purpose: Purpose,
        baseline: Option<Baseline>,
        caught_up: Option<WallTime>,
        waived: bool,
        since: WallTime,
    ) -> Turn {
        let Some(version) = self.started(&purpose) else { return self.go(Phase::Idle) };
        let settings = self.observed.wanted.settings;
        let superseded = self.is_superseded(&version).filter(|_| purpose.standby().is_some());
        let overdue = self.overdue(since, settings.deadlines.prove_ms, "the proof");
        let health = self.health(&version, baseline.as_ref());
        let failed = match &health {
            Health::Failed(failure) => Some(failure.clone()),
            Health::Sound | Health::Shaky(_) => None,
        };
        let checked = if waived { None } else { self.failed_check() };
        if let Some(failure) = superseded.or(failed).or(checked).or(overdue) {
            return self.unsound(&purpose, failure);
        }
        if let Health::Shaky(why) = health {
            return self.wait("NotRunning", why);
        }
        let Some(baseline) = baseline else {
            if !self.passed(since, settings.settling_ms) && !waived {
                return self.wait("Settling", format!("{} settles", version.launch));
            }
            let baseline = Some(self.baseline(&version));
            return self.go(Phase::Proving { purpose, baseline, caught_up, waived, since });
        };
        let lag = self.lag_since(&purpose, caught_up);
        if lag != caught_up {
            return self.go(Phase::Proving {
                purpose,
                baseline: Some(baseline),
                caught_up: lag,
                waived,
                since,
            });
        }
        if !waived && !self.is_proven(&version, &baseline, purpose.standby().and(Some(caught_up))) {
            return Turn::Wait;
        }
        self.proven(purpose, version, baseline)
    }

    /// Since when a standby is as far as the active version.
    fn lag_since(&self, purpose: &Purpose, caught_up: Option<WallTime>) -> Option<WallTime> {
        let active = self.record.active.as_ref()?.launch.member;
        let lag = self.lag(active, purpose.standby()?.launch.member)?;
        let small = lag <= self.observed.wanted.settings.lag.allowed_ms;
        small.then_some(caught_up.unwrap_or(self.now))
    }

    fn is_proven(
        &mut self,
        version: &Version,
        baseline: &Baseline,
        standby: Option<Option<WallTime>>,
    ) -> bool {
        let settings = self.observed.wanted.settings;
        let mut proven = true;
        if !self.passed(baseline.at, settings.window_ms) {
            self.wait(
                "Window",
                format!("{} is watched for {} s", version.launch, settings.window_ms / 1_000),
            );
            proven = false;
        }
        let (completed, needed) =
            (self.completed_since(version, baseline), settings.limits.completed_checkpoints);
        if completed < needed {
            self.wait("Checkpoints", format!("{completed} of {needed} checkpoints have completed"));
            proven = false;
        }
        if let Some(caught_up) = standby {
            let held = caught_up.is_some_and(|since| self.passed(since, settings.lag.hold_ms));
            if !held {
                self.wait_for_lag(version);
                proven = false;
            }
        }
        self.checks_passed() && proven
    }

    fn wait_for_lag(&mut self, version: &Version) {
        let active = self.record.active.as_ref().map(|active| active.launch.member);
        let lag = active.and_then(|active| self.lag(active, version.launch.member));
        let settings = self.observed.wanted.settings.lag;
        self.wait(
            "Lag",
            match lag {
                None => format!("{} has not told how far it is", version.launch),
                Some(lag) => format!(
                    "{} is {lag} ms of event time behind the active version; {} ms are allowed, for {} s",
                    version.launch,
                    settings.allowed_ms,
                    settings.hold_ms / 1_000
                ),
            },
        );
    }

    fn proven(&mut self, purpose: Purpose, version: Version, baseline: Baseline) -> Turn {
        let since = self.now;
        match purpose {
            Purpose::Standby(target) => {
                let what = format!("{} is ready", target.launch);
                let turn = self.go(Phase::Ready { target, baseline, promoted: false, since });
                self.tell(what, "all proofs are there");
                turn
            }
            Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim => {
                self.tell(format!("{} is accepted", version.launch), "all proofs are there");
                self.go(Phase::Idle)
            }
        }
    }

    pub(super) fn ready(
        &mut self,
        target: Version,
        baseline: Baseline,
        promoted: bool,
        since: WallTime,
    ) -> Turn {
        let settings = self.observed.wanted.settings;
        let overdue = match settings.deadlines.promotion_ms {
            0 => None,
            limit => self.overdue(since, limit, "the promotion"),
        };
        let unsound = self.standby_unsound(&target, &baseline).or(overdue);
        if let Some(failure) = unsound {
            return self.give_up(target, failure);
        }
        if self.now.since(baseline.at) >= settings.window_ms.max(1) {
            // The limits are for a window, however long the promotion is waited for.
            let now = Baseline { at: baseline.at, ..self.baseline(&target) };
            if now != baseline && self.runs(target.launch) {
                let baseline = self.baseline(&target);
                return self.go(Phase::Ready { target, baseline, promoted, since });
            }
        }
        let due = promoted
            || match settings.promotion {
                Promotion::Automatic => true,
                Promotion::After(millis) => self.passed(since, millis),
                Promotion::Manual => false,
                Promotion::At(at) => self.passed(at, 0) && self.now >= at,
            };
        if !due {
            return self.wait("Promotion", promotion_text(&target, settings.promotion));
        }
        if !self.runs(target.launch) {
            return self.wait("NotRunning", format!("{} does not run just now", target.launch));
        }
        let active = self.record.active.as_ref().map(|active| active.launch.member);
        let lag = active.and_then(|active| self.lag(active, target.launch.member));
        if !promoted && lag.is_none_or(|lag| lag > settings.lag.allowed_ms) {
            self.wait_for_lag(&target);
            return Turn::Wait;
        }
        let since = self.now;
        self.go(Phase::Pinning { target, baseline, tries: 1, since })
    }

    /// Why a new version that was sound is given up.
    pub(super) fn standby_unsound(&self, target: &Version, baseline: &Baseline) -> Option<Failure> {
        let failed = match self.health(target, Some(baseline)) {
            Health::Failed(failure) => Some(failure),
            Health::Sound | Health::Shaky(_) => None,
        };
        self.is_superseded(target).or(failed).or_else(|| self.failed_check())
    }

    pub(super) fn pinning(
        &mut self,
        target: Version,
        baseline: Baseline,
        tries: u32,
        since: WallTime,
    ) -> Turn {
        let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let settings = self.observed.wanted.settings;
        let operation = self.operation(OperationKind::Pin, active.launch, tries);
        let progress = self.keep(operation, false);
        let failure = match &progress {
            Some(Progress::Failed(reason)) if tries >= settings.tries => {
                Some(Failure::new(Cause::SnapshotFailed, format!("no way back could be pinned: {reason}")))
            }
            Some(_) | None => None,
        };
        let failure = self
            .standby_unsound(&target, &baseline)
            .or(failure)
            .or_else(|| self.overdue(since, settings.deadlines.snapshot_ms, "the way back"));
        if let Some(failure) = failure {
            return self.give_up(target, failure);
        }
        match progress {
            Some(Progress::Done(way_back)) => {
                let (before, since) = (self.attempts(), self.now);
                let (tries, condemned) = (1, None);
                self.go(Phase::CuttingOver { target, baseline, way_back, before, tries, condemned, since })
            }
            Some(Progress::Failed(_)) if self.backed_off(since, tries) => {
                self.go(Phase::Pinning { target, baseline, tries: tries + 1, since })
            }
            None if self.runs(active.launch) => Turn::Act(Action::Snapshot { operation }),
            None => self.wait("ActiveNotRunning", format!("{} does not run just now", active.launch)),
            Some(Progress::Running | Progress::Failed(_)) => {
                self.wait("Snapshot", format!("the way back {operation} is not complete"))
            }
        }
    }

    /// The version that is started or proven.
    fn started(&self, purpose: &Purpose) -> Option<Version> {
        purpose.standby().or(self.record.active.as_ref()).cloned()
    }

    pub(super) fn overdue(&mut self, since: WallTime, limit_ms: u64, what: &str) -> Option<Failure> {
        self.passed(since, limit_ms).then(|| {
            Failure::new(Cause::DeadlinePassed, format!("{what} was not done within {} s", limit_ms / 1_000))
        })
    }
}

fn progress_of(planner: &Planner<'_>, operation: super::Operation) -> Option<Progress> {
    planner.observed.operations.get(&operation).cloned()
}

fn deployment_exception(planner: &Planner<'_>, version: &Version) -> String {
    let exception = planner.deployment(version.launch).and_then(|deployment| deployment.exception.clone());
    exception.map_or(String::new(), |text| format!(": {text}"))
}

fn promotion_text(target: &Version, promotion: Promotion) -> String {
    let how = match promotion {
        Promotion::Automatic => "takes over now".to_owned(),
        Promotion::After(millis) => format!("takes over {} s after it was ready", millis / 1_000),
        Promotion::Manual => "takes over when a person asks for promote".to_owned(),
        Promotion::At(at) => format!("takes over at {} (epoch milliseconds)", at.as_millis()),
    };
    format!("{} is ready and {how}", target.launch)
}

pub(super) fn other(color: Color) -> Color {
    match color {
        Color::Blue => Color::Green,
        Color::Green => Color::Blue,
    }
}
