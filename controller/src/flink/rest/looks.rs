//! What only reads.

use tidegate_protocol::identity::CheckpointId;
use tidegate_protocol::time::EventTime;

use super::http::Http;
use super::{answer, cause};
use crate::flink::{
    Capacity, Checkpoint, Checkpoints, Counts, Error, FailedCheckpoint, Failure, Flow, JobId, JobState,
    Listed, Problem, Restored, Status, Vertex,
};

/// Of a stack trace; the root cause is found before it is cut.
const TRACE_MAX: usize = 16 << 10;

pub(super) async fn capacity(http: &Http) -> Result<Capacity, Error> {
    let asked = "read its version and slots";
    let answer::Overview { version, task_managers, slots, free } = http.get(asked, "/overview").await?;
    let known = version.starts_with("1.20") || version.starts_with("2.");
    if !known {
        return Err(http.error(asked, Problem::Version { version }));
    }
    Ok(Capacity { version, task_managers, slots, free })
}

pub(super) async fn jobs(http: &Http) -> Result<Vec<Listed>, Error> {
    let asked = "list the jobs";
    let answer::Jobs { jobs } = http.get(asked, "/jobs/overview").await?;
    let listed = |job: answer::ListedJob| {
        let state = parse_state(http, asked, &job.state)?;
        Ok(Listed { id: JobId::new(job.jid), name: job.name, state })
    };
    jobs.into_iter().map(listed).collect()
}

