//! Snapshots and ends. Flink triggers what has a known trigger id once, and remembers its outcome for some minutes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_protocol::identity::CheckpointId;

use super::http::Http;
use super::{answer, cause, hash, looks};
use crate::flink::{Error, JobId, JobState, Operation, Problem, Progress, Savepoint, Taking};

const INTERVAL: Duration = Duration::from_millis(100);

/// One thing that is triggered on a job, and asked after by the id of its trigger.
struct Trigger<'a> {
    http: &'a Http,
    asked: String,
    job: &'a JobId,
    /// Where to trigger, and where to ask, below the job.
    paths: (&'static str, &'static str),
    id: String,
}

impl<'a> Trigger<'a> {
    fn new(
        http: &'a Http,
        verb: &str,
        paths: (&'static str, &'static str),
        job: &'a JobId,
        operation: &Operation,
    ) -> Trigger<'a> {
        let asked = format!("{verb} job {job} ({operation})");
        Trigger { http, asked, job, paths, id: hash(&[paths.0, job.as_str(), operation.as_str()]) }
    }

    fn of_savepoint(http: &'a Http, job: &'a JobId, operation: &Operation) -> Trigger<'a> {
        Trigger::new(http, "take a savepoint of", ("/savepoints", "/savepoints"), job, operation)
    }

    fn of_stop(http: &'a Http, job: &'a JobId, operation: &Operation) -> Trigger<'a> {
        Trigger::new(http, "stop", ("/stop", "/savepoints"), job, operation)
    }

    /// Its outcome; `Running` while there is none, `None` if Flink does not know it (any more).
    async fn outcome(&self) -> Result<Option<Progress<answer::Outcome>>, Error> {
        let path = format!("{}/{}", self.paths.1, self.id);
        let told: Result<answer::Triggering, Error> =
            looks::of_job(self.http, &self.asked, self.job, &path).await;
        let told = match told {
            Ok(told) => told,
            Err(error) if is_unknown(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if told.status.id != "COMPLETED" {
            return Ok(Some(Progress::Running));
        }
        // "Completed" means that it has an end.
        let outcome = told.operation.unwrap_or_default();
        Ok(Some(match &outcome.failure {
            Some(failure) => Progress::Failed(cause::root(&failure.trace)),
            None => Progress::Done(outcome),
        }))
    }

    async fn state(&self) -> Result<JobState, Error> {
        let state = looks::state(self.http, &self.asked, self.job).await?;
        state.ok_or_else(|| self.http.error(&self.asked, Problem::JobNotFound { job: self.job.clone() }))
    }

    async fn pull(&self, mut body: Value) -> Result<(), Error> {
        body["triggerId"] = self.id.as_str().into();
        let path = format!("{}{}", looks::path(self.http, &self.asked, self.job)?, self.paths.0);
        let deadline = self.http.deadlines.answer;
        let told: answer::Triggered = self.http.post(&self.asked, &path, &body, deadline).await?;
        if told.id == self.id {
            return Ok(());
        }
        let reason = format!("it gave the trigger the id {} instead of {}", told.id, self.id);
        Err(self.http.error(&self.asked, Problem::Unreadable { reason }))
    }

    /// Its outcome, triggered when it is not known; Flink accepts triggers for jobs that it does not have.
    async fn ensure(&self, body: Value) -> Result<Progress<answer::Outcome>, Error> {
        if let Some(outcome) = self.outcome().await? {
            return Ok(outcome);
        }
        let state = self.state().await?;
        if state.has_ended() {
            return Ok(Progress::Failed(format!("the job has ended: it is {state:?}")));
        }
        self.pull(body).await?;
        Ok(Progress::Running)
    }

    fn missing(&self, what: &str) -> Error {
        let reason = format!("its answer tells no {what}");
        self.http.error(&self.asked, Problem::Unreadable { reason })
    }

    fn told(&self, progress: Progress<answer::Outcome>) -> Result<Progress<Savepoint>, Error> {
        Ok(match progress {
            Progress::Running => Progress::Running,
            Progress::Failed(reason) => Progress::Failed(reason),
            Progress::Done(outcome) => Progress::Done(self.savepoint(outcome)?),
        })
    }

    fn savepoint(&self, outcome: answer::Outcome) -> Result<Savepoint, Error> {
        Ok(Savepoint { path: outcome.location.ok_or_else(|| self.missing("path of the savepoint"))? })
    }
}

pub(super) async fn checkpoint(
    http: &Http,
    job: &JobId,
    operation: &Operation,
) -> Result<Progress<CheckpointId>, Error> {
    let trigger =
        Trigger::new(http, "take a checkpoint of", ("/checkpoints", "/checkpoints"), job, operation);
    Ok(match trigger.ensure(json!({ "checkpointType": "FULL" })).await? {
        Progress::Running => Progress::Running,
        Progress::Failed(reason) => Progress::Failed(reason),
        Progress::Done(outcome) => Progress::Done(CheckpointId(
            outcome.checkpoint.ok_or_else(|| trigger.missing("number of the checkpoint"))?,
        )),
    })
}

pub(super) async fn savepoint(
    http: &Http,
    job: &JobId,
    operation: &Operation,
    directory: Option<&str>,
) -> Result<Progress<Savepoint>, Error> {
    let trigger = Trigger::of_savepoint(http, job, operation);
    let mut body = json!({ "cancel-job": false, "formatType": "NATIVE" });
    if let Some(directory) = directory {
        body["target-directory"] = directory.into();
    }
    trigger.told(trigger.ensure(body).await?)
}

pub(super) async fn stop(
    http: &Http,
    job: &JobId,
    operation: &Operation,
    directory: Option<&str>,
) -> Result<Progress<Savepoint>, Error> {
    let trigger = Trigger::of_stop(http, job, operation);
    if let Some(progress) = stopped(&trigger).await? {
        return Ok(progress);
    }
    let mut body = json!({ "drain": false, "formatType": "NATIVE" });
    if let Some(directory) = directory {
        body["targetDirectory"] = directory.into();
    }
    trigger.pull(body).await?;
    Ok(Progress::Running)
}

/// What is known of a savepoint or a stop; nothing is triggered.
pub(super) async fn look(
    http: &Http,
    job: &JobId,
    operation: &Operation,
    taking: Taking,
) -> Result<Option<Progress<Savepoint>>, Error> {
    let told = match taking {
        Taking::Savepoint => {
            let trigger = Trigger::of_savepoint(http, job, operation);
            match trigger.outcome().await {
                Ok(outcome) => outcome.map(|outcome| trigger.told(outcome)).transpose(),
                Err(error) => Err(error),
            }
        }
        Taking::Stop => stopped(&Trigger::of_stop(http, job, operation)).await,
    };
    told.or_else(|error| if looks::is_no_job(&error) { Ok(None) } else { Err(error) })
}

/// How far a stop is; `None`: it has not been asked for.
async fn stopped(trigger: &Trigger<'_>) -> Result<Option<Progress<Savepoint>>, Error> {
    let outcome = trigger.outcome().await?;
    if matches!(outcome, Some(Progress::Running)) {
        return Ok(Some(Progress::Running));
    }
    let state = trigger.state().await?;
    Ok(Some(match (outcome, state) {
        (Some(Progress::Done(outcome)), JobState::Finished) => Progress::Done(trigger.savepoint(outcome)?),
        (Some(Progress::Done(outcome)), JobState::Failed | JobState::Canceled) => {
            let path = trigger.savepoint(outcome)?.path;
            Progress::Failed(format!(
                "the savepoint {path} is complete, but then the job came to be {state:?}"
            ))
        }
        // Not by this trigger, or its outcome is forgotten.
        (Some(Progress::Failed(_)) | None, JobState::Finished) => finished(trigger).await?,
        (Some(Progress::Failed(reason)), _) => Progress::Failed(reason),
        (None, JobState::Failed | JobState::Canceled) => {
            Progress::Failed(format!("the job has ended: it is {state:?}"))
        }
        (None, _) => return Ok(None),
        (Some(Progress::Done(_) | Progress::Running), _) => Progress::Running,
    }))
}

/// The savepoint that a finished job was stopped with. Its statistics are cached: before the cache has its end, an older
/// savepoint would be taken for the last one.
async fn finished(trigger: &Trigger<'_>) -> Result<Progress<Savepoint>, Error> {
    let Trigger { http, asked, job, .. } = trigger;
    let cached: answer::Job = looks::of_job(http, asked, job, "").await?;
    if looks::parse_state(http, asked, &cached.state)? != JobState::Finished {
        return Ok(Progress::Running);
    }
    let answer::Checkpoints { latest, .. } = looks::of_job(http, asked, job, "/checkpoints").await?;
    let last = latest.savepoint.filter(|savepoint| savepoint.checkpoint_type == "SYNC_SAVEPOINT");
    Ok(match last.map(looks::checkpoint).and_then(|savepoint| savepoint.restorable) {
        Some(path) => Progress::Done(Savepoint { path }),
        None => Progress::Failed("the job has finished by itself, without a savepoint".to_owned()),
    })
}

pub(super) async fn cancel(http: &Http, job: &JobId) -> Result<Progress<()>, Error> {
    let asked = format!("cancel job {job}");
    let path = format!("{}?mode=cancel", looks::path(http, &asked, job)?);
    if let Err(error) = http.patch(&asked, &path).await {
        // 404: unknown; 409: it has another end.
        let gone = matches!(error.problem(), Problem::Refused { status: 404 | 409, .. });
        return if gone { Ok(Progress::Done(())) } else { Err(error) };
    }
    let ended = looks::state(http, &asked, job).await?.is_none_or(JobState::has_ended);
    Ok(if ended { Progress::Done(()) } else { Progress::Running })
}

/// Flink has no id of one's own for this: each call triggers, and one that finds nothing has its end.
pub(super) async fn dispose(http: &Http, savepoint: &str) -> Result<(), Error> {
    let asked = format!("dispose of the savepoint {savepoint:?}");
    let began = Instant::now();
    let body = json!({ "savepoint-path": savepoint });
    let told: answer::Triggered =
        http.post(&asked, "/savepoint-disposal", &body, http.deadlines.answer).await?;
    let path = format!("/savepoint-disposal/{}", told.id);
    loop {
        let told: answer::Triggering = http.get(&asked, &path).await?;
        if told.status.id == "COMPLETED" {
            return match told.operation.unwrap_or_default().failure.map(|failure| cause::root(&failure.trace))
            {
                Some(reason) if !reason.contains("Cannot find checkpoint or savepoint") => {
                    Err(http.error(&asked, Problem::Snapshot { path: savepoint.to_owned(), reason }))
                }
                Some(_) | None => Ok(()),
            };
        }
        if began.elapsed() >= http.deadlines.dispose {
            return Err(http.error(&asked, Problem::Slow { after: http.deadlines.dispose, sent: true }));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn is_unknown(error: &Error) -> bool {
    matches!(error.problem(), Problem::Refused { status: 404, reason } if reason.contains("There is no"))
}
