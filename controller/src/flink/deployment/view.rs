//! What a resource of Apache's operator tells. Fields that are not needed are not read, so that a later operator may add some.

use kube::api::DynamicObject;
use serde::Deserialize;
use serde_json::Value;

use super::names::{ENDED, LAST_SAVEPOINT};
use crate::flink::JobState;

/// A `FlinkDeployment`.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    pub(super) object: DynamicObject,
    status: Told,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    error: Option<String>,
    job_manager_deployment_status: Option<String>,
    job_status: JobStatus,
    task_manager: Option<TaskManager>,
    reconciliation_status: Reconciliation,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JobStatus {
    job_id: Option<String>,
    job_name: Option<String>,
    state: Option<String>,
    start_time: Option<String>,
    upgrade_savepoint_path: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TaskManager {
    replicas: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reconciliation {
    last_reconciled_spec: Option<String>,
}

/// The operator's complaint, when it is one of its own.
#[derive(Deserialize)]
struct Complaint {
    message: Option<String>,
    #[serde(rename = "throwableList", default)]
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    message: Option<String>,
}

impl Deployment {
    /// A status that is none is taken for an empty one: the operator has not looked at the resource yet.
    pub(super) fn new(object: DynamicObject) -> Deployment {
        let status = object.data.get("status").cloned();
        let status = status.and_then(|status| serde_json::from_value(status).ok()).unwrap_or_default();
        Deployment { object, status }
    }

    pub(super) fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn spec(&self, pointer: &str) -> Option<&Value> {
        self.object.data.get("spec")?.pointer(pointer)
    }

    pub(super) fn is_deleting(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.spec("/job/state").and_then(Value::as_str) == Some("suspended")
    }

    /// Flink's id of the job; none before the operator has given it one.
    pub(super) fn flink_job(&self) -> Option<&str> {
        self.status.job_status.job_id.as_deref()
    }

    pub(super) fn job_name(&self) -> &str {
        let asked = || self.configuration("pipeline.name");
        self.status.job_status.job_name.as_deref().or_else(asked).unwrap_or_else(|| self.name())
    }

    /// The REST port, as it was asked for.
    pub(super) fn port(&self) -> &str {
        self.configuration("rest.port").unwrap_or("8081")
    }

    fn configuration(&self, key: &str) -> Option<&str> {
        self.object.data.get("spec")?.get("flinkConfiguration")?.get(key)?.as_str()
    }

    /// Whether the operator has reached the JobManager.
    pub(super) fn is_reachable(&self) -> bool {
        self.status.job_manager_deployment_status.as_deref() == Some("READY")
    }

    /// Whether the JobManager's process ends again and again.
    pub(super) fn is_crashing(&self) -> bool {
        self.status.job_manager_deployment_status.as_deref() == Some("ERROR")
    }

    /// Whether the operator knows of no JobManager.
    pub(super) fn is_without_job_manager(&self) -> bool {
        self.status.job_manager_deployment_status.as_deref() == Some("MISSING")
    }

    /// As Flink told it when the job ended.
    pub(super) fn ended(&self) -> Option<JobState> {
        self.annotation(ENDED).and_then(|state| state.parse().ok())
    }

    pub(super) fn last_savepoint(&self) -> Option<&str> {
        let kept = self.annotation(LAST_SAVEPOINT);
        kept.or(self.status.job_status.upgrade_savepoint_path.as_deref())
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.object.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The state of the job as the resource tells it: what Flink told at its end, else what the operator has seen last.
    pub(super) fn state(&self) -> JobState {
        let told = self.status.job_status.state.as_deref().and_then(|state| state.parse::<JobState>().ok());
        match (self.ended(), told) {
            (Some(ended), _) => ended,
            (None, Some(told)) if told.has_ended() || self.is_reachable() => told,
            (None, _) if self.has_run() => JobState::Reconciling,
            (None, _) => JobState::Initializing,
        }
    }

    /// The operator has seen the job start.
    fn has_run(&self) -> bool {
        self.status.job_status.start_time.is_some()
    }

    pub(super) fn parallelism(&self) -> Option<u32> {
        number(self.spec("/job/parallelism")?)
    }

    pub(super) fn job_managers(&self) -> Option<u32> {
        self.spec("/jobManager/replicas").map_or(Some(1), number)
    }

    /// The operator counts none before the job runs and after its end: that is no size to go back to.
    pub(super) fn task_managers(&self) -> Option<u32> {
        let asked = || number(self.spec("/taskManager/replicas")?);
        let told = self.status.task_manager.as_ref().and_then(|told| told.replicas);
        told.filter(|replicas| *replicas > 0).or_else(asked)
    }

    /// The spec that the operator went by last.
    pub(super) fn reconciled(&self) -> Option<Value> {
        let text = self.status.reconciliation_status.last_reconciled_spec.as_deref()?;
        serde_json::from_str::<Value>(text).ok()?.get("spec").cloned()
    }

    /// What the operator complains of, in one line.
    pub(super) fn complaint(&self) -> Option<String> {
        let text = self.status.error.as_deref().filter(|text| !text.is_empty())?;
        let told = serde_json::from_str::<Complaint>(text).ok().and_then(|complaint| {
            let cause = complaint.causes.into_iter().rev().find_map(|cause| cause.message);
            cause.or(complaint.message)
        });
        let words = told.as_deref().unwrap_or(text).split_whitespace();
        Some(crate::flink::rest::cut(&words.collect::<Vec<_>>().join(" "), COMPLAINT_MAX))
    }
}

const COMPLAINT_MAX: usize = 400;

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(annotations: Value, status: Value) -> Deployment {
        let object = json!({
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": "FlinkDeployment",
            "metadata": { "name": "orders-blue-1", "annotations": annotations },
            "spec": { "flinkConfiguration": { "rest.port": "8099" }, "job": { "parallelism": 3 } },
            "status": status,
        });
        Deployment::new(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_job_that_cannot_be_seen_is_not_taken_for_what_it_was() {
        let of = |manager: &str, state: &str, started: Value| {
            let job = json!({ "state": state, "startTime": started });
            deployment(json!({}), json!({ "jobManagerDeploymentStatus": manager, "jobStatus": job })).state()
        };
        assert_eq!(deployment(json!({}), json!(null)).state(), JobState::Initializing);
        assert_eq!(of("DEPLOYING", "RECONCILING", json!(null)), JobState::Initializing);
        assert_eq!(of("READY", "RUNNING", json!("17")), JobState::Running);
        assert_eq!(of("DEPLOYED_NOT_READY", "RUNNING", json!("17")), JobState::Reconciling);
        assert_eq!(of("MISSING", "FINISHED", json!("17")), JobState::Finished);
    }

    #[test]
    fn what_flink_told_at_the_end_outlives_its_job_manager() {
        let annotations = json!({ ENDED: "CANCELED", LAST_SAVEPOINT: "file:/s/1" });
        let told = json!({ "jobStatus": { "state": "FINISHED", "upgradeSavepointPath": "file:/s/0" } });
        let ended = deployment(annotations, told);
        assert_eq!(ended.state(), JobState::Canceled);
        assert_eq!(ended.last_savepoint(), Some("file:/s/1"));
    }

    #[test]
    fn a_complaint_is_the_innermost_message_in_one_line() {
        let of = |error: &str| deployment(json!({}), json!({ "error": error })).complaint();
        let told =
            r#"{"type":"a.B","message":"outer","throwableList":[{"type":"c","message":"inner\nmore"}]}"#;
        assert_eq!(of(told).as_deref(), Some("inner more"));
        assert_eq!(of("plain").as_deref(), Some("plain"));
        assert_eq!(of(""), None);
    }

    #[test]
    fn the_size_is_what_runs_before_what_was_asked_for() {
        let asked = deployment(json!({}), json!({}));
        assert_eq!(
            (asked.parallelism(), asked.job_managers(), asked.task_managers()),
            (Some(3), Some(1), None)
        );
        let runs = deployment(json!({}), json!({ "taskManager": { "replicas": 4 } }));
        assert_eq!(runs.task_managers(), Some(4));
        let ended = deployment(json!({}), json!({ "taskManager": { "replicas": 0 } }));
        assert_eq!(ended.task_managers(), None);
        assert_eq!(runs.port(), "8099");
    }
}
