//! What is asked for: a job, and what it begins with.

use std::collections::BTreeMap;

use serde_json::Value;

/// A job to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// The job's name, given as `pipeline.name`; a program that names its job itself wins, which [`differences`] tells.
    ///
    /// [`differences`]: super::Driver::differences
    pub name: Option<String>,
    /// The program. Over REST a file of this machine, as a path or `file:` URI; in a deployment whatever its image can read.
    pub jar: String,
    /// Instead of the main class of the jar's manifest.
    pub entry_class: Option<String>,
    /// The arguments of its `main`.
    pub arguments: Vec<String>,
    /// The parallelism of the job; the cluster's default without it.
    pub parallelism: Option<u32>,
    /// Flink's configuration of this job.
    pub configuration: BTreeMap<String, String>,
    /// Go on when the snapshot has state that the job has no operator for.
    pub allow_non_restored_state: bool,
    /// The rest of the resource, for a driver that makes the job's cluster as well; nobody else reads it.
    pub deployment: Option<Value>,
}

impl JobSpec {
    /// A jar, and the cluster's defaults for all the rest.
    pub fn new(jar: impl Into<String>) -> JobSpec {
        JobSpec {
            name: None,
            jar: jar.into(),
            entry_class: None,
            arguments: Vec::new(),
            parallelism: None,
            configuration: BTreeMap::new(),
            allow_non_restored_state: false,
            deployment: None,
        }
    }
}

/// What a job begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// No state.
    Nothing,
    /// A savepoint, or a checkpoint that is kept, by its path. It is never claimed: whoever took it has to dispose of it.
    Snapshot(String),
}

impl StartFrom {
    /// The snapshot's path.
    pub fn path(&self) -> Option<&str> {
        match self {
            StartFrom::Nothing => None,
            StartFrom::Snapshot(path) => Some(path),
        }
    }
}
