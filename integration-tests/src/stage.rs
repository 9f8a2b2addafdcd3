//! The stage of a rehearsal: a broker, a cluster, a store, the job of `examples/flights` in two versions, an independent reader.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::command::Command;
use crate::flights::{
    Account, Difference, Flights, MAX_DELAY_MINUTES, ORIGINS, Output, Owners, Stream, Version,
};
use crate::flink::{FlinkCluster, Settings};
use crate::kafka::KafkaBroker;
use crate::rest::{Job, RunRequest};
use crate::store::{Kind, SharedStore};
use crate::{Observed, binary, wait_until, workspace_root};

const INPUT: &str = "flights";
const OUTPUT: &str = "departures";
const ROLLOUT: &str = "flights";
const DEADLINE: Duration = Duration::from_secs(60);
/// A process has so many stages at a time: together they take what a machine with two processors has.
static PLACES: Semaphore = Semaphore::const_new(2);

/// Everything that runs. Fields are dropped in this order: first who looks, then who is looked at.
#[derive(Debug)]
pub struct Stage {
    /// The command on the rollout.
    pub tidegate: Command,
    /// What the jobs write, as it is committed.
    pub output: Output,
    /// Two TaskManagers with three slots each.
    pub flink: FlinkCluster,
    /// The broker.
    pub kafka: KafkaBroker,
    /// What the jobs share.
    pub store: SharedStore,
    jar: String,
    /// A second cluster, and the job there.
    second: Option<(FlinkCluster, String)>,
    _place: SemaphorePermit<'static>,
}

/// One job, as it is submitted.
#[derive(Debug, Clone)]
pub struct Deployment {
    version: Version,
    parallelism: u32,
    savepoint: Option<String>,
    options: Vec<(&'static str, String)>,
    on_second: bool,
}

impl Deployment {
    /// blue-1: version 1, parallelism 2.
    #[must_use]
    pub fn blue() -> Self {
        Self { version: Version::V1, parallelism: 2, savepoint: None, options: Vec::new(), on_second: false }
            .with("tidegate.color", "blue")
    }

    /// green-1, from a snapshot of blue: version 2, parallelism 3.
    #[must_use]
    pub fn green(savepoint: String) -> Self {
        Self {
            version: Version::V2,
            parallelism: 3,
            savepoint: Some(savepoint),
            options: Vec::new(),
            on_second: false,
        }
        .with("tidegate.color", "green")
    }

    /// For the second cluster.
    #[must_use]
    pub fn on_second_cluster(mut self) -> Self {
        self.on_second = true;
        self
    }

    /// Sets an option of the job; the last value of a key counts.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        self.options.retain(|(there, _)| *there != key);
        self.options.push((key, value.to_owned()));
        self
    }
}

impl Stage {
    /// Starts all below `folder`, with a folder as the store, as soon as there is a place for it.
    ///
    /// # Errors
    /// When a part does not get ready, or the job's jar for this version of Flink is missing.
    pub async fn start(folder: &Path, version: &str) -> Result<Self> {
        Self::start_with(folder, version, Kind::Directory).await
    }

    /// The same with a store of this kind, and its server.
    ///
    /// # Errors
    /// As [`Stage::start`].
    pub async fn start_with(folder: &Path, version: &str, store: Kind) -> Result<Self> {
        let place = PLACES.acquire().await?;
        let (binary, store, kafka, (flink, jar)) = tokio::try_join!(
            binary::tidegate(),
            SharedStore::start(folder, store, ROLLOUT),
            KafkaBroker::start(folder),
            cluster(folder, version, 2, Vec::new())
        )?;
        for topic in [INPUT, OUTPUT] {
            kafka.create_topic(topic, ORIGINS.len() as i32, &[("retention.ms", "-1")]).await?;
        }
        let output = Output::of(&kafka.bootstrap_servers(), OUTPUT)?;
        let tidegate = Command::new(&binary, store.people(), ROLLOUT);
        Ok(Self { tidegate, output, flink, kafka, store, jar, second: None, _place: place })
    }

    /// Starts a second cluster below `folder`, which knows nothing of the first one, with environment variables of its own.
    ///
    /// # Errors
    /// As [`Stage::start`].
    pub async fn start_second_cluster(
        &mut self,
        folder: &Path,
        version: &str,
        environment: Vec<(String, String)>,
    ) -> Result<()> {
        self.second = Some(cluster(&folder.join("second"), version, 1, environment).await?);
        Ok(())
    }

