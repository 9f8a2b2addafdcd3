//! What a subtask leaves in a snapshot, and what its successors make of it.

use super::Subtask;
use crate::identity::{CheckpointId, Epoch, Member, Origin, Snapshot};
use crate::time::EventTime;

/// The part of a subtask's state that its successors all get to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Whose state it is.
    pub member: Member,
    /// The checkpoint or savepoint that it is part of.
    pub checkpoint: CheckpointId,
    /// What its member was first started from.
    pub origin: Origin,
    /// The highest epoch that was known.
    pub epoch: Epoch,
    /// The highest timestamp that was emitted.
    pub emitted_high: EventTime,
    /// The highest timestamp that was discarded.
    pub discarded_high: EventTime,
    /// The highest timestamp that was emitted, discarded or held.
    pub seen_high: EventTime,
    /// Everything below it had arrived.
    pub watermark: EventTime,
    /// Everything below it had been emitted or discarded.
    pub frontier: EventTime,
}

/// The headers of one snapshot come from different snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "GateStateMixed: the gate's state was written by {first} and by {other}; start the job from one checkpoint or savepoint, \
     with the gate's uid used by no other operator"
)]
pub struct MixedOrigin {
    first: Snapshot,
    other: Snapshot,
}

/// What a subtask is restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restored {
    Nothing,
    /// Its own member's state, and what that member was first started from.
    Own(Origin),
    /// Another member's.
    Foreign(Snapshot),
}

/// What headers tell about where a subtask comes from.
pub(super) fn restored(member: Member, headers: &[Header]) -> Result<Restored, MixedOrigin> {
    let mut snapshots =
        headers.iter().map(|header| Snapshot { member: header.member, checkpoint: header.checkpoint });
    let Some(first) = snapshots.next() else { return Ok(Restored::Nothing) };
    if let Some(other) = snapshots.find(|snapshot| *snapshot != first) {
        return Err(MixedOrigin { first, other });
    }
    Ok(if first.member == member { Restored::Own(headers[0].origin) } else { Restored::Foreign(first) })
}

impl<R> Subtask<R> {
    /// The header for the snapshot that was just taken by [`super::Event::Snapshot`].
    pub fn header(&self, checkpoint: CheckpointId) -> Header {
        let held_high = self.held.iter().map(|held| held.time).max().unwrap_or(EventTime::MIN);
        Header {
            member: self.member,
            checkpoint,
            origin: self.origin,
            epoch: self.known,
            emitted_high: self.emitted_high,
            discarded_high: self.discarded_high,
            seen_high: self.emitted_high.max(self.discarded_high).max(held_high),
            watermark: self.watermark,
            frontier: self.frontier(),
        }
    }
}
