//! Savepoints of a job that goes on, once or on a schedule in the foreground.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Found, done, operation};
use crate::arguments::Waiting;
use crate::exit::{Exit, Failure};
use crate::output::{Output, progress, show};

/// When.
pub(crate) struct Schedule {
    pub(crate) every: Option<Duration>,
    pub(crate) keep: Option<usize>,
    pub(crate) times: Option<u32>,
    pub(crate) id: String,
}

/// Takes one, or one after the other until a signal ends it. One that fails ends it, too.
pub(crate) async fn take(
    found: &Found,
    schedule: &Schedule,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let Some(every) = schedule.every else {
        one(found, &schedule.id, waiting, output).await?;
        return Ok(Exit::Done);
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    let mut due = interval(every);
    // One that took longer than that is followed by the next one at once, and not by several.
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken = VecDeque::new();
    let mut number = 0;
    while schedule.times.is_none_or(|times| number < times) {
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = due.tick() => {}
        }
        number += 1;
        // What is under way when the signal comes is waited for: nobody else would know where it is.
        taken.extend(one(found, &format!("{}-{number}", schedule.id), waiting, output).await?);
        while schedule.keep.is_some_and(|keep| taken.len() > keep) {
            if let Some(oldest) = taken.pop_front() {
                found.driver.dispose(&oldest).await?;
                eprintln!("deleted {oldest}");
            }
        }
    }
    Ok(Exit::Done)
}

/// The path; none when it is not waited for.
async fn one(found: &Found, id: &str, waiting: Waiting, output: Output) -> Result<Option<String>, Failure> {
    let operation = operation(id)?;
    let Found { label, driver, job } = found;
    let (progress, begin) = (progress("taking a savepoint")?, Instant::now());
    let ask = async || driver.savepoint(job, &operation).await;
    let path = if waiting.no_wait {
        ask().await?;
        None
    } else {
        Some(done("the savepoint", waiting.timeout, &progress, ask).await?.path)
    };
    progress.finish_and_clear();
    let millis = begin.elapsed().as_millis();
    let value = json!({
        "outcome": if path.is_some() { "done" } else { "under-way" }, "label": label, "job": job.as_str(), "id": id,
        "savepoint": path, "ms": millis,
    });
    let name = path.clone().unwrap_or_else(|| id.to_owned());
    let text = match &path {
        Some(path) => format!("{label}: {path}"),
        None => format!("{label}: savepoint {id} is under way"),
    };
    show(output, &value, name, text)?;
    Ok(path)
}
