//! The verbs on jobs, by Flink's REST API: no controller and no API server are needed. Two jobs of a name are nobody's.

pub(crate) mod deploy;
pub(crate) mod query;
pub(crate) mod savepoint;
mod state;
mod terminate;
pub(crate) mod update;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use tidegate::flink::rest::{Credentials, RestDriver, Settings};
use tidegate::flink::{Driver, Error, JobId, Listed, Operation, Progress};
use tidegate_protocol::rollout::Launch;
use tokio::time::Instant;

use crate::arguments::Cluster;
use crate::exit::{Exit, Failure};
use crate::output::{Lines, Output, show};

/// Flink tells nothing by itself.
const POLL: Duration = Duration::from_millis(500);

/// A cluster.
pub(crate) struct Session {
    driver: Arc<dyn Driver>,
}

/// A job that a verb is about, and who runs it.
pub(crate) struct Found {
    /// For people.
    pub(crate) label: String,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) job: JobId,
}

impl Session {
    /// The cluster that was named; nothing is asked yet.
    pub(crate) fn open(cluster: &Cluster, directory: Option<&str>) -> Result<Option<Session>, Failure> {
        let Some(url) = &cluster.url else { return Ok(None) };
        let credentials = match (&cluster.token_file, &cluster.client_certificate) {
            (Some(file), _) => Credentials::Bearer(text("--token-file", file)?.trim().to_owned()),
            (None, Some(file)) => Credentials::Certificate(bytes("--client-certificate", file)?),
            (None, None) => Credentials::None,
        };
        let certificates = cluster.certificates.as_deref();
        let settings = Settings {
            credentials,
            certificates: certificates.map(|file| bytes("--certificates", file)).transpose()?,
            savepoint_directory: directory.map(str::to_owned),
            ..Settings::new(url)
        };
        Ok(Some(Session { driver: Arc::new(RestDriver::new(settings)?) }))
    }

    /// All jobs that the cluster remembers.
    pub(crate) async fn list(&self, output: Output) -> Result<Exit, Failure> {
        let jobs = self.driver.jobs().await?;
        let values: Vec<Value> = jobs.iter().map(value).collect();
        let ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
        if jobs.is_empty() && output == Output::Text {
            eprintln!("no job on {}", self.driver.cluster());
            return Ok(Exit::Done);
        }
        let mut lines = Lines::new(&["JOB", "NAME", "STATE"]);
        for job in &jobs {
            lines.push([job.id.to_string(), job.name.clone(), state(job)]);
        }
        show(output, &values, ids.join("\n"), lines)?;
        Ok(Exit::Done)
    }

    /// The one job of that name, or of that id, that has not ended. Versions that `tidegate update` has started are called after their
    /// launch as well.
    pub(crate) async fn find(&self, name: &str) -> Result<Found, Failure> {
        let cluster = self.driver.cluster();
        let jobs = self.driver.jobs().await?;
        let alive: Vec<&Listed> = jobs.iter().filter(|job| !job.state.has_ended()).collect();
        let by_id: Vec<&Listed> = jobs.iter().filter(|job| job.id.as_str() == name).collect();
        let by_name: Vec<&Listed> = alive.iter().copied().filter(|job| is_named(&job.name, name)).collect();
        match if by_id.is_empty() { &by_name[..] } else { &by_id[..] } {
            [job] => {
                Ok(Found { label: job.name.clone(), driver: Arc::clone(&self.driver), job: job.id.clone() })
            }
            [] => {
                let running: Vec<String> = alive.iter().map(|job| format!("{:?}", job.name)).collect();
                let running = if running.is_empty() { "none".to_owned() } else { running.join(", ") };
                let message = format!("no job {name:?} runs on {cluster}; running are: {running}");
                Err(Failure::new(Exit::Refused, "UnknownJob", message))
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|job| job.id.as_str()).collect();
                let message = format!(
                    "{} jobs of the name {name:?} run on {cluster}: {}; name the one that is meant by its id",
                    ids.len(),
                    ids.join(", ")
                );
                Err(Failure::new(Exit::Refused, "JobNameAmbiguous", message))
            }
        }
    }
}

/// Whether a job is called that, or is a launch of it: `orders-green-2`.
fn is_named(job: &str, name: &str) -> bool {
    let launch = job.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    job == name || launch.is_some_and(|launch| launch.parse::<Launch>().is_ok())
}

fn value(job: &Listed) -> Value {
    json!({"id": job.id.as_str(), "name": job.name, "state": state(job)})
}

fn state(job: &Listed) -> String {
    format!("{:?}", job.state).to_uppercase()
}

/// The name of a savepoint or a stop, as Flink is asked for it.
fn operation(id: &str) -> Result<Operation, Failure> {
    Operation::new(format!("cli-{id}")).map_err(Failure::usage)
}

/// Asks until it is done. What may pass by itself, such as an overloaded JobManager, is asked again until the deadline.
async fn done<T>(
    what: &str,
    timeout: Duration,
    progress: &ProgressBar,
    mut ask: impl AsyncFnMut() -> Result<Progress<T>, Error>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + timeout;
    let mut is_first = true;
    loop {
        let last = match ask().await {
            Ok(Progress::Done(value)) => return Ok(value),
            Ok(Progress::Failed(reason)) => {
                return Err(Failure::new(Exit::Failed, "OperationFailed", format!("{what}: {reason}")));
            }
            Ok(Progress::Running) => "it is under way".to_owned(),
            Err(error) if is_first || !error.is_transient() => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        is_first = false;
        progress.set_message(format!("{what}: {last}"));
        if Instant::now() + POLL > deadline {
            let message = format!("{what}: not done in time; it goes on without this command: {last}");
            return Err(Failure::new(Exit::Timeout, "Timeout", message));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn bytes(option: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::usage(format!("{option} {}: {error}", file.display())))
}

fn text(option: &str, file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{option} {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_by_its_name_and_by_that_of_its_launches() {
        for job in ["orders", "orders-blue-1", "orders-green-2-3"] {
            assert!(is_named(job, "orders"), "{job}");
        }
        for job in ["orders2", "orders-2", "orders-red-1", "order", "my-orders"] {
            assert!(!is_named(job, "orders"), "{job}");
        }
    }
}
