//! The parts of Flink's answers that are read. Fields that only one of the supported versions has are optional.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Overview {
    #[serde(rename = "flink-version")]
    pub(super) version: String,
    #[serde(rename = "taskmanagers")]
    pub(super) task_managers: u32,
    #[serde(rename = "slots-total")]
    pub(super) slots: u32,
    #[serde(rename = "slots-available")]
    pub(super) free: u32,
}

#[derive(Deserialize)]
pub(super) struct Jobs {
    pub(super) jobs: Vec<ListedJob>,
}

#[derive(Deserialize)]
pub(super) struct ListedJob {
    pub(super) jid: String,
    pub(super) name: String,
    pub(super) state: String,
}

#[derive(Deserialize)]
pub(super) struct State {
    pub(super) status: String,
}

#[derive(Deserialize)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) state: String,
    #[serde(rename = "maxParallelism", default)]
    pub(super) max_parallelism: Option<i64>,
    #[serde(default)]
    pub(super) vertices: Vec<Vertex>,
}

#[derive(Deserialize)]
pub(super) struct Vertex {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) parallelism: u32,
    #[serde(default)]
    pub(super) tasks: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
pub(super) struct JobConfig {
    pub(super) name: String,
    /// Not there for a job that failed before it had one.
    #[serde(rename = "execution-config")]
    pub(super) execution: Option<ExecutionConfig>,
}

#[derive(Deserialize)]
pub(super) struct ExecutionConfig {
    /// -1: the cluster's default.
    #[serde(rename = "job-parallelism")]
    pub(super) parallelism: i64,
}

#[derive(Deserialize)]
pub(super) struct Metric {
    pub(super) id: String,
    pub(super) value: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Exceptions {
    #[serde(rename = "exceptionHistory")]
    pub(super) history: History,
}

#[derive(Deserialize)]
pub(super) struct History {
    pub(super) entries: Vec<Exception>,
}

#[derive(Deserialize)]
pub(super) struct Exception {
    pub(super) stacktrace: String,
    pub(super) timestamp: i64,
    #[serde(rename = "taskName")]
    pub(super) task: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Checkpoints {
    pub(super) counts: Counts,
    #[serde(default)]
    pub(super) latest: Latest,
    #[serde(default)]
    pub(super) history: Vec<Checkpoint>,
}

#[derive(Deserialize)]
pub(super) struct Counts {
    pub(super) restored: u64,
    pub(super) in_progress: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

#[derive(Default, Deserialize)]
pub(super) struct Latest {
    pub(super) completed: Option<Checkpoint>,
    pub(super) savepoint: Option<Checkpoint>,
    pub(super) failed: Option<FailedCheckpoint>,
    pub(super) restored: Option<Restored>,
}

#[derive(Deserialize)]
pub(super) struct Checkpoint {
    pub(super) id: u64,
    #[serde(rename = "trigger_timestamp")]
    pub(super) triggered: i64,
    /// `SYNC_SAVEPOINT`: the one that the job was stopped with.
    pub(super) checkpoint_type: String,
    pub(super) external_path: Option<String>,
    #[serde(default)]
    pub(super) discarded: bool,
}

#[derive(Deserialize)]
pub(super) struct FailedCheckpoint {
    pub(super) id: u64,
    #[serde(rename = "failure_timestamp")]
    pub(super) failed: i64,
    #[serde(rename = "failure_message")]
    pub(super) message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Restored {
    pub(super) id: u64,
    pub(super) external_path: Option<String>,
    #[serde(default)]
    pub(super) is_savepoint: bool,
}

#[derive(Deserialize)]
pub(super) struct CheckpointConfig {
    pub(super) mode: String,
    pub(super) interval: u64,
    pub(super) timeout: u64,
    pub(super) min_pause: u64,
    pub(super) max_concurrent: u64,
    pub(super) unaligned_checkpoints: bool,
    pub(super) externalization: Externalization,
}

#[derive(Deserialize)]
pub(super) struct Externalization {
    pub(super) enabled: bool,
    pub(super) delete_on_cancellation: bool,
}

#[derive(Default, Deserialize)]
pub(super) struct Backpressure {
    #[serde(default)]
    pub(super) subtasks: Vec<SubtaskPressure>,
}

#[derive(Deserialize)]
pub(super) struct SubtaskPressure {
    /// `"NaN"` while it is unknown, which is no number in JSON.
    #[serde(default)]
    pub(super) ratio: Value,
    #[serde(rename = "busyRatio", default)]
    pub(super) busy: Value,
}

#[derive(Deserialize)]
pub(super) struct Jars {
    pub(super) files: Vec<Jar>,
}

#[derive(Deserialize)]
pub(super) struct Jar {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Uploaded {
    pub(super) filename: String,
}

#[derive(Deserialize)]
pub(super) struct Started {
    #[serde(rename = "jobid")]
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Triggered {
    #[serde(rename = "request-id")]
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Triggering {
    pub(super) status: TriggerState,
    pub(super) operation: Option<Outcome>,
}

#[derive(Deserialize)]
pub(super) struct TriggerState {
    pub(super) id: String,
}

/// What has become of it: one of these.
#[derive(Default, Deserialize)]
pub(super) struct Outcome {
    pub(super) location: Option<String>,
    #[serde(rename = "checkpointId")]
    pub(super) checkpoint: Option<u64>,
    /// Savepoints and checkpoints write it differently.
    #[serde(rename = "failure-cause", alias = "failureCause")]
    pub(super) failure: Option<Cause>,
}

#[derive(Deserialize)]
pub(super) struct Cause {
    #[serde(rename = "stack-trace")]
    pub(super) trace: String,
}
