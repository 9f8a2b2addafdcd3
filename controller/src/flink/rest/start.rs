//! The start of a launch: looked for, checked, uploaded, submitted under the id that it has by its name.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::http::Http;
use super::{RestDriver, Slots, answer, jar, looks};
use crate::flink::{Driver as _, Error, JobId, JobSpec, JobState, Launch, Problem, StartFrom, Submission};

/// A job that another one has just submitted is not listed at once.
const APPEARANCE: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(100);

pub(super) async fn start(
    driver: &RestDriver,
    launch: &Launch,
    spec: &JobSpec,
    from: &StartFrom,
) -> Result<Submission, Error> {
    let http = &driver.http;
    let job = driver.job_id(launch);
    let asked = format!("start {launch} (job {job})");
    if is_known(http, &asked, &job, from).await? {
        return Ok(Submission::Known);
    }
    let capacity = looks::capacity(http).await?;
    if let Some(needed) =
        spec.parallelism.filter(|needed| driver.slots == Slots::Fixed && *needed > capacity.free)
    {
        let problem = Problem::Slots { needed, free: capacity.free, slots: capacity.slots };
        return Err(http.error(&asked, problem));
    }
    let jar = jar::upload(http, &asked, &spec.jar).await?;
    let path = format!("/jars/{jar}/run");
    match http.post(&asked, &path, &request(&job, spec, from), http.deadlines.submit).await {
        Ok(answer::Started { id }) if id == job.as_str() => Ok(Submission::New),
        Ok(answer::Started { id }) => {
            let found = JobId::new(id);
            super::operations::cancel(http, &found).await?;
            Err(http.error(&asked, Problem::NotAsAsked { job, found }))
        }
        Err(error) => refused(http, &asked, &job, from, error).await,
    }
}

fn request(job: &JobId, spec: &JobSpec, from: &StartFrom) -> Value {
    let mut configuration: Map<String, Value> =
        spec.configuration.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    if let Some(name) = &spec.name {
        configuration.insert("pipeline.name".to_owned(), name.as_str().into());
    }
    let mut body = json!({
        "jobId": job.as_str(),
        "programArgsList": spec.arguments,
        "flinkConfiguration": configuration,
        "allowNonRestoredState": spec.allow_non_restored_state,
    });
    let optional = [
        ("entryClass", spec.entry_class.as_deref().map(Value::from)),
        ("parallelism", spec.parallelism.map(Value::from)),
        ("savepointPath", from.path().map(Value::from)),
        ("claimMode", from.path().map(|_| "NO_CLAIM".into())),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            body[field] = value;
        }
    }
    body
}

/// What an error of the submission means, by what there is now.
async fn refused(
    http: &Http,
    asked: &str,
    job: &JobId,
    from: &StartFrom,
    error: Error,
) -> Result<Submission, Error> {
    let (Problem::Refused { reason, .. } | Problem::Broken { reason, .. }) = error.problem() else {
        return Err(error);
    };
    if reason.contains("DuplicateJobSubmission") || reason.contains("DuplicateApplicationSubmission") {
        return duplicate(http, asked, job, from).await;
    }
    if reason.contains("Jar file") && reason.contains("does not exist") {
        return Err(http.error(asked, Problem::JarLost));
    }
    if is_known(http, asked, job, from).await? {
        return Ok(Submission::Known);
    }
    // Flink answers 400 or 500 to a program that fails, and also when a part of itself did not answer it in time.
    let of_program =
        error.trace().contains("ProgramInvocationException") && !reason.contains("TimeoutException");
    Err(if of_program { http.error(asked, Problem::Program { reason: reason.clone() }) } else { error })
}

async fn duplicate(http: &Http, asked: &str, job: &JobId, from: &StartFrom) -> Result<Submission, Error> {
    let began = Instant::now();
    while began.elapsed() < APPEARANCE {
        if is_known(http, asked, job, from).await? {
            return Ok(Submission::Known);
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Err(http.error(asked, Problem::LaunchUsed { job: job.clone() }))
}

/// Whether the job is there; an error, the same at each look, if it has failed.
async fn is_known(http: &Http, asked: &str, job: &JobId, from: &StartFrom) -> Result<bool, Error> {
    match looks::state(http, asked, job).await? {
        None => Ok(false),
        Some(JobState::Failed) => {
            let failures = looks::failures(http, job).await?;
            let (cause, trace) = failures.first().map_or(("its cause is not told yet", ""), |failure| {
                (failure.cause.as_str(), failure.trace.as_str())
            });
            Err(http.error(asked, classify(job, from, cause, trace)))
        }
        Some(_) => Ok(true),
    }
}

/// The frames tell that it failed while it read its snapshot; the messages for that are many.
pub(in crate::flink) fn classify(job: &JobId, from: &StartFrom, cause: &str, trace: &str) -> Problem {
    let reason = cause.to_owned();
    let restoring =
        ["tryRestoreExecutionGraphFromSavepoint", "restoreSavepoint"].iter().any(|at| trace.contains(at));
    match from.path() {
        Some(path)
            if cause.contains("allowNonRestoredState")
                || cause.contains("Cannot map checkpoint/savepoint state") =>
        {
            Problem::StateNotTaken { path: path.to_owned(), reason }
        }
        Some(path) if restoring => Problem::Snapshot { path: path.to_owned(), reason },
        Some(_) | None => Problem::JobFailed { job: job.clone(), cause: reason },
    }
}
