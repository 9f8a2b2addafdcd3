//! The parts of Flink's answers that the harness looks at.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct TaskManagers {
    pub(super) taskmanagers: Vec<TaskManager>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TaskManager {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Uploaded {
    pub(super) filename: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Started {
    pub(super) jobid: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Triggered {
    #[serde(rename = "request-id")]
    pub(super) request_id: String,
}

/// The state of something that was triggered.
#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    pub(super) status: OperationStatus,
    #[serde(default)]
    pub(super) operation: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OperationStatus {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metric {
    pub(super) id: String,
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// A job's state, as Flink names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
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
    /// Whether the job will never run again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

/// What `GET /jobs/:id` tells.
#[derive(Debug, Clone, Deserialize)]
pub struct JobStatus {
    /// The job's name.
    pub name: String,
    /// The job's state.
    pub state: JobState,
    /// Its vertices (chains of operators), sources first.
    #[serde(default)]
    pub vertices: Vec<Vertex>,
}

/// One vertex of a job.
#[derive(Debug, Clone, Deserialize)]
pub struct Vertex {
    /// Its id, for metrics and accumulators.
    pub id: String,
    /// The names of its operators.
    pub name: String,
    /// The number of its subtasks.
    pub parallelism: u32,
    /// How many subtasks are in which state; the states in capitals.
    #[serde(default)]
    pub tasks: BTreeMap<String, u32>,
}

impl JobStatus {
    /// Whether the job and every one of its subtasks is RUNNING.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let all = |vertex: &Vertex| vertex.tasks.get("RUNNING").copied() == Some(vertex.parallelism);
        self.state == JobState::Running && !self.vertices.is_empty() && self.vertices.iter().all(all)
    }

    /// One line for a person.
    #[must_use]
    pub fn summary(&self) -> String {
        let vertices: Vec<String> = self
            .vertices
            .iter()
            .map(|vertex| {
                let tasks: Vec<String> = vertex
                    .tasks
                    .iter()
                    .filter(|(_, count)| **count > 0)
                    .map(|(state, count)| format!("{count} {state}"))
                    .collect();
                format!("{} ({})", vertex.name, tasks.join(", "))
            })
            .collect();
        format!("{} is {:?}: {}", self.name, self.state, vertices.join("; "))
    }
}

/// What `GET /jobs/:id/exceptions` tells.
#[derive(Debug, Clone, Deserialize)]
pub struct Exceptions {
    #[serde(rename = "exceptionHistory", default)]
    history: History,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct History {
    #[serde(default)]
    entries: Vec<Failure>,
}

/// One failure of a job.
#[derive(Debug, Clone, Deserialize)]
pub struct Failure {
    /// The exception with its causes.
    pub stacktrace: String,
    /// The task that failed; none when the whole job did.
    #[serde(rename = "taskName", default)]
    pub task: Option<String>,
}

impl Exceptions {
    /// Newest first.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.history.entries
    }
}

/// What `GET /jobs/:id/checkpoints` tells; it may be 3 s old.
#[derive(Debug, Clone, Deserialize)]
pub struct Checkpoints {
    /// How many were restored, triggered, completed, failed.
    pub counts: CheckpointCounts,
    /// The newest ones, as Flink gives them.
    #[serde(default)]
    pub latest: Option<serde_json::Value>,
}

/// Numbers of checkpoints.
#[derive(Debug, Clone, Copy, Deserialize)]
#[allow(missing_docs, reason = "Flink's own words")]
pub struct CheckpointCounts {
    pub restored: u64,
    pub total: u64,
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
}
