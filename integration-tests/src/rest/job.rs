//! One job: its state, its snapshots, its end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::Rest;
use super::response::{Checkpoints, Exceptions, JobState, JobStatus, Metric, Operation, Triggered};
use crate::{Observed, wait_until};

/// A job of a cluster, by its id.
#[derive(Debug, Clone)]
pub struct Job {
    rest: Rest,
    id: String,
}

impl Job {
    pub(super) fn new(rest: Rest, id: &str) -> Self {
        Self { rest, id: id.into() }
    }

    /// The job's id: 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its state and that of its subtasks.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn status(&self) -> Result<JobStatus> {
        self.rest.get(&self.path("")).await
    }

    /// Waits until all its subtasks are RUNNING.
    ///
    /// # Errors
    /// At once, with its exception, when it has ended; otherwise at the deadline.
    pub async fn wait_running(&self, deadline: Duration) -> Result<JobStatus> {
        wait_until(&format!("all subtasks of job {} are RUNNING", self.id), deadline, async || {
            let status = match self.status().await {
                Ok(status) => status,
                Err(error) => return Ok(Observed::NotYet(format!("{error:#}"))),
            };
            self.fail_when_ended(&status, None).await?;
            Ok(Observed::when(status.is_running(), status.clone(), || status.summary()))
        })
        .await
    }

    /// Waits until the job is in `state`.
    ///
    /// # Errors
    /// At once, with its exception, when it has ended in another state; otherwise at the deadline.
    pub async fn wait_state(&self, state: JobState, deadline: Duration) -> Result<()> {
        wait_until(&format!("job {} is {state:?}", self.id), deadline, async || {
            let status = match self.status().await {
                Ok(status) => status,
                Err(error) => return Ok(Observed::NotYet(format!("{error:#}"))),
            };
            self.fail_when_ended(&status, Some(state)).await?;
            Ok(Observed::when(status.state == state, (), || status.summary()))
        })
        .await
    }

    /// Takes a native savepoint while the job goes on; returns its path (a URI).
    ///
    /// # Errors
    /// When it fails, with Flink's cause, or at the deadline.
    pub async fn native_savepoint(&self, deadline: Duration) -> Result<String> {
        let body = json!({ "cancel-job": false, "formatType": "NATIVE" });
        self.savepoint("/savepoints", body, deadline).await
    }

    /// Stops the job with a native savepoint, so that its sinks commit; returns the savepoint's path (a URI).
    ///
    /// # Errors
    /// When it fails, with Flink's cause, or at the deadline.
    pub async fn stop_with_savepoint(&self, deadline: Duration) -> Result<String> {
        let path =
            self.savepoint("/stop", json!({ "drain": false, "formatType": "NATIVE" }), deadline).await?;
        self.wait_state(JobState::Finished, deadline).await?;
        Ok(path)
    }

    /// Asks for the job's end without a savepoint; transactions in progress are aborted.
    ///
    /// # Errors
    /// When Flink refuses, or at the deadline.
    pub async fn cancel(&self, deadline: Duration) -> Result<()> {
        let _: Value = self.rest.call(Method::PATCH, &self.path("?mode=cancel"), None).await?;
        self.wait_state(JobState::Canceled, deadline).await
    }

    /// Takes a full checkpoint now; returns its number.
    ///
    /// # Errors
    /// When it fails, with Flink's cause, or at the deadline.
    pub async fn checkpoint(&self, deadline: Duration) -> Result<u64> {
        let path = self.path("/checkpoints");
        let triggered: Triggered =
            self.rest.call(Method::POST, &path, Some(json!({ "checkpointType": "FULL" }))).await?;
        let done = self.completed(&format!("{path}/{}", triggered.request_id), deadline).await?;
        done.get("checkpointId")
            .and_then(Value::as_u64)
            .with_context(|| format!("no checkpoint id in {done}"))
    }

    /// The failures of the job.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn exceptions(&self) -> Result<Exceptions> {
        self.rest.get(&self.path("/exceptions")).await
    }

    /// Counts and newest checkpoints, up to 3 s old.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn checkpoints(&self) -> Result<Checkpoints> {
        self.rest.get(&self.path("/checkpoints")).await
    }

    /// How often the job was restarted since this JobManager has it.
    ///
    /// # Errors
    /// When the metric is not there (yet); it appears some seconds after the job's start.
    pub async fn restarts(&self) -> Result<u64> {
        let metrics = self.metrics("/metrics", &["numRestarts"]).await?;
        let value = metrics.get("numRestarts").context("the job has no metric numRestarts yet")?;
        value.parse().with_context(|| format!("numRestarts is {value}"))
    }

    /// The accumulators of the job, as Flink gives them.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn accumulators(&self) -> Result<Value> {
        self.rest.get(&self.path("/accumulators")).await
    }

    /// The accumulators of one vertex, as Flink gives them.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn vertex_accumulators(&self, vertex: &str) -> Result<Value> {
        self.rest.get(&self.path(&format!("/vertices/{vertex}/accumulators"))).await
    }

    /// Metrics of one vertex by their full names, `<subtask>.<operator>.<name>`; missing ones are left out.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn vertex_metrics(&self, vertex: &str, names: &[&str]) -> Result<BTreeMap<String, String>> {
        self.metrics(&format!("/vertices/{vertex}/metrics"), names).await
    }

    /// The full names of all metrics of one vertex.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn vertex_metric_names(&self, vertex: &str) -> Result<Vec<String>> {
        let listed: Vec<Metric> = self.rest.get(&self.path(&format!("/vertices/{vertex}/metrics"))).await?;
        Ok(listed.into_iter().map(|metric| metric.id).collect())
    }

    async fn metrics(&self, path: &str, names: &[&str]) -> Result<BTreeMap<String, String>> {
        let found: Vec<Metric> =
            self.rest.get(&self.path(&format!("{path}?get={}", names.join(",")))).await?;
        Ok(found.into_iter().filter_map(|metric| Some((metric.id, metric.value?))).collect())
    }

    async fn savepoint(&self, verb: &str, body: Value, deadline: Duration) -> Result<String> {
        let triggered: Triggered = self.rest.call(Method::POST, &self.path(verb), Some(body)).await?;
        let done =
            self.completed(&self.path(&format!("/savepoints/{}", triggered.request_id)), deadline).await?;
        let location = done.get("location").and_then(Value::as_str);
        location.map(str::to_owned).with_context(|| format!("no location in {done}"))
    }

    /// Waits for the end of what was triggered. "Completed" in Flink's words may still mean failed.
    async fn completed(&self, path: &str, deadline: Duration) -> Result<Value> {
        wait_until(&format!("{path} is COMPLETED"), deadline, async || {
            let state: Operation = self.rest.get(path).await?;
            if state.status.id != "COMPLETED" {
                return Ok(Observed::NotYet(state.status.id));
            }
            let operation = state.operation.unwrap_or(Value::Null);
            let cause = operation.get("failure-cause").or_else(|| operation.get("failureCause"));
            if let Some(cause) = cause.filter(|cause| !cause.is_null()) {
                let trace = cause
                    .get("stack-trace")
                    .and_then(Value::as_str)
                    .map_or_else(|| cause.to_string(), str::to_owned);
                bail!("{path} has failed: {trace}");
            }
            Ok(Observed::Reached(operation))
        })
        .await
    }

    async fn fail_when_ended(&self, status: &JobStatus, allowed: Option<JobState>) -> Result<()> {
        if !status.state.is_terminal() || allowed == Some(status.state) {
            return Ok(());
        }
        let cause = match self.exceptions().await {
            Ok(exceptions) => exceptions
                .failures()
                .first()
                .map_or_else(|| "no exception is recorded".into(), |failure| failure.stacktrace.clone()),
            Err(error) => format!("{error:#}"),
        };
        bail!("{}: {cause}", status.summary())
    }

    fn path(&self, rest: &str) -> String {
        format!("/jobs/{}{rest}", self.id)
    }
}
