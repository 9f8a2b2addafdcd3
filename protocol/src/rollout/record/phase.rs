//! Where a rollout stands. `docs/decisions/0023` shows all of it as one table.

use serde::{Deserialize, Serialize};

use super::{Failure, Revision, Savepoint, Scale, Start, Version};
use crate::identity::Attempt;
use crate::time::{EventTime, WallTime};

/// What is under way. `since` is when the phase began; a pause moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Phase {
    /// Nothing.
    Idle,
    /// The job is stopped, as the resource wants it; it goes on from here.
    Suspended {
        /// Its last state.
        start: Start,
    },
    /// A savepoint of the active version is taken for the new one to start from.
    Snapshotting {
        /// What is to be started from it.
        revision: Revision,
        /// Which try.
        tries: u32,
        /// See above.
        since: WallTime,
    },
    /// A version is started.
    Starting {
        /// Which, and what for.
        purpose: Purpose,
        /// Its deployment has been seen.
        created: bool,
        /// See above.
        since: WallTime,
    },
    /// A version runs, and has to show that it is sound.
    Proving {
        /// Which, and what for.
        purpose: Purpose,
        /// What it is measured against; `None` while it settles.
        baseline: Option<Baseline>,
        /// Since when it is as far as the active version.
        caught_up: Option<WallTime>,
        /// A person has waived lag, window and checks.
        waived: bool,
        /// See above.
        since: WallTime,
    },
    /// The new version is sound; its promotion is awaited.
    Ready {
        /// The new version.
        target: Version,
        /// What it is measured against.
        baseline: Baseline,
        /// A person has asked for it.
        promoted: bool,
        /// See above.
        since: WallTime,
    },
    /// A savepoint of the active version is taken as the way back.
    Pinning {
        /// The new version.
        target: Version,
        /// What it is measured against.
        baseline: Baseline,
        /// Which try.
        tries: u32,
        /// See above.
        since: WallTime,
    },
    /// The cutover is asked for, and under way.
    CuttingOver {
        /// The new version.
        target: Version,
        /// What it is measured against.
        baseline: Baseline,
        /// Where the old version can be started from again.
        way_back: Savepoint,
        /// The document's last attempt before this try.
        before: Attempt,
        /// Which try.
        tries: u32,
        /// It was given up too late to be aborted: it goes back once it is through.
        condemned: Option<Failure>,
        /// See above.
        since: WallTime,
    },
    /// The new version is given up before the commit; what was asked for is withdrawn first.
    Aborting {
        /// The new version.
        target: Version,
        /// What it is measured against.
        baseline: Baseline,
        /// Where the old version can be started from again.
        way_back: Savepoint,
        /// The last try of the cutover.
        tries: u32,
        /// Why.
        failure: Failure,
        /// See above.
        since: WallTime,
    },
    /// The new version is the active one; the old one stands by.
    Watching {
        /// The old version.
        former: Version,
        /// Where it can be started from again.
        way_back: Savepoint,
        /// What the new one is measured against.
        baseline: Baseline,
        /// It was given up in the cutover.
        condemned: Option<Failure>,
        /// See above.
        since: WallTime,
    },
    /// A cutover back to the old version is asked for, and under way.
    Reversing {
        /// The old version.
        back: Version,
        /// Where it can be started from again; `None` when it was released already.
        way_back: Option<Savepoint>,
        /// The document's last attempt before this try.
        before: Attempt,
        /// Which try.
        tries: u32,
        /// Why.
        failure: Failure,
        /// A person has taken it back: what was asked for is withdrawn, and the active version stays.
        abandoned: bool,
        /// See above.
        since: WallTime,
    },
    /// The active version is dead: it is made sure that it has ended, and that no cutover is open.
    Fencing {
        /// The old version, which may still run.
        former: Version,
        /// Where it can be started from again.
        way_back: Savepoint,
        /// The last try of a reverse cutover.
        tries: u32,
        /// Up to where the dead version's output goes, when a person says so.
        frontier: Option<EventTime>,
        /// Why.
        failure: Failure,
        /// See above.
        since: WallTime,
    },
    /// The document is asked to give what the dead version owned to a new generation of the old one.
    Claiming {
        /// The old version, which may still run.
        former: Version,
        /// Its new generation.
        version: Version,
        /// Where it is started from.
        way_back: Savepoint,
        /// Up to where the dead version's output goes.
        frontier: EventTime,
        /// Why.
        failure: Failure,
        /// See above.
        since: WallTime,
    },
    /// The active version is stopped with a savepoint.
    Stopping {
        /// What comes then.
        next: Next,
        /// Which try.
        tries: u32,
        /// See above.
        since: WallTime,
    },
    /// The active member is launched again, once its last launch has ended and left no high-availability data.
    Relaunching {
        /// What it is made from.
        revision: Revision,
        /// How large it was.
        scale: Option<Scale>,
        /// What it starts with; `None` for the last state of the launch before.
        start: Option<Start>,
        /// What to go back to when it fails.
        fallback: Option<Version>,
        /// Its last launch may be cancelled: it is dead, or was given up.
        cancel: bool,
        /// See above.
        since: WallTime,
    },
    /// The resource is being deleted.
    Leaving {
        /// See above.
        since: WallTime,
    },
    /// Nothing is left, and the resource may go.
    Left,
}

