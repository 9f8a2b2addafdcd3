//! Savepoints that nothing needs any more are disposed of; one that something needs never is.

use super::super::action::Action;
use super::super::observation::Progress;
use super::super::record::{Kept, OperationKind, Phase, Purpose, Record, Savepoint, Start};
use super::Planner;

/// How many last savepoints of former versions are remembered; older ones stay where they are and are the user's.
const LAST: usize = 20;

impl Planner<'_> {
    pub(super) fn savepoints(&mut self) -> Option<Action> {
        let mut action = None;
        for kept in std::mem::take(&mut self.record.savepoints) {
            let stays = self.savepoint(&kept, &mut action);
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

    fn savepoint(&self, kept: &Kept, action: &mut Option<Action>) -> Option<Kept> {
        let progress = self.observed.operations.get(&kept.operation);
        if kept.dropping && progress.is_none() {
            return None;
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
}

impl Record {
    /// What something still needs.
    pub(in crate::rollout) fn needs(&self) -> Needs<'_> {
        let mut savepoints = Vec::new();
        let versions = self.active.iter().chain(
            self.leftovers
                .iter()
                .filter_map(|leftover| leftover.ended.is_none().then_some(&leftover.version)),
        );
        for version in versions.chain(self.phase.beside()).filter(|version| !version.rooted) {
            savepoints.extend(begins_with(&version.start));
        }
        savepoints.extend(self.phase.savepoints());
        Needs { record: self, savepoints }
    }
}

fn begins_with(start: &Start) -> Option<&Savepoint> {
    match start {
        Start::Savepoint(savepoint) => Some(savepoint),
        Start::Empty | Start::Given(_) => None,
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
            Phase::Suspended { start } => begins_with(start).into_iter().collect(),
            Phase::Starting { purpose: Purpose::InPlace { fallback: Some(fallback) }, .. }
            | Phase::Proving { purpose: Purpose::InPlace { fallback: Some(fallback) }, .. } => {
                begins_with(&fallback.start).into_iter().collect()
            }
            Phase::Relaunching { start, fallback, .. } => {
                let fallback = fallback.as_ref().map(|fallback| &fallback.start);
                start.iter().chain(fallback).filter_map(begins_with).collect()
            }
            Phase::Starting { .. }
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
}

impl Needs<'_> {
    pub(in crate::rollout) fn covers(&self, kept: &Kept) -> bool {
        match &kept.savepoint {
            Some(savepoint) => self.savepoints.contains(&savepoint) || self.awaits(kept),
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
