//! What happens to a member, inside its job: one set of messages for every bridge.

use serde::{Deserialize, Serialize};

use crate::identity::CheckpointId;
use crate::subtask::Status;

/// How it is known that a checkpoint's output is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The sink's committers say so.
    Committer,
    /// The checkpoint is complete; enough for a sink that flushes before each checkpoint, weaker for a bare gate.
    Checkpoint,
}

/// The highest parallelism that Flink allows: what is above it is no number of subtasks.
pub const MAX_PARALLELISM: u32 = 1 << 15;

/// An event that cannot have happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// More than Flink has.
    #[error("parallelism = {0} is not from 1 to {MAX_PARALLELISM}")]
    Parallelism(u32),
    /// The index of nothing.
    #[error("subtask = {subtask} is not below {below}")]
    Subtask {
        /// What was told.
        subtask: u32,
        /// The number of subtasks.
        below: u32,
    },
}

/// What happens to a member, inside its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A gate's coordinator was started.
    GateOpened {
        /// Its name.
        gate: String,
        /// How many subtasks it has.
        parallelism: u32,
        /// How its commits are known.
        evidence: Evidence,
    },
    /// The committers behind a gate were started.
    CommittersOpened {
        /// The gate.
        gate: String,
        /// How many there are.
        parallelism: u32,
    },
    /// An execution attempt of a subtask can be reached.
    SubtaskReady {
        /// The gate.
        gate: String,
        /// Its index.
        subtask: u32,
        /// The execution attempt.
        attempt: u32,
        /// How many subtasks the gate has now.
        parallelism: u32,
    },
    /// A subtask has failed or was reset.
    SubtaskGone {
        /// The gate.
        gate: String,
        /// Its index.
        subtask: u32,
    },
    /// A subtask tells its status.
    SubtaskStatus {
        /// The gate.
        gate: String,
        /// Its index.
        subtask: u32,
        /// The execution attempt.
        attempt: u32,
        /// The status.
        status: Status,
    },
    /// A committer has committed everything up to a checkpoint.
    Committed {
        /// The gate before it.
        gate: String,
        /// The committer's index.
        subtask: u32,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// A checkpoint is complete.
    CheckpointCompleted {
        /// The gate.
        gate: String,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// All subtasks of a gate start again from a checkpoint.
    Reset {
        /// The gate.
        gate: String,
    },
}

impl Event {
    /// The gate that it is about.
    pub fn gate(&self) -> &str {
        match self {
            Event::GateOpened { gate, .. }
            | Event::CommittersOpened { gate, .. }
            | Event::SubtaskReady { gate, .. }
            | Event::SubtaskGone { gate, .. }
            | Event::SubtaskStatus { gate, .. }
            | Event::Committed { gate, .. }
            | Event::CheckpointCompleted { gate, .. }
            | Event::Reset { gate } => gate,
        }
    }

    /// Refuses numbers of subtasks that cannot be, at the edge where a bridge reads them: the member machine counts up to them.
    pub fn check(&self) -> Result<(), EventError> {
        let (subtask, parallelism) = match *self {
            Event::GateOpened { parallelism, .. } | Event::CommittersOpened { parallelism, .. } => {
                (0, parallelism)
            }
            Event::SubtaskReady { subtask, parallelism, .. } => (subtask, parallelism),
            Event::SubtaskGone { subtask, .. }
            | Event::SubtaskStatus { subtask, .. }
            | Event::Committed { subtask, .. } => (subtask, MAX_PARALLELISM),
            Event::CheckpointCompleted { .. } | Event::Reset { .. } => return Ok(()),
        };
        if parallelism == 0 || parallelism > MAX_PARALLELISM {
            return Err(EventError::Parallelism(parallelism));
        }
        if subtask >= parallelism {
            return Err(EventError::Subtask { subtask, below: parallelism });
        }
        Ok(())
    }
}