/// Which version is started, and what for. All but the standby are the active version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Purpose {
    /// The first one.
    First,
    /// It is to take over from the active version.
    Standby(Version),
    /// It goes on in the place of its member's last launch.
    InPlace {
        /// What to go back to when it fails.
        fallback: Option<Version>,
    },
    /// It continues for a dead version.
    Reclaim,
}

/// What comes after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    /// The revision that is wanted then, from the savepoint.
    Replace,
    /// Nothing, until the resource wants it to run.
    Suspend,
}

/// What a job had counted when its probe window began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// When.
    pub at: WallTime,
    /// Restarts.
    pub restarts: u64,
    /// Failed checkpoints.
    pub failed_checkpoints: u64,
    /// Completed checkpoints.
    pub completed_checkpoints: u64,
}

impl Phase {
    /// Every [`name`](Self::name).
    pub const NAMES: [&str; 17] = [
        "Idle",
        "Suspended",
        "Snapshotting",
        "Starting",
        "Proving",
        "Ready",
        "Pinning",
        "CuttingOver",
        "Aborting",
        "Watching",
        "Reversing",
        "Fencing",
        "Claiming",
        "Stopping",
        "Relaunching",
        "Leaving",
        "Left",
    ];

    /// The name in the status, in conditions and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Phase::Idle => "Idle",
            Phase::Suspended { .. } => "Suspended",
            Phase::Snapshotting { .. } => "Snapshotting",
            Phase::Starting { .. } => "Starting",
            Phase::Proving { .. } => "Proving",
            Phase::Ready { .. } => "Ready",
            Phase::Pinning { .. } => "Pinning",
            Phase::CuttingOver { .. } => "CuttingOver",
            Phase::Aborting { .. } => "Aborting",
            Phase::Watching { .. } => "Watching",
            Phase::Reversing { .. } => "Reversing",
            Phase::Fencing { .. } => "Fencing",
            Phase::Claiming { .. } => "Claiming",
            Phase::Stopping { .. } => "Stopping",
            Phase::Relaunching { .. } => "Relaunching",
            Phase::Leaving { .. } => "Leaving",
            Phase::Left => "Left",
        }
    }

    /// When it began; `None` where nothing is under way.
    pub fn since(&self) -> Option<WallTime> {
        let mut copy = self.clone();
        copy.since_mut().copied()
    }

    pub(in crate::rollout) fn since_mut(&mut self) -> Option<&mut WallTime> {
        match self {
            Phase::Idle | Phase::Suspended { .. } | Phase::Left => None,
            Phase::Snapshotting { since, .. }
            | Phase::Starting { since, .. }
            | Phase::Proving { since, .. }
            | Phase::Ready { since, .. }
            | Phase::Pinning { since, .. }
            | Phase::CuttingOver { since, .. }
            | Phase::Aborting { since, .. }
            | Phase::Watching { since, .. }
            | Phase::Reversing { since, .. }
            | Phase::Fencing { since, .. }
            | Phase::Claiming { since, .. }
            | Phase::Stopping { since, .. }
            | Phase::Relaunching { since, .. }
            | Phase::Leaving { since } => Some(since),
        }
    }

    /// The version beside the active one: the new one before the cutover, the old one after it.
    pub fn beside(&self) -> Option<&Version> {
        match self {
            Phase::Starting { purpose, .. } | Phase::Proving { purpose, .. } => purpose.standby(),
            Phase::Ready { target: version, .. }
            | Phase::Pinning { target: version, .. }
            | Phase::CuttingOver { target: version, .. }
            | Phase::Aborting { target: version, .. }
            | Phase::Watching { former: version, .. }
            | Phase::Reversing { back: version, .. }
            | Phase::Fencing { former: version, .. }
            | Phase::Claiming { former: version, .. } => Some(version),
            Phase::Idle
            | Phase::Suspended { .. }
            | Phase::Snapshotting { .. }
            | Phase::Stopping { .. }
            | Phase::Relaunching { .. }
            | Phase::Leaving { .. }
            | Phase::Left => None,
        }
    }

    /// Revisions that are to be launched, or may have to be, and are of no version yet.
    pub(in crate::rollout) fn revisions(&self) -> impl Iterator<Item = &Revision> {
        let (next, fallback) = match self {
            Phase::Snapshotting { revision, .. } => (Some(revision), None),
            Phase::Relaunching { revision, fallback, .. } => (Some(revision), fallback.as_ref()),
            Phase::Starting { purpose: Purpose::InPlace { fallback }, .. }
            | Phase::Proving { purpose: Purpose::InPlace { fallback }, .. } => (None, fallback.as_ref()),
            Phase::Idle
            | Phase::Suspended { .. }
            | Phase::Starting { .. }
            | Phase::Proving { .. }
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
            | Phase::Left => (None, None),
        };
        next.into_iter().chain(fallback.map(|fallback| &fallback.revision))
    }

    pub(in crate::rollout) fn version_mut(&mut self) -> Option<&mut Version> {
        match self {
            Phase::Starting { purpose: Purpose::Standby(version), .. }
            | Phase::Proving { purpose: Purpose::Standby(version), .. }
            | Phase::Ready { target: version, .. }
            | Phase::Pinning { target: version, .. }
            | Phase::CuttingOver { target: version, .. }
            | Phase::Aborting { target: version, .. }
            | Phase::Watching { former: version, .. }
            | Phase::Reversing { back: version, .. }
            | Phase::Fencing { former: version, .. }
            | Phase::Claiming { former: version, .. } => Some(version),
            Phase::Starting {
                purpose: Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim, ..
            }
            | Phase::Proving {
                purpose: Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim, ..
            }
            | Phase::Idle
            | Phase::Suspended { .. }
            | Phase::Snapshotting { .. }
            | Phase::Stopping { .. }
            | Phase::Relaunching { .. }
            | Phase::Leaving { .. }
            | Phase::Left => None,
        }
    }
}

impl Purpose {
    /// Another version goes on, or comes back, when this one is given up.
    pub(in crate::rollout) fn has_way_back(&self) -> bool {
        match self {
            Purpose::Standby(_) | Purpose::InPlace { fallback: Some(_) } => true,
            Purpose::First | Purpose::InPlace { fallback: None } | Purpose::Reclaim => false,
        }
    }

    /// The version that is to take over, when there is one.
    pub fn standby(&self) -> Option<&Version> {
        match self {
            Purpose::Standby(version) => Some(version),
            Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim => None,
        }
    }
}