    /// The command on another store or rollout.
    ///
    /// # Errors
    /// When the binary cannot be built.
    pub async fn tidegate_on(&self, store: &str, rollout: &str) -> Result<Command> {
        Ok(Command::new(&binary::tidegate().await?, store, rollout))
    }

    /// Begins to send flights.
    ///
    /// # Errors
    /// When the producer cannot be built.
    pub fn stream(&self, seed: u64) -> Result<Stream> {
        Ok(Stream::start(self.kafka.producer()?, INPUT, Flights::new(seed)))
    }

    /// Submits a job. That Flink accepts it does not mean that it runs.
    ///
    /// # Errors
    /// When Flink refuses it.
    pub async fn submit(&self, deployment: Deployment) -> Result<Job> {
        let Deployment { version, parallelism, savepoint, options, on_second } = deployment;
        let arguments = [
            ("--bootstrap-servers", self.kafka.bootstrap_servers()),
            ("--input", INPUT.into()),
            ("--output", OUTPUT.into()),
            ("--version", if version == Version::V1 { "v1" } else { "v2" }.into()),
            ("--max-delay-minutes", MAX_DELAY_MINUTES.to_string()),
        ];
        let mut configuration = vec![
            ("tidegate.store".to_owned(), self.store.url().to_owned()),
            ("tidegate.rollout".to_owned(), ROLLOUT.to_owned()),
        ];
        for (key, value) in options {
            configuration.retain(|(there, _)| there != key);
            configuration.push((key.to_owned(), value));
        }
        let request = RunRequest {
            arguments: arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect(),
            parallelism: Some(parallelism),
            configuration,
            allow_non_restored_state: savepoint.is_some(),
            savepoint,
            entry_class: None,
        };
        let (flink, jar) = match &self.second {
            Some((flink, jar)) if on_second => (flink, jar),
            None if on_second => bail!("there is no second cluster"),
            Some(_) | None => (&self.flink, &self.jar),
        };
        flink.rest().run(jar, &request).await
    }

    /// Submits a job and waits until it runs.
    ///
    /// # Errors
    /// When it does not.
    pub async fn run(&self, deployment: Deployment) -> Result<Job> {
        let job = self.submit(deployment).await?;
        job.wait_running(DEADLINE).await?;
        Ok(job)
    }

