//! What a driver tells: jobs, their health, their snapshots.

use std::collections::BTreeMap;
use std::str::FromStr;

use tidegate_protocol::identity::CheckpointId;
use tidegate_protocol::time::EventTime;

use super::{Error, JobId, Problem};

/// A job's state, in Flink's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "Flink's own words")]
pub enum JobState {
    Initializing,
    Created,
    Running,
    Failing,
    Failed,
    Cancelling,
    Canceled,
    Finished,
    Restarting,
    Suspended,
    Reconciling,
}

impl JobState {
    /// Whether the job will never run again. A suspended one may, in another JobManager.
    pub fn has_ended(self) -> bool {
        match self {
            JobState::Failed | JobState::Canceled | JobState::Finished => true,
            JobState::Initializing
            | JobState::Created
            | JobState::Running
            | JobState::Failing
            | JobState::Cancelling
            | JobState::Restarting
            | JobState::Suspended
            | JobState::Reconciling => false,
        }
    }
}

impl FromStr for JobState {
    type Err = String;

    fn from_str(text: &str) -> Result<JobState, String> {
        Ok(match text {
            "INITIALIZING" => JobState::Initializing,
            "CREATED" => JobState::Created,
            "RUNNING" => JobState::Running,
            "FAILING" => JobState::Failing,
            "FAILED" => JobState::Failed,
            "CANCELLING" => JobState::Cancelling,
            "CANCELED" => JobState::Canceled,
            "FINISHED" => JobState::Finished,
            "RESTARTING" => JobState::Restarting,
            "SUSPENDED" => JobState::Suspended,
            "RECONCILING" => JobState::Reconciling,
            _ => return Err(format!("{text:?} is no state of a job that is known here")),
        })
    }
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: JobId,
    /// Its name, which others may have, too.
    pub name: String,
    /// Its state.
    pub state: JobState,
}

/// The one job of that name that has not ended.
///
/// # Errors
/// [`Problem::AmbiguousName`] with all their ids when there are several: none of them is the one.
pub fn find(cluster: &str, jobs: &[Listed], name: &str) -> Result<Option<Listed>, Error> {
    let mut found = jobs.iter().filter(|job| job.name == name && !job.state.has_ended());
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(job), None) => Ok(Some(job.clone())),
        (Some(first), Some(second)) => {
            let jobs = [first, second].into_iter().chain(found).map(|job| job.id.clone()).collect();
            let problem = Problem::AmbiguousName { name: name.to_owned(), jobs };
            Err(Error::new(cluster, format!("find the job {name:?}"), problem))
        }
    }
}

/// Whether a start did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// This call has submitted the job.
    New,
    /// An earlier one had.
    Known,
}

/// How far something is that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// Not done yet: ask again.
    Running,
    /// Done.
    Done(T),
    /// It has failed, and stays so under its name.
    Failed(String),
}

/// The two ways to take a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// By [`Driver::savepoint`](super::Driver::savepoint): the job goes on.
    Savepoint,
    /// By [`Driver::stop`](super::Driver::stop): the job ends.
    Stop,
}

/// A savepoint that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Savepoint {
    /// Where it is, as [`StartFrom::Snapshot`](super::StartFrom::Snapshot) takes it.
    pub path: String,
}

/// What a job is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its state, as it is now.
    pub state: JobState,
    /// The parallelism that it was submitted with.
    pub parallelism: Option<u32>,
    /// How often it was restarted, by its present JobManager's count; unknown in its first seconds and after its end.
    pub restarts: Option<u64>,
    /// Its vertices, sources first; none while it is initialized, or when that has failed. Some seconds old.
    pub vertices: Vec<Vertex>,
}

/// One vertex of a job: a chain of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// Its id.
    pub id: String,
    /// The names of its operators.
    pub name: String,
    /// The number of its subtasks.
    pub parallelism: u32,
    /// How many subtasks are in which state, in Flink's words.
    pub subtasks: BTreeMap<String, u32>,
}

impl Status {
    /// Whether the job and every one of its subtasks runs. One that has finished, such as that of a source without a split, does not
    /// keep the job from running.
    pub fn is_running(&self) -> bool {
        let count = |vertex: &Vertex, state: &str| vertex.subtasks.get(state).copied().unwrap_or(0);
        let all = |vertex: &Vertex| {
            count(vertex, "RUNNING").saturating_add(count(vertex, "FINISHED")) == vertex.parallelism
        };
        let some = self.vertices.iter().any(|vertex| count(vertex, "RUNNING") > 0);
        self.state == JobState::Running && some && self.vertices.iter().all(all)
    }

    /// One line for a person.
    pub fn summary(&self) -> String {
        let vertex = |vertex: &Vertex| {
            let counts = vertex.subtasks.iter().filter(|(_, count)| **count > 0);
            let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {state}")).collect();
            format!("{} ({})", vertex.name, counts.join(", "))
        };
        let vertices: Vec<String> = self.vertices.iter().map(vertex).collect();
        format!("{:?} is {:?}: {}", self.name, self.state, vertices.join("; "))
    }
}

