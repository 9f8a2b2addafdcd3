//! What is persisted of a rollout: where it stands, and every intent before it is acted upon.
//!
//! This is written as it stands here, as one object in the status of the resource; a golden file holds the form. Unknown fields
//! are an error, never dropped: they could be a newer controller's intents.

mod name;
mod phase;

use serde::{Deserialize, Serialize};

use crate::identity::{Color, Snapshot};
use crate::time::WallTime;
pub use name::{Launch, Operation, OperationKind, Revision};
pub use phase::{Baseline, Next, Phase, Purpose};

/// How many entries the history keeps, the newest ones.
pub(super) const HISTORY: usize = 50;

/// All that is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Counts the rollouts that were begun. Binds every operation.
    pub attempt: u64,
    /// The highest generations that were ever given out.
    pub generations: Generations,
    /// The version that has the output.
    pub active: Option<Version>,
    /// What is under way.
    pub phase: Phase,
    /// Versions that have played their part, and are not deleted yet.
    pub leftovers: Vec<Leftover>,
    /// Savepoints that were taken, or are being taken.
    pub savepoints: Vec<Kept>,
    /// The revision that was given up; it is not tried again before it changes or a person asks for it.
    pub failed: Option<Failed>,
    /// The last request of a person that was looked at.
    pub answered: Option<Answered>,
    /// Since when the rollout is paused.
    pub paused: Option<WallTime>,
    /// A cutover document has been seen, so there must always be one.
    pub gated: bool,
    /// Who did what, when and why, oldest first, at most [`HISTORY`].
    pub history: Vec<Entry>,
    /// The savepoints on a schedule.
    #[serde(default, skip_serializing_if = "Scheduled::is_none")]
    pub scheduled: Scheduled,
}

/// The savepoints on a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scheduled {
    /// Counts them, so that none is ever named like another one.
    pub count: u32,
    /// When the last one was begun; `None` when the next one is due.
    pub begun: Option<WallTime>,
}

/// The highest generation of each color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generations {
    /// Of blue.
    pub blue: u32,
    /// Of green.
    pub green: u32,
}

/// One launch of a member, with what it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Version {
    /// Names its deployment.
    pub launch: Launch,
    /// What it is made from.
    pub revision: Revision,
    /// The state that it begins with.
    pub start: Start,
    /// How large it is, or is to be; `None` when the revision says all. Known before it is ever stopped.
    pub scale: Option<Scale>,
    /// It has been seen to run.
    pub ran: bool,
    /// It has completed a checkpoint of its own, and does not need what it began with any more.
    pub rooted: bool,
}

/// The state that a version begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Start {
    /// None.
    Empty,
    /// A savepoint or checkpoint that the spec or a person named.
    Given(String),
    /// A savepoint or checkpoint of the rollout's own jobs.
    Savepoint(Savepoint),
}

/// A savepoint, or the last checkpoint of a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Savepoint {
    /// Whose it is, and its number.
    pub snapshot: Snapshot,
    /// Where it lies.
    pub path: String,
}

/// How large a deployment is beyond what its revision says: a scaler or a person may have changed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scale {
    /// Of the job.
    pub parallelism: Option<u32>,
    /// Replicas of the JobManager.
    pub job_managers: Option<u32>,
    /// Replicas of the TaskManagers.
    pub task_managers: Option<u32>,
}

/// A version that has played its part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leftover {
    /// Which.
    pub version: Version,
    /// How it goes.
    pub way: Way,
    /// Since when it is no longer needed.
    pub since: WallTime,
    /// The rollout that it belonged to.
    pub attempt: u64,
    /// How often its stop was tried.
    pub tries: u32,
    /// Since when it is proven to have ended.
    pub ended: Option<WallTime>,
}

/// How a leftover goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// It is dead, and a person has said that it is not to be waited for: the document is told so, then it is discarded.
    Forget,
    /// It had the output: it is stopped with a savepoint once the document lets it, and deleted after the delay.
    Retire,
    /// It never had it, or is dead: it is deleted as soon as the document names it no more.
    Discard,
}

