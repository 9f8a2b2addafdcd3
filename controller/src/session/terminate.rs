//! Ending a job.

use serde_json::json;
use tidegate::flink::{JobId, Progress, Savepoint, Taking};

use super::{Session, done, is_named, operation};
use crate::arguments::Waiting;
use crate::exit::{Exit, Failure};
use crate::output::{Output, progress, show};

impl Session {
    /// Stops the job with a savepoint, or cancels it. The same attempt again finds what the first one did.
    pub(crate) async fn terminate(
        &self,
        name: &str,
        cancel: bool,
        id: &str,
        waiting: Waiting,
        output: Output,
    ) -> Result<Exit, Failure> {
        let operation = operation(id)?;
        let driver = self.driver.as_ref();
        let found = match self.find(name).await {
            Ok(found) => found.job,
            Err(unknown) if unknown.code == "UnknownJob" => {
                let Some((job, savepoint)) = self.stopped(name, id).await? else { return Err(unknown) };
                return tell(name, &job, Some(&savepoint.path), output);
            }
            Err(failure) => return Err(failure),
        };
        let progress = progress("ending")?;
        if cancel {
            let ended = async || driver.cancel(&found).await;
            if waiting.no_wait {
                ended().await?;
            } else {
                done("the end", waiting.timeout, &progress, ended).await?;
            }
            return tell(name, &found, None, output);
        }
        let stopped = async || driver.stop(&found, &operation).await;
        if waiting.no_wait {
            stopped().await?;
            return tell(name, &found, None, output);
        }
        let savepoint = done("the stop", waiting.timeout, &progress, stopped).await?;
        tell(name, &found, Some(&savepoint.path), output)
    }

    /// The job of that name that was stopped last, when none runs: what is asked for is done already.
    async fn stopped(&self, name: &str, id: &str) -> Result<Option<(JobId, Savepoint)>, Failure> {
        let operation = operation(id)?;
        let mut last = None;
        for job in self.driver.jobs().await?.into_iter().filter(|job| is_named(&job.name, name)) {
            let Some(Progress::Done(savepoint)) = self.driver.look(&job.id, &operation, Taking::Stop).await?
            else {
                continue;
            };
            let at_ms = self.driver.checkpoints(&job.id).await?.savepoint.map(|savepoint| savepoint.at_ms);
            if last.as_ref().is_none_or(|(before, _)| *before < at_ms) {
                last = Some((at_ms, (job.id, savepoint)));
            }
        }
        Ok(last.map(|(_, stopped)| stopped))
    }
}

fn tell(name: &str, job: &JobId, savepoint: Option<&str>, output: Output) -> Result<Exit, Failure> {
    let text = match savepoint {
        Some(path) => format!("{name} has ended; its last savepoint is {path}"),
        None => format!("{name} ends; no savepoint was waited for"),
    };
    let value = json!({"outcome": "done", "name": name, "job": job.as_str(), "savepoint": savepoint});
    show(output, &value, job, text)?;
    Ok(Exit::Done)
}
