//! How a job ends. Flink is asked itself, since the operator takes a stop for done whose job runs on; then the resource is told, so
//! that the operator starts nothing again.

use serde_json::{Value, json};

use super::api::Api;
use super::names::{ENDED, LAST_SAVEPOINT};
use super::view::Deployment;
use super::{looks, remove};
use crate::flink::{Driver as _, Error, JobId, JobState, Operation, Progress, Savepoint, Taking};

pub(super) async fn stop(
    api: &Api,
    job: &JobId,
    operation: &Operation,
) -> Result<Progress<Savepoint>, Error> {
    let asked = format!("stop job {job} ({operation})");
    let deployment = api.deployment(&asked, job).await?.ok_or_else(|| api.no_job(&asked, job))?;
    if deployment.ended() == Some(JobState::Finished)
        && let Some(path) = deployment.last_savepoint()
    {
        return Ok(Progress::Done(Savepoint { path: path.to_owned() }));
    }
    match looks::told(api, &deployment).await {
        Ok(Some(_)) => {}
        Ok(None) if deployment.state().has_ended() => return Ok(by_resource(&deployment)),
        Ok(None) => return Ok(Progress::Running),
        Err(error) if deployment.state().has_ended() => {
            return if deployment.is_reachable() { Err(error) } else { Ok(by_resource(&deployment)) };
        }
        Err(error) => return Err(error),
    }
    let (rest, id) = api.rest_of(&asked, job).await?;
    let progress = rest.stop(&id, operation).await?;
    if let Progress::Done(savepoint) = &progress {
        let annotations = json!({ ENDED: flink(JobState::Finished), LAST_SAVEPOINT: savepoint.path });
        suspend(api, &asked, &deployment, annotations).await?;
    }
    Ok(progress)
}

/// How far a stop is; `None`: it was never asked for. One that was is seen to its end, so that the resource knows of it.
pub(super) async fn look(
    api: &Api,
    job: &JobId,
    operation: &Operation,
) -> Result<Option<Progress<Savepoint>>, Error> {
    let asked = format!("look for the stop of job {job} ({operation})");
    let Some(deployment) = api.deployment(&asked, job).await? else { return Ok(None) };
    let was_asked = match looks::told(api, &deployment).await {
        _ if deployment.ended().is_some() => true,
        Ok(Some(_)) => {
            let (rest, id) = api.rest_of(&asked, job).await?;
            rest.look(&id, operation, Taking::Stop).await?.is_some()
        }
        Ok(None) => deployment.state().has_ended(),
        Err(error) => return Err(error),
    };
    if was_asked { stop(api, job, operation).await.map(Some) } else { Ok(None) }
}

/// What is known of a job that has ended, when its JobManager is gone.
fn by_resource(deployment: &Deployment) -> Progress<Savepoint> {
    match (deployment.state(), deployment.last_savepoint()) {
        (JobState::Finished, Some(path)) => Progress::Done(Savepoint { path: path.to_owned() }),
        (state, _) => Progress::Failed(format!("the job has ended: it is {state:?}")),
    }
}

pub(super) async fn cancel(api: &Api, job: &JobId) -> Result<Progress<()>, Error> {
    let asked = format!("cancel job {job}");
    let Some(deployment) = api.deployment(&asked, job).await? else { return Ok(Progress::Done(())) };
    if deployment.ended().is_some() {
        return Ok(Progress::Done(()));
    }
    let told = match looks::told(api, &deployment).await {
        // It has been asked to go.
        Err(error) if looks::is_absent(&error) && deployment.is_suspended() => None,
        told => told?,
    };
    match told {
        Some(status) if status.state.has_ended() => {
            let annotations = json!({ ENDED: flink(status.state) });
            suspend(api, &asked, &deployment, annotations).await?;
            Ok(Progress::Done(()))
        }
        Some(_) => {
            let (rest, id) = api.rest_of(&asked, job).await?;
            // Its end is told to the resource at the next call.
            rest.cancel(&id).await.map(|_| Progress::Running)
        }
        None => without_flink(api, &asked, &deployment).await,
    }
}

/// The end of what has no JobManager that could be asked: the operator takes away whatever there is of it.
async fn without_flink(api: &Api, asked: &str, deployment: &Deployment) -> Result<Progress<()>, Error> {
    if !deployment.is_suspended() {
        let change = json!({ "spec": { "job": { "state": "suspended", "upgradeMode": "stateless" } } });
        api.patch(asked, deployment, change).await?;
        return Ok(Progress::Running);
    }
    let gone = deployment.is_without_job_manager() && remove::pods(api, asked, deployment.name()).await? == 0;
    if !gone {
        return Ok(Progress::Running);
    }
    let state = if deployment.state() == JobState::Failed { JobState::Failed } else { JobState::Canceled };
    suspend(api, asked, deployment, json!({ ENDED: flink(state) })).await?;
    Ok(Progress::Done(()))
}

/// The resource agrees that the job is to be at its end, and keeps how it ended.
async fn suspend(api: &Api, asked: &str, deployment: &Deployment, annotations: Value) -> Result<(), Error> {
    let change = json!({
        "metadata": { "annotations": annotations },
        "spec": { "job": { "state": "suspended" } },
    });
    api.patch(asked, deployment, change).await
}

/// In Flink's words.
fn flink(state: JobState) -> &'static str {
    match state {
        JobState::Failed => "FAILED",
        JobState::Canceled => "CANCELED",
        JobState::Finished
        | JobState::Initializing
        | JobState::Created
        | JobState::Running
        | JobState::Failing
        | JobState::Cancelling
        | JobState::Restarting
        | JobState::Suspended
        | JobState::Reconciling => "FINISHED",
    }
}
