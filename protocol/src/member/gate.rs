//! What the agent knows about one gate: its subtasks, and what of their output is committed.

use std::collections::BTreeMap;

use super::Evidence;
use crate::identity::{CheckpointId, Epoch, Origin};
use crate::order::Question;
use crate::report::{FarRecord, GateReport, NAMED, Replies, SlowSubtask};
use crate::subtask::Status;
use crate::time::EventTime;

/// The newest execution attempt of one subtask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Execution {
    attempt: u32,
    status: Option<Status>,
    /// The epoch of the last order sent, and whether that was to close.
    ordered: Option<(Epoch, bool)>,
    frontier: EventTime,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Gate {
    parallelism: u32,
    evidence: Option<Evidence>,
    committers: u32,
    commits: BTreeMap<u32, CheckpointId>,
    completed: Option<CheckpointId>,
    subtasks: BTreeMap<u32, Execution>,
}

impl Gate {
    pub(super) fn opened(&mut self, parallelism: u32, evidence: Evidence) {
        self.parallelism = parallelism;
        self.evidence = Some(evidence);
        self.subtasks.clear();
    }

    pub(super) fn committers_opened(&mut self, parallelism: u32) {
        self.committers = parallelism;
        self.commits.clear();
    }

    pub(super) fn ready(&mut self, subtask: u32, attempt: u32, parallelism: u32) {
        if self.subtasks.get(&subtask).is_some_and(|execution| execution.attempt > attempt) {
            return;
        }
        self.parallelism = parallelism;
        self.subtasks.retain(|index, _| *index < parallelism);
        self.subtasks
            .insert(subtask, Execution { attempt, status: None, ordered: None, frontier: EventTime::MIN });
    }

    pub(super) fn gone(&mut self, subtask: u32) {
        self.subtasks.remove(&subtask);
    }

    pub(super) fn reset(&mut self) {
        self.subtasks.clear();
    }

    pub(super) fn status(&mut self, subtask: u32, attempt: u32, status: Status) {
        let committed = self.committed_checkpoint();
        if let Some(execution) =
            self.subtasks.get_mut(&subtask).filter(|execution| execution.attempt == attempt)
        {
            execution.status = Some(status);
            execution.advance(committed);
        }
    }

    pub(super) fn committed(&mut self, committer: u32, checkpoint: CheckpointId) {
        let last = self.commits.entry(committer).or_insert(checkpoint);
        *last = checkpoint.max(*last);
        self.advance();
    }

    pub(super) fn checkpoint_completed(&mut self, checkpoint: CheckpointId) {
        self.completed = self.completed.max(Some(checkpoint));
        self.advance();
    }

    fn advance(&mut self) {
        let committed = self.committed_checkpoint();
        for execution in self.subtasks.values_mut() {
            execution.advance(committed);
        }
    }

    /// The last checkpoint whose output is known to be committed, by every committer behind this gate.
    fn committed_checkpoint(&self) -> Option<CheckpointId> {
        match self.evidence? {
            Evidence::Checkpoint => self.completed,
            Evidence::Committer => {
                let all = self.committers > 0
                    && (0..self.committers).all(|index| self.commits.contains_key(&index));
                if all {
                    self.commits.iter().filter(|(index, _)| **index < self.committers).map(|(_, c)| *c).min()
                } else {
                    None
                }
            }
        }
    }

    /// The execution attempts that need an order of this epoch, which counts as sent from now on.
    pub(super) fn take_due_orders(
        &mut self,
        epoch: Epoch,
        closed: bool,
        bound: Option<Origin>,
    ) -> Vec<(u32, u32)> {
        let mut orders = Vec::new();
        for (subtask, execution) in &mut self.subtasks {
            let Some(status) = &execution.status else { continue };
            if bound.is_none_or(|bound| bound == status.origin) && execution.ordered != Some((epoch, closed))
            {
                execution.ordered = Some((epoch, closed));
                orders.push((*subtask, execution.attempt));
            }
        }
        orders
    }

    fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.subtasks.values().filter_map(|execution| execution.status.as_ref())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.parallelism > 0 && self.statuses().count() == self.parallelism as usize
    }

    pub(super) fn known(&self) -> Epoch {
        self.statuses().map(|status| status.known).max().unwrap_or_default()
    }

    pub(super) fn full(&self) -> usize {
        self.statuses().filter(|status| status.full).count()
    }

    pub(super) fn origin(&self) -> Option<Origin> {
        let first = self.statuses().next()?.origin;
        self.is_ready()
            .then(|| if self.statuses().all(|status| status.origin == first) { first } else { Origin::Fresh })
    }

    pub(super) fn frontier(&self) -> EventTime {
        if !self.is_ready() {
            return EventTime::MIN;
        }
        self.subtasks.values().map(|execution| execution.frontier).min().unwrap_or(EventTime::MIN)
    }

    /// The lowest watermark of the subtasks that are neither idle nor ended.
    pub(super) fn arrived(&self) -> EventTime {
        let waiting = self.statuses().filter(|status| !status.idle && !status.ended);
        waiting.map(|status| status.watermark).min().unwrap_or(EventTime::MAX)
    }

    pub(super) fn watermark_high(&self) -> EventTime {
        self.statuses().map(|status| status.watermark).max().unwrap_or(EventTime::MIN)
    }

    fn replies(&self, question: Question) -> Replies {
        let attempt = question.attempt;
        let reply = |index: u32| {
            let status = self.subtasks.get(&index)?.status.as_ref()?;
            let given = status.reply.filter(|reply| reply.attempt == attempt);
            // One that has come to its end may hear no order any more; what it has disposed of cannot grow.
            given.or_else(|| status.is_finished().then(|| status.reply_to(question)))
        };
        let acknowledged = |index: u32| reply(index).is_some_and(|reply| reply.acknowledged);
        let refusals = (0..self.parallelism).filter_map(reply).filter(|reply| !reply.acknowledged);
        Replies {
            attempt,
            acknowledged: (0..self.parallelism).map(|index| u32::from(acknowledged(index))).sum(),
            refused_high: refusals.map(|reply| reply.high).max(),
            missing: (0..self.parallelism).filter(|index| !acknowledged(*index)).take(NAMED).collect(),
        }
    }

    fn slowest(&self) -> Vec<SlowSubtask> {
        let mut slowest: Vec<SlowSubtask> = (0..self.parallelism)
            .map(|subtask| {
                let execution = self.subtasks.get(&subtask);
                let status = execution.and_then(|execution| execution.status.as_ref());
                SlowSubtask {
                    subtask,
                    watermark: status.map_or(EventTime::MIN, |status| status.watermark),
                    frontier: execution.map_or(EventTime::MIN, |execution| execution.frontier),
                    held: status.map_or(0, |status| status.held),
                }
            })
            .collect();
        slowest.sort_by_key(|slow| (slow.frontier, slow.watermark, slow.subtask));
        slowest.truncate(NAMED);
        slowest
    }

    fn furthest(&self) -> Option<FarRecord> {
        let far = self.subtasks.iter().filter_map(|(subtask, execution)| {
            Some(FarRecord { subtask: *subtask, time: execution.status.as_ref()?.future_time? })
        });
        far.max_by_key(|far| far.time)
    }

    pub(super) fn report(&self, question: Option<Question>) -> GateReport {
        let highest = |of: fn(&Status) -> EventTime| self.statuses().map(of).max().unwrap_or(EventTime::MIN);
        let count = |of: fn(&Status) -> bool| self.statuses().map(|status| u32::from(of(status))).sum();
        let sum = |of: fn(&Status) -> u64| self.statuses().map(of).fold(0_u64, u64::saturating_add);
        GateReport {
            parallelism: self.parallelism,
            ready: count(|_| true),
            ended: count(|status| status.ended),
            idle: count(|status| status.idle),
            replies: question.map(|question| self.replies(question)),
            emitted_high: highest(|status| status.emitted_high),
            discarded_high: highest(|status| status.discarded_high),
            watermark_low: if self.is_ready() { self.arrived() } else { EventTime::MIN },
            watermark_high: self.watermark_high(),
            frontier: self.frontier(),
            committed: self.committed_checkpoint(),
            held: sum(|status| status.held),
            full: count(|status| status.full),
            emitted: sum(|status| status.emitted),
            discarded: sum(|status| status.discarded),
            odd: [sum(|status| status.odd[0]), sum(|status| status.odd[1]), sum(|status| status.odd[2])],
            furthest: self.furthest(),
            slowest: self.slowest(),
        }
    }
}

impl Execution {
    /// The frontier of the last snapshot that is covered by what is committed.
    fn advance(&mut self, committed: Option<CheckpointId>) {
        let (Some(committed), Some(status)) = (committed, &self.status) else { return };
        if let Some((_, frontier)) =
            status.snapshots.iter().rev().find(|(checkpoint, _)| *checkpoint <= committed)
        {
            self.frontier = *frontier;
        }
    }
}
