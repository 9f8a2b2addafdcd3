//! What is left of a job that has ended, and its removal.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, ListParams, Preconditions};
use serde_json::json;

use super::api::{Api, is_status};
use crate::flink::{Error, JobId, Problem, Progress};

pub(super) async fn delete(api: &Api, job: &JobId) -> Result<Progress<()>, Error> {
    let asked = format!("delete deployment {job}");
    let Some(deployment) = api.deployment(&asked, job).await? else {
        let left = pods(api, &asked, job.as_str()).await?;
        return Ok(if left == 0 { Progress::Done(()) } else { Progress::Running });
    };
    if !deployment.is_deleting() {
        let preconditions =
            Preconditions { uid: deployment.object.metadata.uid.clone(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let deployments = api.deployments();
        match api.ask(&asked, true, deployments.delete(job.as_str(), &parameters)).await {
            Err(error) if !is_status(&error, 404) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(Progress::Running)
}

/// How many pods there are of a deployment.
pub(super) async fn pods(api: &Api, asked: &str, deployment: &str) -> Result<usize, Error> {
    Ok(listed(api, asked, deployment).await?.len())
}

/// How often a container of its JobManagers was started again.
pub(super) async fn restarts(api: &Api, asked: &str, deployment: &str) -> Result<i32, Error> {
    let is_manager = |pod: &Pod| {
        pod.metadata.labels.as_ref().and_then(|labels| labels.get("component")).map(String::as_str)
            == Some("jobmanager")
    };
    let pods = listed(api, asked, deployment).await?.into_iter().filter(is_manager);
    let statuses = pods.filter_map(|pod| pod.status?.container_statuses).flatten();
    Ok(statuses.map(|status| status.restart_count).sum())
}

async fn listed(api: &Api, asked: &str, deployment: &str) -> Result<Vec<Pod>, Error> {
    let pods: kube::Api<Pod> = kube::Api::namespaced(api.client.clone(), &api.settings.namespace);
    let parameters = ListParams::default().labels(&format!("app={deployment},type=flink-native-kubernetes"));
    Ok(api.ask(asked, false, pods.list(&parameters)).await?.items)
}

fn config_maps(api: &Api) -> kube::Api<ConfigMap> {
    kube::Api::namespaced(api.client.clone(), &api.settings.namespace)
}

fn of_high_availability(job: &JobId) -> ListParams {
    ListParams::default().labels(&format!("app={job},configmap-type=high-availability"))
}

pub(super) async fn has_high_availability(api: &Api, job: &JobId) -> Result<bool, Error> {
    let asked = format!("look for high-availability data of job {job}");
    let (maps, of_it) = (config_maps(api), of_high_availability(job));
    Ok(!api.ask(&asked, false, maps.list(&of_it)).await?.items.is_empty())
}

/// First its JobManager must be gone, which would miss its data; the operator takes it away when its time to live has passed.
pub(super) async fn clear_high_availability(api: &Api, job: &JobId) -> Result<Progress<()>, Error> {
    const TIME_TO_LIVE: &str = "kubernetes.operator.jm-deployment.shutdown-ttl";
    let asked = format!("remove the high-availability data of job {job}");
    if let Some(deployment) = api.deployment(&asked, job).await? {
        if deployment.ended().is_none() {
            return Err(api.error(&asked, Problem::NotEnded { job: job.clone() }));
        }
        if deployment.spec("/flinkConfiguration").and_then(|keys| keys.get(TIME_TO_LIVE))
            != Some(&json!("0 s"))
        {
            let change = json!({ "spec": { "flinkConfiguration": { TIME_TO_LIVE: "0 s" } } });
            api.patch(&asked, &deployment, change).await?;
            return Ok(Progress::Running);
        }
        if pods(api, &asked, job.as_str()).await? > 0 {
            return Ok(Progress::Running);
        }
    }
    let (maps, of_it) = (config_maps(api), of_high_availability(job));
    api.ask(&asked, true, maps.delete_collection(&DeleteParams::default(), &of_it)).await?;
    let gone = api.ask(&asked, false, maps.list(&of_it)).await?.items.is_empty();
    Ok(if gone { Progress::Done(()) } else { Progress::Running })
}
