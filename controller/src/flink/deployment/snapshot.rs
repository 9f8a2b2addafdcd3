//! Savepoints as resources, whose outcome outlives the JobManager that took them.

use kube::api::{DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};

use super::api::{Api, is_status};
use super::names::{self, MANAGED_BY};
use super::{looks, view::Deployment};
use crate::flink::{Driver as _, Error, JobId, JobState, Operation, Problem, Progress, Savepoint};

pub(super) async fn savepoint(
    api: &Api,
    job: &JobId,
    operation: &Operation,
) -> Result<Progress<Savepoint>, Error> {
    let asked = format!("take a savepoint of job {job} ({operation})");
    let deployment = api.deployment(&asked, job).await?.ok_or_else(|| api.no_job(&asked, job))?;
    let (snapshots, name) = (api.snapshots(), names::snapshot(job, operation));
    if let Some(there) = api.ask(&asked, false, snapshots.get_opt(&name)).await? {
        return Ok(outcome(&there));
    }
    let state = match looks::told(api, &deployment).await? {
        Some(status) => status.state,
        None => deployment.state(),
    };
    if state.has_ended() {
        return Ok(Progress::Failed(format!("the job has ended: it is {state:?}")));
    }
    // The operator gives a snapshot up for good when it has not seen the job run.
    if deployment.state() != JobState::Running {
        return Ok(Progress::Running);
    }
    api.create(&asked, &snapshots, manifest(&name, &deployment)).await?;
    Ok(Progress::Running)
}

/// What has become of it; `None`: it was never asked for.
pub(super) async fn look(
    api: &Api,
    job: &JobId,
    operation: &Operation,
) -> Result<Option<Progress<Savepoint>>, Error> {
    let asked = format!("look for the savepoint of job {job} ({operation})");
    let (snapshots, name) = (api.snapshots(), names::snapshot(job, operation));
    Ok(api.ask(&asked, false, snapshots.get_opt(&name)).await?.map(|there| outcome(&there)))
}

/// One try, since the operation is one snapshot. It stays when its resource is deleted: a deletion that has to dispose of it
/// waits for ever once its job has ended.
fn manifest(name: &str, deployment: &Deployment) -> Value {
    let metadata = &deployment.object.metadata;
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkStateSnapshot",
        "metadata": {
            "name": name,
            "labels": metadata.labels,
        },
        "spec": {
            "backoffLimit": 0,
            "jobReference": { "kind": "FlinkDeployment", "name": deployment.name() },
            "savepoint": { "formatType": "NATIVE", "disposeOnDelete": false, "alreadyExists": false },
        },
    })
}

fn outcome(snapshot: &DynamicObject) -> Progress<Savepoint> {
    let told = |pointer: &str| {
        snapshot.data.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    match (told("/status/state"), told("/status/path")) {
        (Some("COMPLETED"), Some(path)) => Progress::Done(Savepoint { path: path.to_owned() }),
        (Some(state @ ("COMPLETED" | "FAILED" | "ABANDONED")), _) => {
            let reason = told("/status/error").unwrap_or("no reason is told");
            Progress::Failed(format!("the snapshot is {state}: {reason}"))
        }
        (Some(_) | None, _) => Progress::Running,
    }
}

/// By any JobManager of the namespace, that of its own job first; then its resources are deleted.
pub(super) async fn dispose(api: &Api, savepoint: &str) -> Result<(), Error> {
    let asked = format!("dispose of the savepoint {savepoint:?}");
    let of_it = of_path(api, &asked, savepoint).await?;
    let own = |deployment: &Deployment| {
        of_it.iter().any(|snapshot| {
            snapshot.data.pointer("/spec/jobReference/name").and_then(Value::as_str)
                == Some(deployment.name())
        })
    };
    let mut clusters = api.listed(&asked, "").await?;
    clusters.retain(|deployment| deployment.is_reachable() && !deployment.is_deleting());
    clusters.sort_by_key(|deployment| !own(deployment));
    let nobody = "no job of this namespace runs that could delete it".to_owned();
    let mut outcome = Err(api.error(&asked, Problem::Unreachable { reason: nobody, sent: false }));
    for deployment in &clusters {
        let Some((rest, _)) = api.rest(deployment)? else { continue };
        outcome = rest.dispose(savepoint).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome?;
    for snapshot in of_it {
        let (snapshots, name) = (api.snapshots(), snapshot.metadata.name.unwrap_or_default());
        match api.ask(&asked, true, snapshots.delete(&name, &DeleteParams::default())).await {
            Err(error) if !is_status(&error, 404) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

async fn of_path(api: &Api, asked: &str, savepoint: &str) -> Result<Vec<DynamicObject>, Error> {
    let selector = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    let (snapshots, parameters) = (api.snapshots(), ListParams::default().labels(&selector));
    let mut list = api.ask(asked, false, snapshots.list(&parameters)).await?.items;
    list.retain(|snapshot| snapshot.data.pointer("/status/path").and_then(Value::as_str) == Some(savepoint));
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_without_an_outcome_is_asked_for_again() {
        let of = |status: Value| {
            let snapshot = json!({
                "apiVersion": "flink.apache.org/v1beta1",
                "kind": "FlinkStateSnapshot",
                "metadata": { "name": "s" },
                "status": status,
            });
            outcome(&serde_json::from_value(snapshot).unwrap())
        };
        assert_eq!(of(json!(null)), Progress::Running);
        assert_eq!(of(json!({ "state": "IN_PROGRESS" })), Progress::Running);
        let path = "file:/s/1".to_owned();
        assert_eq!(of(json!({ "state": "COMPLETED", "path": path })), Progress::Done(Savepoint { path }));
        let failed = of(json!({ "state": "ABANDONED", "error": "not running" }));
        assert_eq!(failed, Progress::Failed("the snapshot is ABANDONED: not running".into()));
        let failed = of(json!({ "state": "COMPLETED", "path": "" }));
        assert!(matches!(failed, Progress::Failed(_)), "{failed:?}");
    }
}
