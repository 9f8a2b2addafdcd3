//! What the planner is shown. All of it comes from live reads: nothing is decided on a cached one.

use std::collections::BTreeMap;

use super::record::{Launch, Operation, Record, Revision, Savepoint, Scale, Start};
use super::settings::Settings;
use crate::conductor::Seen;
use crate::document::Document;
use crate::identity::Member;
use crate::time::EventTime;

/// All that a plan rests on.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// What is persisted.
    pub record: &'a Record,
    /// What the resource wants.
    pub wanted: &'a Wanted,
    /// All deployments of the rollout, whoever made them. One that is not here does not exist: neither it nor a process of it.
    pub deployments: &'a BTreeMap<Launch, Deployment>,
    /// What is known of the operations that the record names ([`Record::operations`]). One that is not here was never asked for,
    /// or has been disposed of.
    pub operations: &'a BTreeMap<Operation, Progress>,
    /// The cutover document, read after the deployments.
    pub document: Sight<'a>,
    /// The members' reports, read after the document.
    pub reports: &'a BTreeMap<Member, Seen>,
    /// The id of the request of ours that lies in the rollout's store, taken or not, answered or not.
    pub placed: Option<&'a str>,
    /// The checks of this attempt, by name; one that has not run yet is pending. None when the resource has none.
    pub checks: &'a BTreeMap<String, Verdict>,
    /// The newest request of a person.
    pub asked: Option<&'a Asked>,
    /// The resource is being deleted.
    pub deleting: bool,
}

/// What the resource wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The version.
    pub revision: Revision,
    /// What the very first version begins with.
    pub initial: Start,
    /// No job at all, but its state kept.
    pub suspended: bool,
    /// Nothing new is begun.
    pub paused: bool,
    /// How.
    pub settings: Settings,
}

/// What can be seen of the cutover document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight<'a> {
    /// This is it.
    Seen(&'a Document),
    /// There is none: its store was read.
    Absent,
    /// The store cannot be read, or what lies there cannot.
    Unknown,
}

/// A deployment: a cluster, and the job in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// What it was made from.
    pub revision: Revision,
    /// The state of its job.
    pub job: Job,
    /// How often the job was restarted.
    pub restarts: u64,
    /// The newest exception.
    pub exception: Option<String>,
    /// Its checkpoints.
    pub checkpoints: Checkpoints,
    /// How large it is; `None` when that cannot be told.
    pub scale: Option<Scale>,
    /// There is high-availability data of it.
    pub high_availability: bool,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Nobody can tell: its cluster does not answer.
    Unknown,
    /// Not running yet, and never was in this deployment.
    Starting,
    /// All its tasks run.
    Running,
    /// It has run, and not all its tasks do.
    Restarting,
    /// For good; proven, not concluded from silence.
    Ended(End),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, or by a stop with a savepoint.
    Finished,
    /// Somebody cancelled it.
    Canceled,
    /// It gave up, for this reason.
    Failed(String),
}

/// A job's checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// How many completed.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// The newest completed checkpoint or savepoint that can be restored from.
    pub newest: Option<Savepoint>,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Under way.
    Running,
    /// The savepoint is complete.
    Done(Savepoint),
    /// It failed, for this reason; nothing of it is left.
    Failed(String),
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough results yet; for people, what is missing.
    Pending(String),
    /// As often as needed.
    Passed,
    /// More often than allowed; the last reason.
    Failed(String),
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Tells it from the ones before.
    pub id: String,
    /// Who.
    pub who: String,
    /// Why, in their words.
    pub why: String,
    /// What.
    pub verb: Verb,
}

/// The verbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Let the new version take over now.
    Promote {
        /// Whatever its lag, its window and its checks say. The members must agree nevertheless.
        waive: bool,
    },
    /// Give the new version up; refused after the commit.
    Abort,
    /// Give the output back to the old version.
    Rollback {
        /// Up to where the new version's output goes, where its reports cannot tell.
        frontier: Option<EventTime>,
    },
    /// Try again what was given up, or is stuck.
    Retry,
    /// Launch the wanted revision in the place of the active version, which is cancelled if it still runs.
    Replace {
        /// The savepoint or checkpoint to start from; its own last one when not said.
        from: Option<String>,
    },
    /// A former version is dead for good: what it had not committed is lost.
    Forget {
        /// Whose.
        member: Member,
    },
}

impl Job {
    /// It is proven to have ended.
    pub fn has_ended(&self) -> bool {
        matches!(self, Job::Ended(_))
    }
}

impl Record {
    /// The revisions that something may still be launched from; their sources must be kept.
    pub fn revisions(&self) -> Vec<&Revision> {
        let leftovers = self.leftovers.iter().map(|leftover| &leftover.version.revision);
        let versions = self.active.iter().chain(self.phase.beside()).map(|version| &version.revision);
        versions.chain(leftovers).chain(self.phase.revisions()).collect()
    }

    /// The operations that the shell must look up for the next plan.
    pub fn operations(&self) -> Vec<Operation> {
        let savepoints = self.savepoints.iter().filter(|kept| kept.savepoint.is_none() || kept.dropping);
        savepoints.map(|kept| kept.operation).collect()
    }
}
