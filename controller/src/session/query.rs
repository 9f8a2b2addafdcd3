//! A job as its cluster sees it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidegate::flink::{Checkpoint, Checkpoints, Failure as JobFailure, Flow, Status};

use super::Found;
use crate::exit::{Exit, Failure};
use crate::output::{Lines, Output, show};
use crate::resource::status::build::time;

/// How many failures are shown.
const FAILURES: usize = 3;

/// All that is told of one job.
struct Told {
    label: String,
    job: String,
    status: Status,
    checkpoints: Option<Checkpoints>,
    flows: Vec<Flow>,
    failures: Vec<JobFailure>,
}

/// Shows the jobs of a name: those of a resource are up to two.
pub(crate) async fn show_jobs(name: &str, jobs: &[Found], output: Output) -> Result<Exit, Failure> {
    let mut told = Vec::new();
    for found in jobs {
        told.extend(look(found).await?);
    }
    if told.is_empty() {
        let message = format!("no job of {name} is known to its cluster");
        return Err(Failure::new(Exit::Refused, "NoJob", message));
    }
    let values: Vec<Value> = told.iter().map(value).collect();
    let ids: Vec<&str> = told.iter().map(|told| told.job.as_str()).collect();
    let texts: Vec<String> = told.iter().map(text).collect();
    show(output, &values, ids.join("\n"), texts.join("\n\n"))?;
    Ok(Exit::Done)
}

/// What a job that has not come to run, or has ended, does not tell is left out.
async fn look(found: &Found) -> Result<Option<Told>, Failure> {
    let Found { label, driver, job } = found;
    let Some(status) = driver.status(job).await? else { return Ok(None) };
    let is_running = status.is_running();
    let checkpoints = driver.checkpoints(job).await;
    let flows = driver.flow(job).await;
    Ok(Some(Told {
        label: label.clone(),
        job: job.to_string(),
        status,
        checkpoints: if is_running { Some(checkpoints?) } else { checkpoints.ok() },
        flows: if is_running { flows? } else { flows.unwrap_or_default() },
        failures: driver.failures(job).await?,
    }))
}

fn value(told: &Told) -> Value {
    let Told { label, job, status, checkpoints, flows, failures } = told;
    let vertices: Vec<Value> = status
        .vertices
        .iter()
        .map(|vertex| {
            let flow = flows.iter().find(|flow| flow.vertex == vertex.id);
            json!({
                "name": vertex.name, "parallelism": vertex.parallelism, "subtasks": vertex.subtasks,
                "watermark": flow.and_then(|flow| flow.watermark).map(|watermark| watermark.as_millis()),
                "busy": flow.and_then(|flow| flow.busy), "backpressured": flow.and_then(|flow| flow.backpressured),
            })
        })
        .collect();
    let failures: Vec<Value> = failures
        .iter()
        .map(|failure| json!({"atMs": failure.at_ms, "task": failure.task, "cause": failure.cause}))
        .collect();
    json!({
        "label": label, "job": job, "name": status.name, "state": format!("{:?}", status.state).to_uppercase(),
        "running": status.is_running(), "parallelism": status.parallelism, "restarts": status.restarts,
        "vertices": vertices, "checkpoints": checkpoints.as_ref().map(checkpoints_value), "failures": failures,
    })
}

fn checkpoints_value(checkpoints: &Checkpoints) -> Value {
    let one = |checkpoint: &Checkpoint| json!({"id": checkpoint.id.0, "atMs": checkpoint.at_ms, "path": checkpoint.restorable});
    let counts = checkpoints.counts;
    json!({
        "completed": counts.completed, "failed": counts.failed, "inProgress": counts.in_progress, "restored": counts.restored,
        "newest": checkpoints.completed.as_ref().map(one), "newestSavepoint": checkpoints.savepoint.as_ref().map(one),
        "restoredFrom": checkpoints.restored.as_ref().and_then(|restored| restored.path.clone()),
        "newestFailure": checkpoints.failed.as_ref().map(|failed| failed.message.clone()),
    })
}

fn text(told: &Told) -> String {
    let Told { label, job, status, checkpoints, flows, failures } = told;
    let all = if status.is_running() { "with all its subtasks" } else { "not all of it runs" };
    let mut text = format!("{label} is {:?}, {all}, job {job}", status.state);
    let restarts = status.restarts.map_or("unknown".to_owned(), |restarts| restarts.to_string());
    let parallelism = status.parallelism.map_or("unknown".to_owned(), |parallelism| parallelism.to_string());
    let _ = write!(text, "\n  parallelism {parallelism}, restarts {restarts}");
    if let Some(checkpoints) = checkpoints {
        tell_checkpoints(&mut text, checkpoints);
    }
    for failure in failures.iter().take(FAILURES) {
        let task = failure.task.as_ref().map(|task| format!("{task}: ")).unwrap_or_default();
        let _ = write!(text, "\n  failed at {}: {task}{}", at(failure.at_ms), failure.cause);
    }
    if !status.vertices.is_empty() {
        let _ = write!(text, "\n{}", vertices(status, flows));
    }
    text
}

