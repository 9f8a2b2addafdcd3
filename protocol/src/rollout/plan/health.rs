//! Whether a version is sound.

use super::super::observation::{Deployment, End, Job, Verdict};
use super::super::record::{Baseline, Cause, Failure, Version};
use super::Planner;
use crate::identity::Member;
use crate::report::GateReport;
use crate::time::EventTime;

/// How a version is.
pub(super) enum Health {
    /// It runs, within the limits.
    Sound,
    /// It does not run just now.
    Shaky(String),
    /// It is beyond the limits.
    Failed(Failure),
}

impl Planner<'_> {
    /// The counts of a job as they are now.
    pub(super) fn baseline(&self, version: &Version) -> Baseline {
        let deployment = self.deployment(version.launch);
        let count = |of: fn(&Deployment) -> u64| deployment.map_or(0, of);
        Baseline {
            at: self.now,
            restarts: count(|deployment| deployment.restarts),
            failed_checkpoints: count(|deployment| deployment.checkpoints.failed),
            completed_checkpoints: count(|deployment| deployment.checkpoints.completed),
        }
    }

    /// How a version is, by what has happened since the baseline. A counter below it belongs to another life of the JobManager,
    /// and counts from zero.
    pub(super) fn health(&self, version: &Version, baseline: Option<&Baseline>) -> Health {
        let launch = version.launch;
        let Some(deployment) = self.deployment(launch) else {
            let message =
                format!("the deployment of {launch} is gone, and the controller has not deleted it");
            return Health::Failed(Failure::new(Cause::DeploymentLost, message));
        };
        if deployment.revision != version.revision {
            let message = format!("the deployment of {launch} was changed by somebody else");
            return Health::Failed(Failure::new(Cause::DeploymentLost, message));
        }
        let exception = deployment.exception.as_ref().map_or(String::new(), |text| format!(": {text}"));
        if let Job::Ended(end) = &deployment.job {
            let mut message = format!("{launch} {}", ended(end));
            // The end most often has the exception for its reason.
            if !message.ends_with(&exception) {
                message.push_str(&exception);
            }
            return Health::Failed(Failure::new(Cause::Unstable, message));
        }
        if let Some(baseline) = baseline {
            let limits = &self.observed.wanted.settings.limits;
            let restarts = grown(baseline.restarts, deployment.restarts);
            if restarts > limits.restarts {
                let message = format!(
                    "{launch} was restarted {restarts} times, {} are allowed{exception}",
                    limits.restarts
                );
                return Health::Failed(Failure::new(Cause::Unstable, message));
            }
            let failed = grown(baseline.failed_checkpoints, deployment.checkpoints.failed);
            if failed > limits.failed_checkpoints {
                let message = format!(
                    "{failed} checkpoints of {launch} failed, {} are allowed{exception}",
                    limits.failed_checkpoints
                );
                return Health::Failed(Failure::new(Cause::Unstable, message));
            }
        }
        match deployment.job {
            Job::Running => Health::Sound,
            Job::Unknown => Health::Shaky(format!("the cluster of {launch} does not answer")),
            Job::Starting => Health::Shaky(format!("{launch} does not run yet{exception}")),
            Job::Restarting | Job::Ended(_) => Health::Shaky(format!("{launch} is restarting{exception}")),
        }
    }

    /// How many checkpoints have completed since the baseline.
    pub(super) fn completed_since(&self, version: &Version, baseline: &Baseline) -> u64 {
        let completed =
            self.deployment(version.launch).map_or(0, |deployment| deployment.checkpoints.completed);
        grown(baseline.completed_checkpoints, completed)
    }

    pub(super) fn failed_check(&self) -> Option<Failure> {
        self.observed.checks.iter().find_map(|(name, verdict)| match verdict {
            Verdict::Failed(reason) => {
                Some(Failure::new(Cause::CheckFailed, format!("check {name} failed: {reason}")))
            }
            Verdict::Passed | Verdict::Pending(_) => None,
        })
    }

    /// Whether all checks have passed; those that have not are waited for.
    pub(super) fn checks_passed(&mut self) -> bool {
        let pending: Vec<String> = self
            .observed
            .checks
            .iter()
            .filter_map(|(name, verdict)| match verdict {
                Verdict::Pending(missing) => Some(format!("check {name}: {missing}")),
                Verdict::Passed | Verdict::Failed(_) => None,
            })
            .collect();
        let passed = pending.is_empty();
        for message in pending {
            self.wait("CheckPending", message);
        }
        passed
    }

    /// How far `new` is behind `old`, in milliseconds of event time; `None` when the reports do not tell. Neither is measured
    /// against the clock: what counts is what the old one has done.
    pub(super) fn lag(&self, old: Member, new: Member) -> Option<i64> {
        let reports = self.observed.reports;
        let (old, new) = (reports.get(&old)?, reports.get(&new)?);
        if !new.is_alive() || !new.report.is_complete() {
            return None;
        }
        let lags = old.report.gates.iter().map(|(name, gate)| {
            let new = new.report.gates.get(name)?;
            Some(match (event_time(gate), event_time(new)) {
                (EventTime::MIN, _) | (_, EventTime::MAX) => 0,
                (old, new) => old.as_millis().saturating_sub(new.as_millis()).max(0),
            })
        });
        lags.collect::<Option<Vec<i64>>>()?.into_iter().max()
    }
}

/// How far a gate is: its slowest subtask that is not idle, and if all are idle, the highest that was seen.
fn event_time(gate: &GateReport) -> EventTime {
    if gate.watermark_low == EventTime::MAX { gate.watermark_high } else { gate.watermark_low }
}

fn grown(baseline: u64, now: u64) -> u64 {
    now.checked_sub(baseline).unwrap_or(now)
}

fn ended(end: &End) -> String {
    match end {
        End::Finished => "has finished".to_owned(),
        End::Canceled => "was cancelled".to_owned(),
        End::Failed(reason) => format!("has failed: {reason}"),
    }
}