/// Where a job's asked and real settings differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The setting, by the name that a person gave it.
    pub setting: String,
    /// What was asked for.
    pub asked: String,
    /// What the job has.
    pub found: String,
}

/// A failure of a job, or of one of its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, in epoch milliseconds.
    pub at_ms: i64,
    /// Its root cause in one line.
    pub cause: String,
    /// The task; none when the whole job failed.
    pub task: Option<String>,
    /// The stack trace with its causes, possibly cut.
    pub trace: String,
}

/// How records pass through a vertex.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The vertex.
    pub vertex: String,
    /// The names of its operators.
    pub name: String,
    /// The share of time that its slowest subtask was held up by those after it, 0 to 1; unknown at first.
    pub backpressured: Option<f64>,
    /// The share of time that its busiest subtask was busy, 0 to 1; unknown at first, and for sources of some kinds.
    pub busy: Option<f64>,
    /// The lowest watermark that came into its subtasks; none for sources, and before each has one.
    pub watermark: Option<EventTime>,
}

/// The checkpoints of a job. Some seconds old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// How many there were, by the count of its present JobManager.
    pub counts: Counts,
    /// The newest completed checkpoint.
    pub completed: Option<Checkpoint>,
    /// The newest savepoint.
    pub savepoint: Option<Checkpoint>,
    /// The newest one that has failed.
    pub failed: Option<FailedCheckpoint>,
    /// The newest ones that are complete, savepoints among them, newest first; as many as the cluster remembers.
    pub recent: Vec<Checkpoint>,
    /// What the job was last restored from.
    pub restored: Option<Restored>,
    /// Whether the newest checkpoint is kept when the job is cancelled.
    pub kept_when_cancelled: bool,
}

/// Numbers of checkpoints and savepoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Flink's own words")]
pub struct Counts {
    pub restored: u64,
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
}

/// A completed checkpoint or savepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its number.
    pub id: CheckpointId,
    /// When it was triggered, in epoch milliseconds.
    pub at_ms: i64,
    /// Where it is, when a job can be started from it. A checkpoint (not a savepoint) of a job that goes on is deleted when
    /// newer ones are complete, perhaps at this moment.
    pub restorable: Option<String>,
}

/// A checkpoint that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCheckpoint {
    /// Its number.
    pub id: CheckpointId,
    /// When it failed, in epoch milliseconds.
    pub at_ms: i64,
    /// Why.
    pub message: String,
}

/// What a job was restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its number in the job that took it.
    pub id: CheckpointId,
    /// Where it was.
    pub path: Option<String>,
    /// Whether it is a savepoint, by what its own description says.
    pub is_savepoint: bool,
}

/// What a cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Its Flink version.
    pub version: String,
    /// Its TaskManagers.
    pub task_managers: u32,
    /// All their slots.
    pub slots: u32,
    /// Those that no job has.
    pub free: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: &str, name: &str, state: JobState) -> Listed {
        Listed { id: JobId::new(id), name: name.into(), state }
    }

    #[test]
    fn a_job_is_found_by_name_among_those_that_have_not_ended() {
        let jobs = [
            listed("a", "orders", JobState::Finished),
            listed("b", "orders", JobState::Restarting),
            listed("c", "orders-2", JobState::Running),
        ];
        assert_eq!(find("here", &jobs, "orders").unwrap(), Some(jobs[1].clone()));
        assert_eq!(find("here", &jobs, "order").unwrap(), None);
    }

    #[test]
    fn two_jobs_of_a_name_are_both_named() {
        let jobs = [listed("a", "orders", JobState::Running), listed("b", "orders", JobState::Initializing)];
        let error = find("here", &jobs, "orders").unwrap_err();
        assert_eq!(
            error.to_string(),
            "JobNameAmbiguous: cannot find the job \"orders\" at here: 2 running jobs have this name: a, b: \
             name the one that is meant by its id, or end the other one"
        );
    }

    #[test]
    fn a_job_runs_when_all_its_subtasks_do() {
        let vertex = |running, initializing| Vertex {
            id: "v".into(),
            name: "map".into(),
            parallelism: 2,
            subtasks: [("RUNNING".into(), running), ("INITIALIZING".into(), initializing)].into(),
        };
        let status =
            |state, vertices| Status { name: "n".into(), state, parallelism: None, restarts: None, vertices };
        assert!(status(JobState::Running, vec![vertex(2, 0)]).is_running());
        assert!(!status(JobState::Running, vec![vertex(2, 0), vertex(1, 1)]).is_running());
        assert!(!status(JobState::Running, vec![]).is_running());
        let mut idle = vertex(1, 0);
        idle.subtasks.insert("FINISHED".into(), 1);
        assert!(status(JobState::Running, vec![idle.clone()]).is_running());
        idle.subtasks.insert("RUNNING".into(), 0);
        idle.subtasks.insert("FINISHED".into(), 2);
        assert!(!status(JobState::Running, vec![idle]).is_running());
        assert!(!status(JobState::Failed, vec![vertex(2, 0)]).is_running());
        assert_eq!(
            status(JobState::Running, vec![vertex(1, 1)]).summary(),
            "\"n\" is Running: map (1 INITIALIZING, 1 RUNNING)"
        );
    }
}
