//! What a plan says.

use crate::document::{HandOver, Reclaim};
use crate::identity::{Attempt, Member};
use crate::time::WallTime;

use super::record::{Launch, Operation, Record, Savepoint, Version};

/// What is to be done. The record is persisted before; the result is seen, never told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// To be persisted where it differs from what is.
    pub record: Record,
    /// To be executed when that is done.
    pub action: Option<Action>,
    /// What is waited for.
    pub waiting: Vec<Waiting>,
    /// For people and `kubectl wait`.
    pub conditions: Vec<Condition>,
    /// How far the version beside the active one is behind, in milliseconds of event time.
    pub lag_ms: Option<i64>,
    /// When time alone changes something next.
    pub wake: Option<WallTime>,
}

/// One thing to do. Repeated, each says and does the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take a native savepoint of a running job, under this name, and let the job go on.
    Snapshot {
        /// Names it, and its job.
        operation: Operation,
    },
    /// Create a deployment with this name, as that member; nothing if it is there.
    Start {
        /// All about it.
        version: Version,
    },
    /// Write a request to hand over into the rollout's store, with the operation's text as its id.
    Promote {
        /// Names it.
        operation: Operation,
        /// Who is to take over.
        to: Member,
        /// Instead of the document's own way.
        hand_over: Option<HandOver>,
    },
    /// Write a request to abort into the rollout's store, in the place of the request to hand over, with
    /// [`Operation::withdrawal`] as its id.
    Withdraw {
        /// Names it.
        operation: Operation,
        /// The attempt that is under way; when `None`, whichever is found.
        attempt: Option<Attempt>,
    },
    /// Change the document by [`crate::document::Document::reclaim`]; nothing if `by` owns something there.
    Reclaim(Reclaim),
    /// Change the document by [`crate::document::Document::forget`]; nothing if it is so already.
    Forget {
        /// A former owner that is dead for good.
        member: Member,
    },
    /// Stop a job with a savepoint, under this name.
    Stop {
        /// Names it, and its job.
        operation: Operation,
    },
    /// Cancel a job that is dead or was given up, and keep its checkpoints and its deployment.
    Cancel {
        /// Whose.
        launch: Launch,
    },
    /// Remove the high-availability data of a job that has ended.
    ClearHighAvailability {
        /// Whose.
        launch: Launch,
    },
    /// Delete a deployment, with its job if that still runs; keep checkpoints and savepoints.
    Delete {
        /// Which.
        launch: Launch,
    },
    /// Dispose of a savepoint that nothing needs any more.
    Drop {
        /// What took it.
        operation: Operation,
        /// Which.
        savepoint: Savepoint,
    },
    /// Let the resource go: remove the finalizer.
    Release,
}

/// The kinds of actions: every one is a point at which the shell may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    /// See [`Action`].
    Snapshot,
    /// See [`Action`].
    Start,
    /// See [`Action`].
    Promote,
    /// See [`Action`].
    Withdraw,
    /// See [`Action`].
    Reclaim,
    /// See [`Action`].
    Forget,
    /// See [`Action`].
    Stop,
    /// See [`Action`].
    Cancel,
    /// See [`Action`].
    ClearHighAvailability,
    /// See [`Action`].
    Delete,
    /// See [`Action`].
    Drop,
    /// See [`Action`].
    Release,
}

/// One thing that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its stable name.
    pub code: &'static str,
    /// For people: what, how far it is, and where a person is needed, the way out.
    pub message: String,
}

/// One line of the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub kind: ConditionKind,
    /// Whether it is so.
    pub status: bool,
    /// A stable name.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// The conditions of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionKind {
    /// The wanted revision is active and runs, and nothing is under way.
    Ready,
    /// Some version is active and runs.
    Available,
    /// Something is under way.
    Progressing,
    /// A revision was given up, or something needs a person.
    Degraded,
    /// A new version is ready, and its promotion or its cutover is awaited.
    CutoverPending,
    /// Nothing new is begun.
    Paused,
}

impl ActionKind {
    /// All of them.
    pub const ALL: [ActionKind; 12] = [
        ActionKind::Snapshot,
        ActionKind::Start,
        ActionKind::Promote,
        ActionKind::Withdraw,
        ActionKind::Reclaim,
        ActionKind::Forget,
        ActionKind::Stop,
        ActionKind::Cancel,
        ActionKind::ClearHighAvailability,
        ActionKind::Delete,
        ActionKind::Drop,
        ActionKind::Release,
    ];

    /// The stable name, for metrics, events and kill points.
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Snapshot => "Snapshot",
            ActionKind::Start => "Start",
            ActionKind::Promote => "Promote",
            ActionKind::Withdraw => "Withdraw",
            ActionKind::Reclaim => "Reclaim",
            ActionKind::Forget => "Forget",
            ActionKind::Stop => "Stop",
            ActionKind::Cancel => "Cancel",
            ActionKind::ClearHighAvailability => "ClearHighAvailability",
            ActionKind::Delete => "Delete",
            ActionKind::Drop => "Drop",
            ActionKind::Release => "Release",
        }
    }
}

impl Action {
    /// Its kind.
    pub fn kind(&self) -> ActionKind {
        match self {
            Action::Snapshot { .. } => ActionKind::Snapshot,
            Action::Start { .. } => ActionKind::Start,
            Action::Promote { .. } => ActionKind::Promote,
            Action::Withdraw { .. } => ActionKind::Withdraw,
            Action::Reclaim(_) => ActionKind::Reclaim,
            Action::Forget { .. } => ActionKind::Forget,
            Action::Stop { .. } => ActionKind::Stop,
            Action::Cancel { .. } => ActionKind::Cancel,
            Action::ClearHighAvailability { .. } => ActionKind::ClearHighAvailability,
            Action::Delete { .. } => ActionKind::Delete,
            Action::Drop { .. } => ActionKind::Drop,
            Action::Release => ActionKind::Release,
        }
    }
}

impl ConditionKind {
    /// The `type` of the condition.
    pub fn name(self) -> &'static str {
        match self {
            ConditionKind::Ready => "Ready",
            ConditionKind::Available => "Available",
            ConditionKind::Progressing => "Progressing",
            ConditionKind::Degraded => "Degraded",
            ConditionKind::CutoverPending => "CutoverPending",
            ConditionKind::Paused => "Paused",
        }
    }
}
