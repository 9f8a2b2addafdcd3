//! The start of a launch: its resource is created, once.

use super::api::Api;
use super::manifest::manifest;
use super::view::Deployment;
use super::{names, remove};
use crate::flink::rest::classify;
use crate::flink::{Driver as _, Error, JobId, JobSpec, JobState, Launch, Problem, StartFrom, Submission};

pub(super) async fn start(
    api: &Api,
    launch: &Launch,
    spec: &JobSpec,
    from: &StartFrom,
) -> Result<Submission, Error> {
    let job = names::job(launch);
    let asked = format!("start {launch} (deployment {job})");
    if let Some(there) = api.deployment(&asked, &job).await? {
        return known(api, &asked, launch, from, &there).await;
    }
    let manifest = manifest(launch, spec, from).map_err(|problem| api.error(&asked, problem))?;
    if api.create(&asked, &api.deployments(), manifest).await? {
        return Ok(Submission::New);
    }
    // Somebody was quicker.
    match api.deployment(&asked, &job).await? {
        Some(there) => known(api, &asked, launch, from, &there).await,
        None => Err(api.error(&asked, Problem::LaunchUsed { job })),
    }
}

/// What it means that there is one of this name. An error, the same at each look, when its job cannot come to run.
async fn known(
    api: &Api,
    asked: &str,
    launch: &Launch,
    from: &StartFrom,
    there: &Deployment,
) -> Result<Submission, Error> {
    let job = names::job(launch);
    let found = there.object.metadata.labels.as_ref().and_then(names::launch);
    if found.as_ref() != Some(launch) {
        let found = found.map_or_else(|| "nothing of Tidegate".to_owned(), |found| found.to_string());
        return Err(api.error(asked, Problem::NotOurs { job, found }));
    }
    if there.is_deleting() {
        return Err(api.error(asked, Problem::LaunchUsed { job }));
    }
    if let Some(problem) = failed(api, asked, &job, from, there).await? {
        return Err(api.error(asked, problem));
    }
    Ok(Submission::Known)
}

/// Why the job has failed, if it has: by its own words if it can be asked, else by the operator's.
async fn failed(
    api: &Api,
    asked: &str,
    job: &JobId,
    from: &StartFrom,
    there: &Deployment,
) -> Result<Option<Problem>, Error> {
    if let Some((rest, id)) = api.rest(there)?.filter(|_| there.is_reachable()) {
        // One that cannot be asked now may be at the next call.
        let Ok(jobs) = rest.jobs().await else { return Ok(None) };
        let state = jobs.into_iter().find(|listed| listed.id == id).map(|listed| listed.state);
        // A job that cannot be initialized takes its JobManager with it. The next one knows that it has ended, tells nobody, and
        // waits; the reason is in the log of the first one.
        if state.is_none() && remove::restarts(api, asked, there.name()).await? > 0 {
            return Ok(Some(Problem::LaunchUsed { job: job.clone() }));
        }
        if state == Some(JobState::Failed) {
            let failures = rest.failures(&id).await?;
            let (cause, trace) = failures.first().map_or(("its cause is not told yet", ""), |failure| {
                (failure.cause.as_str(), failure.trace.as_str())
            });
            let of_program = trace.contains("ProgramInvocationException");
            let program = || Problem::Program { reason: cause.to_owned() };
            return Ok(Some(if of_program { program() } else { classify(job, from, cause, trace) }));
        }
        if state.is_some() {
            return Ok(None);
        }
    }
    let cause = there.complaint();
    if let Some(reason) = cause.as_ref().filter(|_| there.is_crashing()) {
        let reason = format!("its JobManager ends again and again: {reason}: look into its log");
        return Ok(Some(Problem::Program { reason }));
    }
    let rejected = there.is_without_job_manager() && there.flink_job().is_none() && cause.is_some();
    if there.state() == JobState::Failed || rejected {
        let cause = cause.unwrap_or_else(|| "its cause is not told".to_owned());
        return Ok(Some(Problem::JobFailed { job: job.clone(), cause }));
    }
    Ok(None)
}
