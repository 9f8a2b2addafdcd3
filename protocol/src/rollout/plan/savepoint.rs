//! Savepoints that nothing needs any more are disposed of; one that something needs never is.

use super::super::action::Action;
use super::super::observation::Progress;
use super::super::record::{Kept, Operation, OperationKind, Phase, Purpose, Record, Savepoint, Start};
use super::Planner;

/// How many last savepoints of former versions are remembered; older ones stay where they are and are the user's.
const LAST: usize = 20;

impl Planner<'_> {
    pub(super) fn savepoints(&mut self) -> Option<Action> {
        let mut action = None;
        let surplus = self.surplus();
        for kept in std::mem::take(&mut self.record.savepoints) {
            let stays = self.savepoint(&kept, &surplus, &mut action);
            self.record.savepoints.extend(stays);
        }
        let last = self.record.savepoints.iter().filter(|kept| kept.last);
        let surplus = last.clone().count().saturating_sub(LAST);
        let needs = self.record.needs();
        let forgotten: Vec<_> =
            last.filter(|kept| !needs.covers(kept)).take(surplus).map(|kept| kept.operation).collect();
        self.record.savepoints.retain(|kept| !forgotten.contains(&kept.operation));
        action
    }

    fn savepoint(&self, kept: &Kept, surplus: &[Operation], action: &mut Option<Action>) -> Option<Kept> {
        let progress = self.observed.operations.get(&kept.operation);
        if kept.dropping && progress.is_none() {
            return None;
        }
        let is_scheduled = kept.operation.kind == OperationKind::Scheduled;
        if is_scheduled && !surplus.contains(&kept.operation) {
            return Some(kept.clone());
        }
        if self.record.needs().covers(kept) || kept.last && kept.savepoint.is_some() {
            return Some(kept.clone());
        }
        let Some(savepoint) = kept.savepoint.clone() else {
            // It was asked for and is not needed; what comes of it is disposed of, and nothing can come if nothing is there.
            return matches!(progress, Some(Progress::Running)).then(|| kept.clone());
        };
        if action.is_none() {
            *action = Some(Action::Drop { operation: kept.operation, savepoint });
        }
        Some(Kept { dropping: true, ..kept.clone() })
    }
}

/// What a record still needs.
pub(in crate::rollout) struct Needs<'a> {
    record: &'a Record,
    savepoints: Vec<&'a Savepoint>,
    /// States that something is launched from, or may have to be.
    starts: Vec<&'a Start>,
}

impl Record {
    /// What something still needs.
    pub(in crate::rollout) fn needs(&self) -> Needs<'_> {
        let versions = self.active.iter().chain(
            self.leftovers
                .iter()
                .filter_map(|leftover| leftover.ended.is_none().then_some(&leftover.version)),
        );
        let unrooted = versions.chain(self.phase.beside()).filter(|version| !version.rooted);
        let mut starts: Vec<&Start> = unrooted.map(|version| &version.start).collect();
        starts.extend(self.phase.starts());
        Needs { record: self, savepoints: self.phase.savepoints(), starts }
    }
}

impl Phase {
    /// The savepoints that the phase itself holds.
    fn savepoints(&self) -> Vec<&Savepoint> {
        match self {
            Phase::CuttingOver { way_back, .. }
            | Phase::Aborting { way_back, .. }
            | Phase::Watching { way_back, .. }
            | Phase::Fencing { way_back, .. }
            | Phase::Claiming { way_back, .. } => vec![way_back],
            Phase::Reversing { way_back, .. } => way_back.iter().collect(),
            Phase::Suspended { .. }
            | Phase::Relaunching { .. }
            | Phase::Starting { .. }
            | Phase::Proving { .. }
            | Phase::Idle
            | Phase::Snapshotting { .. }
            | Phase::Ready { .. }
            | Phase::Pinning { .. }
            | Phase::Stopping { .. }
            | Phase::Leaving { .. }
            | Phase::Left => Vec::new(),
        }
    }

    /// The states that the phase launches something from, or may have to.
    fn starts(&self) -> Vec<&Start> {
        match self {
            Phase::Suspended { start } => vec![start],
            Phase::Starting { purpose: Purpose::InPlace { fallback: Some(fallback) }, .. }
            | Phase::Proving { purpose: Purpose::InPlace { fallback: Some(fallback) }, .. } => {
                vec![&fallback.start]
            }
            Phase::Relaunching { start, fallback, .. } => {
                start.iter().chain(fallback.as_ref().map(|fallback| &fallback.start)).collect()
            }
            Phase::Starting { .. }
            | Phase::Proving { .. }
            | Phase::Idle
            | Phase::Snapshotting { .. }
            | Phase::Ready { .. }
            | Phase::Pinning { .. }
            | Phase::CuttingOver { .. }
            | Phase::Aborting { .. }
            | Phase::Watching { .. }
            | Phase::Reversing { .. }
            | Phase::Fencing { .. }
            | Phase::Claiming { .. }
            | Phase::Stopping { .. }
            | Phase::Leaving { .. }
            | Phase::Left => Vec::new(),
        }
    }
}

impl Start {
    /// A person may have named a savepoint of the rollout.
    fn is(&self, savepoint: &Savepoint) -> bool {
        match self {
            Start::Empty => false,
            Start::Given(path) => *path == savepoint.path,
            Start::Savepoint(own) => own == savepoint,
        }
    }
}

impl Needs<'_> {
    pub(in crate::rollout) fn covers(&self, kept: &Kept) -> bool {
        match &kept.savepoint {
            Some(savepoint) => {
                let is_begun_with = self.starts.iter().any(|start| start.is(savepoint));
                is_begun_with || self.savepoints.contains(&savepoint) || self.awaits(kept)
            }
            None => self.awaits(kept),
        }
    }

    /// The phase, or a leftover, waits for just this operation.
    fn awaits(&self, kept: &Kept) -> bool {
        let operation = kept.operation;
        let current = operation.attempt == self.record.attempt;
        let of_phase = match (operation.kind, &self.record.phase) {
            (OperationKind::Snapshot, Phase::Snapshotting { tries, .. })
            | (OperationKind::Pin, Phase::Pinning { tries, .. })
            | (OperationKind::Stop, Phase::Stopping { tries, .. }) => current && operation.tries == *tries,
            (OperationKind::Stop, Phase::Leaving { .. }) => current,
            (
                OperationKind::Snapshot
                | OperationKind::Pin
                | OperationKind::Stop
                | OperationKind::Scheduled
                | OperationKind::Promote
                | OperationKind::Withdraw,
                _,
            ) => false,
        };
        let of_leftover = |leftover: &super::Leftover| {
            operation.kind == OperationKind::Stop
                && operation.launch == leftover.version.launch
                && operation.attempt == leftover.attempt
                && operation.tries == leftover.tries
        };
        of_phase || self.record.leftovers.iter().any(of_leftover)
    }
}