    /// Starts green from a savepoint of blue, which goes on, and waits until it is in standby and about as far as blue.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn run_green(&self, blue: &Job) -> Result<Job> {
        let green = self.run(Deployment::green(blue.native_savepoint(DEADLINE).await?)).await?;
        self.wait_caught_up().await?;
        Ok(green)
    }

    /// Waits until green is in standby and about as far as blue.
    ///
    /// # Errors
    /// At the deadline.
    pub async fn wait_caught_up(&self) -> Result<()> {
        self.tidegate.wait_role("green-1", "standby").await?;
        self.tidegate
            .wait_status("green has caught up", |status| {
                let watermark = |name| crate::command::member(status, name)["gates"][0]["watermark"].as_i64();
                let near = watermark("green-1").zip(watermark("blue-1"));
                near.is_some_and(|(green, blue)| green >= blue - 24 * crate::flights::HOUR_MS)
            })
            .await?;
        Ok(())
    }

    /// The number of a TaskManager that runs a subtask of the job's last vertex, where the gate is.
    ///
    /// # Errors
    /// When Flink does not tell.
    pub async fn task_manager_of(&self, job: &Job) -> Result<usize> {
        let status = job.status().await?;
        let vertex = status.vertices.last().context("the job has no vertices")?;
        let path = format!("/jobs/{}/vertices/{}", job.id(), vertex.id);
        let told: serde_json::Value = self.flink.rest().get(&path).await?;
        let id = told["subtasks"][0]["taskmanager-id"].as_str();
        // As the harness names them: taskmanager-<number>-<life>.
        let number = id.and_then(|id| id.split('-').nth(1)?.parse().ok());
        number.with_context(|| format!("no TaskManager in {told}"))
    }

    /// As [`Output::wait_flow`].
    ///
    /// # Errors
    /// As there.
    pub async fn wait_flow(&mut self) -> Result<()> {
        self.output.wait_flow().await
    }

    /// Nobody has had trouble with the store: no member tells of any, and no log of a JobManager warns of it.
    ///
    /// # Errors
    /// When somebody had.
    pub async fn demand_quiet_store(&self) -> Result<()> {
        let status = self.tidegate.done(&["status"]).await?;
        let members = status["members"].as_array().map_or(&[][..], Vec::as_slice);
        let told = members.iter().chain([&status]).map(|part| &part["trouble"]);
        let quiet = told.into_iter().all(|trouble| trouble.as_array().is_none_or(Vec::is_empty));
        ensure!(quiet && !members.is_empty(), "there is trouble: {status}");
        let clusters = [&self.flink].into_iter().chain(self.second.as_ref().map(|(flink, _)| flink));
        for flink in clusters {
            let log = log_of(flink, "jobmanager")?;
            let warned = log.lines().find(|line| line.contains(" WARN ") && tells_of_a_store(line));
            ensure!(warned.is_none(), "a job had trouble with the store: {warned:?}");
        }
        Ok(())
    }

    /// The length of the JobManager's log, for [`Stage::wait_said`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn said_so_far(&self) -> Result<usize> {
        Ok(self.log("jobmanager")?.len())
    }

    /// Waits until the JobManager's log has all of `words` in one line, after its first `since` bytes; returns the line.
    ///
    /// # Errors
    /// At the deadline.
    pub async fn wait_said(&self, since: usize, words: &[&str]) -> Result<String> {
        wait_until(&format!("the JobManager's log says {words:?}"), DEADLINE, async || {
            let log = self.log("jobmanager")?;
            let line = log.get(since..).unwrap_or_default().lines();
            let found = line.into_iter().find(|line| words.iter().all(|word| line.contains(word)));
            Ok(Observed::when(found.is_some(), found.unwrap_or_default().to_owned(), || {
                "nothing of it".into()
            }))
        })
        .await
    }

    /// The lines of both TaskManagers' logs that have one of `words`.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn tasks_said(&self, words: &[&str]) -> Result<Vec<String>> {
        let logs = [self.log("taskmanager-0")?, self.log("taskmanager-1")?];
        let lines = logs.iter().flat_map(|log| log.lines());
        Ok(lines.filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned).collect())
    }

    fn log(&self, name: &str) -> Result<String> {
        log_of(&self.flink, name)
    }

    /// As [`Output::finish`].
    ///
    /// # Errors
    /// As there.
    pub async fn finish(&mut self, stream: Stream) -> Result<Account> {
        self.output.finish(stream).await
    }

    /// As [`Output::demand_exact`].
    ///
    /// # Errors
    /// As there.
    pub fn demand_exact(&self, account: &Account, owners: &Owners) -> Result<()> {
        self.output.demand_exact(account, owners)
    }

    /// As [`Output::difference`].
    ///
    /// # Errors
    /// As there.
    pub fn difference(&self, account: &Account, owners: &Owners) -> Result<Difference> {
        self.output.difference(account, owners)
    }
}

fn log_of(flink: &FlinkCluster, name: &str) -> Result<String> {
    let path = flink.log_folder().join(format!("{name}.log"));
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether there is a code like `StoreUnreachable` in a line.
fn tells_of_a_store(line: &str) -> bool {
    let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| word.strip_prefix("Store").is_some_and(|rest| rest.starts_with(char::is_uppercase)))
}

/// A cluster that starts its jobs again after a failure, and the job there.
async fn cluster(
    folder: &Path,
    version: &str,
    task_managers: usize,
    environment: Vec<(String, String)>,
) -> Result<(FlinkCluster, String)> {
    let jar = workspace_root().join(format!("examples/flights/job/target/flink-{version}/flights-job.jar"));
    ensure!(jar.is_file(), "{} is missing: build it with `make jars`", jar.display());
    let settings = Settings::new(version)
        .task_managers(task_managers, 3)
        .with("restart-strategy.type", "fixed-delay")
        .with("restart-strategy.fixed-delay.attempts", "100")
        .with("restart-strategy.fixed-delay.delay", "200ms")
        // Longer than any test freezes a TaskManager, whatever else the machine has to do.
        .with("heartbeat.timeout", "20000");
    let settings = Settings { environment, ..settings };
    let flink = FlinkCluster::start(folder, &settings).await?;
    let jar = flink.rest().upload(&jar).await?;
    Ok((flink, jar))
}

/// A job that was never disturbed.
///
/// # Errors
/// When it has failed at least once.
pub async fn demand_undisturbed(job: &Job) -> Result<()> {
    let exceptions = job.exceptions().await?;
    if let Some(failure) = exceptions.failures().first() {
        bail!(
            "job {} has failed {} times; the last time: {}",
            job.id(),
            exceptions.failures().len(),
            failure.stacktrace
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_store_is_found_in_a_line() {
        assert!(tells_of_a_store("12:00:00.000 WARN  [agent] GateCoordinator - StoreUnreachable: silent"));
        assert!(!tells_of_a_store("12:00:00.000 WARN  [main] StandaloneCompletedCheckpointStore - Stored 1"));
    }
}
