//! Savepoints on a schedule: taken while nothing else is under way, the newest ones kept. Nothing ever waits for one.

use super::super::action::Action;
use super::super::observation::Progress;
use super::super::record::{Kept, Launch, Operation, OperationKind, Phase};
use super::Planner;

impl Planner<'_> {
    pub(super) fn schedule(&mut self) -> Option<Action> {
        let quiet = self.quiet();
        for kept in self.unfinished() {
            let (operation, progress) = (kept.operation, self.observed.operations.get(&kept.operation));
            match progress {
                Some(Progress::Failed(reason)) => self.missed(operation, reason.clone()),
                Some(Progress::Running) if self.deployment(operation.launch).is_none() => {
                    self.missed(operation, "its job is gone".to_owned());
                }
                Some(Progress::Running | Progress::Done(_)) => {
                    self.wait("Savepoint", format!("the savepoint {operation} is not complete"));
                    return None;
                }
                None if quiet == Some(operation.launch) => return Some(Action::Snapshot { operation }),
                // It was never asked for: it is as if it had never been due.
                None => {
                    self.forget_savepoint(operation);
                    self.record.scheduled.begun = None;
                }
            }
        }
        let (launch, schedule) = quiet.zip(self.observed.wanted.settings.savepoints)?;
        if let Some(begun) = self.record.scheduled.begun
            && !self.passed(begun, schedule.every_ms)
        {
            return None;
        }
        let count = self.record.scheduled.count.saturating_add(1);
        (self.record.scheduled.count, self.record.scheduled.begun) = (count, Some(self.now));
        let operation = self.operation(OperationKind::Scheduled, launch, count);
        self.keep(operation, false);
        Some(Action::Snapshot { operation })
    }

    /// Those beyond the newest ones that are to be kept. Nothing is disposed of while something else is under way, nor when there
    /// is no schedule any more: they are the user's then.
    pub(super) fn surplus(&self) -> Vec<Operation> {
        let schedule = self.observed.wanted.settings.savepoints.filter(|_| self.quiet().is_some());
        let Some(schedule) = schedule else { return Vec::new() };
        let complete =
            |kept: &&Kept| kept.operation.kind == OperationKind::Scheduled && kept.savepoint.is_some();
        let complete: Vec<&Kept> = self.record.savepoints.iter().filter(complete).collect();
        let (dropping, mut staying): (Vec<&Kept>, Vec<&Kept>) =
            complete.into_iter().partition(|kept| kept.dropping);
        staying.sort_by_key(|kept| std::cmp::Reverse(kept.operation.tries));
        let old = staying.into_iter().skip(schedule.keep as usize);
        dropping.into_iter().chain(old).map(|kept| kept.operation).collect()
    }

    /// The active launch, when it runs, and nothing is under way nor about to begin.
    fn quiet(&self) -> Option<Launch> {
        let launch = self.record.active.as_ref()?.launch;
        let is_idle =
            self.record.phase == Phase::Idle && self.record.paused.is_none() && !self.observed.deleting;
        let is_alone = self.record.leftovers.iter().all(|leftover| leftover.ended.is_some());
        (is_idle && is_alone && self.runs(launch)).then_some(launch)
    }

    fn unfinished(&self) -> Vec<Kept> {
        let is = |kept: &&Kept| kept.operation.kind == OperationKind::Scheduled && kept.savepoint.is_none();
        self.record.savepoints.iter().filter(is).cloned().collect()
    }

    /// The next one is taken at its time.
    fn missed(&mut self, operation: Operation, reason: String) {
        self.warn(format!("the savepoint {operation} failed"), reason);
        self.forget_savepoint(operation);
    }

    fn forget_savepoint(&mut self, operation: Operation) {
        self.record.savepoints.retain(|kept| kept.operation != operation);
    }
}