/// The state as it is now, which the job's details are not. `None`: there is no such job.
pub(super) async fn state(http: &Http, asked: &str, job: &JobId) -> Result<Option<JobState>, Error> {
    let state: Result<answer::State, Error> = of_job(http, asked, job, "/status").await;
    match state {
        Ok(state) => parse_state(http, asked, &state.status).map(Some),
        Err(error) if is_no_job(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn status(http: &Http, job: &JobId) -> Result<Option<Status>, Error> {
    let asked = format!("read the state of job {job}");
    let Some(state) = state(http, &asked, job).await? else { return Ok(None) };
    let config: answer::JobConfig = of_job(http, &asked, job, "/config").await?;
    let details: Result<answer::Job, Error> = of_job(http, &asked, job, "").await;
    let (name, vertices) = match details {
        Ok(details) => (details.name, details.vertices),
        // Flink cannot tell the details of a job that stands for a program which has failed.
        Err(error) if state.has_ended() && matches!(error.problem(), Problem::Broken { .. }) => {
            (config.name, Vec::new())
        }
        Err(error) => return Err(error),
    };
    let metrics: Vec<answer::Metric> = of_job(http, &asked, job, "/metrics?get=numRestarts").await?;
    let restarts =
        metrics.iter().find(|metric| metric.id == "numRestarts").and_then(|metric| metric.value.as_deref());
    let vertex = |vertex: answer::Vertex| Vertex {
        id: vertex.id,
        name: vertex.name,
        parallelism: vertex.parallelism,
        subtasks: vertex.tasks,
    };
    Ok(Some(Status {
        name,
        state,
        parallelism: config.execution.and_then(|execution| u32::try_from(execution.parallelism).ok()),
        restarts: restarts.and_then(|value| value.parse().ok()),
        vertices: vertices.into_iter().map(vertex).collect(),
    }))
}

pub(super) async fn failures(http: &Http, job: &JobId) -> Result<Vec<Failure>, Error> {
    let asked = format!("read the failures of job {job}");
    let answer::Exceptions { history } = of_job(http, &asked, job, "/exceptions").await?;
    let failure = |exception: answer::Exception| Failure {
        at_ms: exception.timestamp,
        cause: cause::root(&exception.stacktrace),
        task: exception.task,
        trace: cause::cut(&exception.stacktrace, TRACE_MAX),
    };
    Ok(history.entries.into_iter().map(failure).collect())
}

pub(super) async fn checkpoints(http: &Http, job: &JobId) -> Result<Checkpoints, Error> {
    let asked = format!("read the checkpoints of job {job}");
    let answer::Checkpoints { counts, latest, history } = of_job(http, &asked, job, "/checkpoints").await?;
    let config = checkpoint_config(http, &asked, job).await?;
    let answer::Counts { restored, in_progress, completed, failed } = counts;
    Ok(Checkpoints {
        counts: Counts { restored, in_progress, completed, failed },
        completed: latest.completed.map(checkpoint),
        savepoint: latest.savepoint.map(checkpoint),
        failed: latest.failed.map(|checkpoint| FailedCheckpoint {
            id: CheckpointId(checkpoint.id),
            at_ms: checkpoint.failed,
            message: cause::root(checkpoint.message.as_deref().unwrap_or_default()),
        }),
        recent: history.into_iter().map(checkpoint).filter(|one| one.restorable.is_some()).collect(),
        restored: latest.restored.map(|restored| Restored {
            id: CheckpointId(restored.id),
            path: restored.external_path,
            is_savepoint: restored.is_savepoint,
        }),
        kept_when_cancelled: config.is_some_and(|config| {
            config.externalization.enabled && !config.externalization.delete_on_cancellation
        }),
    })
}

/// `None`: the job takes no checkpoints.
pub(super) async fn checkpoint_config(
    http: &Http,
    asked: &str,
    job: &JobId,
) -> Result<Option<answer::CheckpointConfig>, Error> {
    let config: Result<answer::CheckpointConfig, Error> =
        of_job(http, asked, job, "/checkpoints/config").await;
    match config {
        Ok(config) => Ok(Some(config)),
        Err(error) if matches!(error.problem(), Problem::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn checkpoint(told: answer::Checkpoint) -> Checkpoint {
    // A checkpoint in the JobManager's memory has a text in angle brackets for a path.
    let path = told.external_path.filter(|path| !told.discarded && !path.starts_with('<'));
    Checkpoint { id: CheckpointId(told.id), at_ms: told.triggered, restorable: path }
}

pub(super) async fn flow(http: &Http, job: &JobId) -> Result<Vec<Flow>, Error> {
    let asked = format!("read backpressure and watermarks of job {job}");
    let details: answer::Job = of_job(http, &asked, job, "").await?;
    let mut flows = Vec::new();
    for vertex in details.vertices {
        let of_vertex = format!("/vertices/{}", vertex.id);
        let pressure = backpressure(http, &asked, job, &of_vertex).await?;
        let watermarks: Vec<answer::Metric> =
            of_job(http, &asked, job, &format!("{of_vertex}/watermarks")).await?;
        let highest = |share: fn(&answer::SubtaskPressure) -> Option<f64>| {
            pressure.subtasks.iter().filter_map(share).reduce(f64::max)
        };
        flows.push(Flow {
            vertex: vertex.id,
            name: vertex.name,
            backpressured: highest(|subtask| subtask.ratio.as_f64()),
            busy: highest(|subtask| subtask.busy.as_f64()),
            watermark: lowest(&watermarks, vertex.parallelism),
        });
    }
    Ok(flows)
}

/// Flink fails while it knows the metrics of some subtasks only: then nothing is known.
async fn backpressure(
    http: &Http,
    asked: &str,
    job: &JobId,
    of_vertex: &str,
) -> Result<answer::Backpressure, Error> {
    let told = of_job(http, asked, job, &format!("{of_vertex}/backpressure")).await;
    let too_early = |error: &Error| matches!(error.problem(), Problem::Broken { reason, .. } if reason.contains("NoSuchElementException"));
    told.or_else(|error| if too_early(&error) { Ok(answer::Backpressure::default()) } else { Err(error) })
}

/// None before every subtask has told one: a lowest of some would be too high.
fn lowest(watermarks: &[answer::Metric], parallelism: u32) -> Option<EventTime> {
    let told = watermarks.iter().filter_map(|metric| metric.value.as_deref()?.parse().ok());
    let told: Vec<i64> = told.filter(|watermark| *watermark != i64::MIN).collect();
    if told.len() < parallelism as usize { None } else { told.into_iter().min().map(EventTime::from_millis) }
}

/// GET of what is below a job.
pub(super) async fn of_job<T: serde::de::DeserializeOwned>(
    http: &Http,
    asked: &str,
    job: &JobId,
    rest: &str,
) -> Result<T, Error> {
    let path = path(http, asked, job)?;
    http.get(asked, &format!("{path}{rest}")).await.map_err(|error| no_job(http, asked, job, error))
}

/// The path of a job; an id that cannot be one is no job, and never becomes part of an address.
pub(super) fn path(http: &Http, asked: &str, job: &JobId) -> Result<String, Error> {
    if job.as_str().len() == 32 && job.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(format!("/jobs/{job}"))
    } else {
        Err(http.error(asked, Problem::JobNotFound { job: job.clone() }))
    }
}

/// Flink's way to say that it has no such job, in the product's words.
pub(super) fn no_job(http: &Http, asked: &str, job: &JobId, error: Error) -> Error {
    // `/status` says so with 500.
    let missing = matches!(
        error.problem(),
        Problem::Refused { reason, .. } | Problem::Broken { reason, .. } if says_no_job(reason)
    );
    if missing { http.error(asked, Problem::JobNotFound { job: job.clone() }) } else { error }
}

pub(super) fn says_no_job(reason: &str) -> bool {
    reason.contains("Could not find Flink job") || reason.contains("FlinkJobNotFoundException")
}

pub(super) fn is_no_job(error: &Error) -> bool {
    matches!(error.problem(), Problem::JobNotFound { .. })
}

pub(super) fn parse_state(http: &Http, asked: &str, state: &str) -> Result<JobState, Error> {
    state.parse().map_err(|reason| http.error(asked, Problem::Unreadable { reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watermarks(values: &[&str]) -> Vec<answer::Metric> {
        let metric = |value: &&str| answer::Metric {
            id: "0.currentInputWatermark".into(),
            value: Some((*value).into()),
        };
        values.iter().map(metric).collect()
    }

    #[test]
    fn a_vertex_has_a_watermark_when_all_its_subtasks_have() {
        assert_eq!(lowest(&watermarks(&["7", "5"]), 2), Some(EventTime::from_millis(5)));
        assert_eq!(lowest(&watermarks(&["7"]), 2), None);
        assert_eq!(lowest(&watermarks(&["7", "-9223372036854775808"]), 2), None);
    }

    #[test]
    fn a_checkpoint_without_a_place_or_without_its_files_cannot_be_restored() {
        let told = |path: Option<&str>, discarded| answer::Checkpoint {
            id: 1,
            triggered: 2,
            checkpoint_type: "CHECKPOINT".into(),
            external_path: path.map(str::to_owned),
            discarded,
        };
        assert_eq!(checkpoint(told(Some("file:/c/1"), false)).restorable.as_deref(), Some("file:/c/1"));
        assert_eq!(checkpoint(told(Some("file:/c/1"), true)).restorable, None);
        assert_eq!(checkpoint(told(Some("<checkpoint-not-externally-addressable>"), false)).restorable, None);
        assert_eq!(checkpoint(told(None, false)).restorable, None);
    }
}
