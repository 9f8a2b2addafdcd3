//! The conditions: what `kubectl wait` waits for. None says that a version is live which is not.

use super::super::action::{Condition, ConditionKind};
use super::super::observation::Job;
use super::super::record::Phase;
use super::Planner;

impl Planner<'_> {
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let progressing = self.is_progressing();
        let (degraded, why) = self.degraded();
        vec![
            self.ready_condition(progressing),
            self.available(),
            self.condition(ConditionKind::Progressing, progressing, self.record.phase.name(), self.waits()),
            self.condition(
                ConditionKind::Degraded,
                degraded.is_some(),
                degraded.unwrap_or("AsExpected"),
                why,
            ),
            self.cutover_pending(),
            self.paused_condition(),
        ]
    }

    fn condition(
        &self,
        kind: ConditionKind,
        status: bool,
        reason: &'static str,
        message: String,
    ) -> Condition {
        Condition { kind, status, reason, message }
    }

    fn waits(&self) -> String {
        let messages: Vec<&str> =
            self.waiting.iter().take(5).map(|waiting| waiting.message.as_str()).collect();
        let more = self.waiting.len().saturating_sub(messages.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", messages.join("; "))
    }

    fn is_progressing(&self) -> bool {
        !matches!(self.record.phase, Phase::Idle | Phase::Suspended { .. } | Phase::Left)
    }

    fn active_runs(&self) -> bool {
        let active = self.record.active.as_ref();
        active
            .and_then(|active| self.deployment(active.launch))
            .is_some_and(|deployment| deployment.job == Job::Running)
    }

    fn ready_condition(&self, progressing: bool) -> Condition {
        let wanted = self.observed.wanted;
        let live = self.record.active.as_ref().is_some_and(|active| active.revision == wanted.revision);
        let condition =
            |status, reason, message: String| self.condition(ConditionKind::Ready, status, reason, message);
        let suspended = wanted.suspended && matches!(self.record.phase, Phase::Suspended { .. });
        if suspended {
            condition(true, "Suspended", "the job is stopped, and its state is kept".to_owned())
        } else if progressing {
            condition(false, self.record.phase.name(), self.waits())
        } else if !live {
            condition(false, "OtherRevision", self.waits())
        } else if !self.active_runs() {
            condition(false, "NotRunning", self.waits())
        } else {
            condition(true, "Running", "the wanted revision has the output, and runs".to_owned())
        }
    }

    fn available(&self) -> Condition {
        let runs = self.active_runs();
        let message = match &self.record.active {
            None => "no version has been started".to_owned(),
            Some(active) => format!("{} of revision {}", active.launch, active.revision),
        };
        self.condition(ConditionKind::Available, runs, if runs { "Running" } else { "NotRunning" }, message)
    }

    fn degraded(&self) -> (Option<&'static str>, String) {
        match (&self.loud, &self.record.failed) {
            (Some(code), _) => (Some(code), self.waits()),
            (None, Some(failed)) => (
                Some(failed.failure.cause.code()),
                format!("{} was given up: {}", failed.revision, failed.failure.message),
            ),
            (None, None) => (None, String::new()),
        }
    }

    fn cutover_pending(&self) -> Condition {
        let pending = matches!(
            self.record.phase,
            Phase::Ready { .. }
                | Phase::Pinning { .. }
                | Phase::CuttingOver { .. }
                | Phase::Aborting { .. }
                | Phase::Reversing { .. }
        );
        let (reason, message) =
            if pending { (self.record.phase.name(), self.waits()) } else { ("None", String::new()) };
        self.condition(ConditionKind::CutoverPending, pending, reason, message)
    }

    fn paused_condition(&self) -> Condition {
        let paused = self.record.paused.is_some();
        let reason = if paused { "Asked" } else { "None" };
        self.condition(ConditionKind::Paused, paused, reason, String::new())
    }
}
