//! What only reads.

use serde_json::Value;

use super::api::Api;
use super::names::{self, OWNER};
use super::view::Deployment;
use super::{Deployed, Scale};
use crate::flink::{
    Difference, Driver as _, Error, Failure, JobId, JobSpec, JobState, Listed, Problem, StartFrom, Status,
};

pub(super) async fn jobs(api: &Api) -> Result<Vec<Listed>, Error> {
    let listed = api.listed("list the jobs", "").await?;
    let listed = listed.iter().map(|deployment| Listed {
        id: JobId::new(deployment.name()),
        name: deployment.job_name().to_owned(),
        state: deployment.state(),
    });
    Ok(listed.collect())
}

pub(super) async fn deployments(api: &Api, owner: &str) -> Result<Vec<Deployed>, Error> {
    let listed = api.listed("list the deployments of a rollout", &format!(",{OWNER}={owner}")).await?;
    let mut found = Vec::new();
    for deployment in listed {
        let metadata = &deployment.object.metadata;
        let Some(launch) = metadata.labels.as_ref().and_then(names::launch) else { continue };
        found.push(Deployed {
            job: JobId::new(deployment.name()),
            launch,
            annotations: metadata.annotations.clone().unwrap_or_default(),
            state: deployment.state(),
            scale: scale_of(&deployment, None),
            error: deployment.complaint(),
            deleting: deployment.is_deleting(),
        });
    }
    Ok(found)
}

pub(super) async fn scale(api: &Api, job: &JobId) -> Result<Option<Scale>, Error> {
    let asked = format!("read the size of job {job}");
    let Some(deployment) = api.deployment(&asked, job).await? else { return Ok(None) };
    let status = told(api, &deployment).await.ok().flatten();
    Ok(Some(scale_of(&deployment, status.as_ref())))
}

fn scale_of(deployment: &Deployment, status: Option<&Status>) -> Scale {
    let widest = status.and_then(|status| status.vertices.iter().map(|vertex| vertex.parallelism).max());
    Scale {
        parallelism: widest.or_else(|| deployment.parallelism()),
        job_managers: deployment.job_managers(),
        task_managers: deployment.task_managers(),
    }
}

/// What the job's own REST service tells; `None` when it does not know the job, or is not there to be asked.
pub(super) async fn told(api: &Api, deployment: &Deployment) -> Result<Option<Status>, Error> {
    let Some((rest, id)) = api.rest(deployment)? else { return Ok(None) };
    match rest.status(&id).await {
        Ok(status) => Ok(status),
        // What the operator does not reach either is not there yet, or no more.
        Err(error) if is_absent(&error) && !deployment.is_reachable() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error.problem(), Problem::Unreachable { .. } | Problem::Slow { .. } | Problem::Broken { .. })
}

/// Flink's own word first. The resource's goes for the time when nobody can ask Flink: before there is a JobManager, while there
/// is a new one, and after its end.
pub(super) async fn status(api: &Api, job: &JobId) -> Result<Option<Status>, Error> {
    let asked = format!("read the state of job {job}");
    let Some(deployment) = api.deployment(&asked, job).await? else { return Ok(None) };
    if deployment.ended().is_some_and(JobState::has_ended) {
        let told = told(api, &deployment).await.ok().flatten();
        return Ok(Some(told.unwrap_or_else(|| by_resource(&deployment))));
    }
    let told = match told(api, &deployment).await {
        Ok(told) => told,
        Err(error) if is_absent(&error) && deployment.state().has_ended() => None,
        Err(error) => return Err(error),
    };
    Ok(Some(told.unwrap_or_else(|| by_resource(&deployment))))
}

fn by_resource(deployment: &Deployment) -> Status {
    let told = deployment.state();
    // Flink was asked, and knows it not: it runs its program, or a new JobManager has not found it yet.
    let stale = matches!(told, JobState::Running | JobState::Created);
    let state = if stale { JobState::Reconciling } else { told };
    Status {
        name: deployment.job_name().to_owned(),
        state,
        parallelism: deployment.parallelism(),
        restarts: None,
        vertices: Vec::new(),
    }
}

/// Of the job; while it cannot be asked, what the operator complains of.
pub(super) async fn failures(api: &Api, job: &JobId) -> Result<Vec<Failure>, Error> {
    let asked = format!("read the failures of job {job}");
    let deployment = api.deployment(&asked, job).await?.ok_or_else(|| api.no_job(&asked, job))?;
    let complaint = || {
        let cause = deployment.complaint()?;
        Some(Failure { at_ms: 0, trace: cause.clone(), cause, task: None })
    };
    let Some((rest, id)) = api.rest(&deployment)? else { return Ok(complaint().into_iter().collect()) };
    match rest.failures(&id).await {
        Ok(failures) => Ok(failures),
        Err(error) if is_absent(&error) && !deployment.is_reachable() => {
            Ok(complaint().into_iter().collect())
        }
        Err(error) if matches!(error.problem(), Problem::JobNotFound { .. }) => {
            Ok(complaint().into_iter().collect())
        }
        Err(error) => Err(error),
    }
}

pub(super) async fn differences(
    api: &Api,
    job: &JobId,
    spec: &JobSpec,
    from: &StartFrom,
) -> Result<Vec<Difference>, Error> {
    let asked = format!("read the settings of job {job}");
    let deployment = api.deployment(&asked, job).await?.ok_or_else(|| api.no_job(&asked, job))?;
    let (rest, id) = api.rest_of(&asked, job).await?;
    let mut found = rest.differences(&id, spec, from).await?;
    found.extend(unlike(&deployment, spec));
    Ok(found)
}

/// What the operator went by, against what was asked for. Somebody may have changed the resource.
fn unlike(deployment: &Deployment, spec: &JobSpec) -> Vec<Difference> {
    let Some(reconciled) = deployment.reconciled() else { return Vec::new() };
    let template = spec.deployment.as_ref().and_then(|template| template.get("spec"));
    let arguments = (!spec.arguments.is_empty()).then(|| Value::from(spec.arguments.clone()));
    let settings = [
        ("image", "/image", template.and_then(|spec| spec.get("image")).cloned()),
        ("jar", "/job/jarURI", Some(spec.jar.as_str().into())),
        ("entry class", "/job/entryClass", spec.entry_class.as_deref().map(Value::from)),
        ("arguments", "/job/args", arguments),
    ];
    let unlike = settings.into_iter().filter_map(|(setting, pointer, asked)| {
        let (asked, found) = (asked?, reconciled.pointer(pointer).unwrap_or(&Value::Null));
        (asked != *found).then(|| Difference {
            setting: setting.to_owned(),
            asked: asked.to_string(),
            found: found.to_string(),
        })
    });
    unlike.collect()
}