fn tell_checkpoints(text: &mut String, checkpoints: &Checkpoints) {
    let counts = checkpoints.counts;
    let _ = write!(
        text,
        "\n  checkpoints: {} completed, {} failed, {} in progress",
        counts.completed, counts.failed, counts.in_progress
    );
    for (what, one) in [("checkpoint", &checkpoints.completed), ("savepoint", &checkpoints.savepoint)] {
        if let Some(one) = one {
            let path = one.restorable.as_deref().unwrap_or("(not to be restored)");
            let _ = write!(text, "\n  newest {what} {} of {}: {path}", one.id.0, at(one.at_ms));
        }
    }
    if let Some(path) = checkpoints.restored.as_ref().and_then(|restored| restored.path.as_ref()) {
        let _ = write!(text, "\n  restored from {path}");
    }
}

fn vertices(status: &Status, flows: &[Flow]) -> Lines {
    let mut lines = Lines::new(&["VERTEX", "SUBTASKS", "WATERMARK", "BUSY", "BACKPRESSURED"]);
    for vertex in &status.vertices {
        let flow = flows.iter().find(|flow| flow.vertex == vertex.id);
        let share =
            |share: Option<f64>| share.map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default();
        let counts = vertex.subtasks.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {state}")).collect();
        lines.push([
            vertex.name.clone(),
            counts.join(", "),
            flow.and_then(|flow| flow.watermark).map(|watermark| watermark.to_string()).unwrap_or_default(),
            share(flow.and_then(|flow| flow.busy)),
            share(flow.and_then(|flow| flow.backpressured)),
        ]);
    }
    lines
}

fn at(millis: i64) -> String {
    time(tidegate_protocol::time::WallTime::from_millis(u64::try_from(millis).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use tidegate::flink::{Counts, JobState, Vertex};
    use tidegate_protocol::identity::CheckpointId;
    use tidegate_protocol::time::EventTime;

    use super::*;

    #[test]
    fn state_checkpoints_failures_and_watermarks_are_shown() {
        let vertex = Vertex {
            id: "v".to_owned(),
            name: "map".to_owned(),
            parallelism: 2,
            subtasks: [("RUNNING".to_owned(), 1), ("SCHEDULED".to_owned(), 1), ("FAILED".to_owned(), 0)]
                .into(),
        };
        let status = Status {
            name: "orders".to_owned(),
            state: JobState::Running,
            parallelism: Some(2),
            restarts: Some(1),
            vertices: vec![vertex],
        };
        let checkpoint = Checkpoint {
            id: CheckpointId(9),
            at_ms: 1_772_366_400_000,
            restorable: Some("s3://c/9".to_owned()),
        };
        let told = Told {
            label: "orders".to_owned(),
            job: "4f".to_owned(),
            status,
            checkpoints: Some(Checkpoints {
                counts: Counts { restored: 0, in_progress: 1, completed: 7, failed: 2 },
                completed: Some(checkpoint),
                savepoint: None,
                failed: None,
                recent: Vec::new(),
                restored: None,
                kept_when_cancelled: true,
            }),
            flows: vec![Flow {
                vertex: "v".to_owned(),
                name: "map".to_owned(),
                backpressured: Some(0.25),
                busy: None,
                watermark: Some(EventTime::from_millis(1_772_366_400_000)),
            }],
            failures: vec![JobFailure {
                at_ms: 1_772_366_400_000,
                cause: "no room".to_owned(),
                task: Some("map (2/2)".to_owned()),
                trace: String::new(),
            }],
        };
        assert_eq!(
            text(&told),
            "orders is Running, not all of it runs, job 4f
  parallelism 2, restarts 1
  checkpoints: 7 completed, 2 failed, 1 in progress
  newest checkpoint 9 of 2026-03-01T12:00:00Z: s3://c/9
  failed at 2026-03-01T12:00:00Z: map (2/2): no room
VERTEX  SUBTASKS                WATERMARK             BUSY  BACKPRESSURED
map     1 RUNNING, 1 SCHEDULED  2026-03-01T12:00:00Z  -     25 %"
        );
        assert_eq!(value(&told)["checkpoints"]["newest"]["path"], "s3://c/9");
    }
}