/// A savepoint that the rollout has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kept {
    /// What takes it.
    pub operation: Operation,
    /// What came of it; `None` while it is being taken.
    pub savepoint: Option<Savepoint>,
    /// It is the last state of a version that was stopped: it is the user's, and never dropped.
    pub last: bool,
    /// Nothing needs it any more, and it is being disposed of.
    pub dropping: bool,
    /// When it was seen to be complete; nothing in a record that an earlier release has written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<WallTime>,
}

/// A revision that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failed {
    /// Which.
    pub revision: Revision,
    /// Why.
    pub failure: Failure,
    /// When.
    pub at: WallTime,
}

/// Why a version is given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// The stable name.
    pub cause: Cause,
    /// For people.
    pub message: String,
}

/// Why a version is given up. The name of the variant is the stable code, in conditions, events and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// No savepoint of the running version could be taken.
    SnapshotFailed,
    /// It could not be started.
    StartFailed,
    /// It ended, restarted too often, or its checkpoints fail.
    Unstable,
    /// A check failed.
    CheckFailed,
    /// It was not ready in time.
    DeadlinePassed,
    /// The cutover was refused or aborted.
    CutoverFailed,
    /// The running version could not be stopped with a savepoint.
    StopFailed,
    /// Its deployment is gone, and nobody of us has deleted it.
    DeploymentLost,
    /// The resource wants another revision now.
    Superseded,
    /// A person asked for it.
    Asked,
}

/// The last request of a person that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answered {
    /// Its id.
    pub id: String,
    /// `None` when it was taken up, else why it was not.
    pub refusal: Option<String>,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// When.
    pub at: WallTime,
    /// Who: `tidegate`, or the person who asked.
    pub who: String,
    /// What was done.
    pub what: String,
    /// Why.
    pub why: String,
    /// In which rollout.
    pub attempt: u64,
    /// In which phase; empty in a record that an earlier release has written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// It is not what was hoped for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
}

impl Entry {
    /// What was done when a person held the rollout.
    pub const PAUSED: &str = "paused";
    /// What was done when it went on.
    pub const RESUMED: &str = "resumed";
}

impl Scheduled {
    fn is_none(&self) -> bool {
        *self == Scheduled::default()
    }
}

impl Generations {
    /// Gives out the next generation of a color.
    pub(super) fn next(&mut self, color: Color) -> u32 {
        let generation = self.of(color);
        *generation = generation.saturating_add(1);
        *generation
    }

    /// Knows that a generation has been given out.
    pub(super) fn know(&mut self, color: Color, generation: u32) {
        let known = self.of(color);
        *known = (*known).max(generation);
    }

    fn of(&mut self, color: Color) -> &mut u32 {
        match color {
            Color::Blue => &mut self.blue,
            Color::Green => &mut self.green,
        }
    }
}

impl Default for Record {
    fn default() -> Record {
        Record {
            attempt: 0,
            generations: Generations::default(),
            active: None,
            phase: Phase::Idle,
            leftovers: Vec::new(),
            savepoints: Vec::new(),
            failed: None,
            answered: None,
            paused: None,
            gated: false,
            history: Vec::new(),
            scheduled: Scheduled::default(),
        }
    }
}

impl Cause {
    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            Cause::SnapshotFailed => "SnapshotFailed",
            Cause::StartFailed => "StartFailed",
            Cause::Unstable => "Unstable",
            Cause::CheckFailed => "CheckFailed",
            Cause::DeadlinePassed => "DeadlinePassed",
            Cause::CutoverFailed => "CutoverFailed",
            Cause::StopFailed => "StopFailed",
            Cause::DeploymentLost => "DeploymentLost",
            Cause::Superseded => "Superseded",
            Cause::Asked => "Asked",
        }
    }
}

impl Failure {
    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Failure {
        Failure { cause, message: crate::text::cut(&message.into(), 1_000) }
    }
}
