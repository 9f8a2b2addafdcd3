//! What the cells share: two Flink clusters, a broker, the store's server, and the server for Flink's own high availability.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use super::sidecar::Sidecar;
use super::{BOUND, Cell, DEADLINE, Victim};
use crate::command::Command;
use crate::flink::{FlinkCluster, Settings};
use crate::kafka::KafkaBroker;
use crate::maven::Libraries;
use crate::rest::{Job, RunRequest};
use crate::zookeeper::ZooKeeper;
use crate::{Observed, binary, java, wait_until, workspace_root};

const ROOT: &str = "/tidegate";
const TASK_MANAGERS: usize = 2;

/// One of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The old one.
    Blue,
    /// The new one.
    Green,
}

/// Everything that runs. Fields are dropped in this order.
#[derive(Debug)]
pub struct Arena {
    folder: PathBuf,
    binary: PathBuf,
    blue: Cluster,
    green: Cluster,
    pub(super) kafka: KafkaBroker,
    store: ZooKeeper,
    _coordination: ZooKeeper,
}

/// A cluster, the job's jar there, and, in a cell on sidecars, its sidecar.
#[derive(Debug)]
struct Cluster {
    flink: FlinkCluster,
    jar: String,
    sidecar: Option<Sidecar>,
}

impl Side {
    pub(super) fn color(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }

    /// Other than that of the other side.
    fn parallelism(self) -> u32 {
        match self {
            Self::Blue => 2,
            Self::Green => 3,
        }
    }
}

impl Arena {
    /// Starts all below `folder`.
    ///
    /// # Errors
    /// When a part does not get ready, or the job's jar for this version of Flink is missing.
    pub async fn start(folder: &Path, version: &str) -> Result<Self> {
        let (of_store, of_coordination) = (folder.join("store"), folder.join("coordination"));
        let (binary, kafka, store, coordination) = tokio::try_join!(
            binary::tidegate(),
            KafkaBroker::start(folder),
            ZooKeeper::start(&of_store),
            ZooKeeper::start(&of_coordination)
        )?;
        let jar = jar(folder, version).await?;
        let (blue, green, _) = tokio::try_join!(
            cluster(folder, version, Side::Blue, &coordination, &jar),
            cluster(folder, version, Side::Green, &coordination, &jar),
            store.cli(&["create", ROOT])
        )?;
        Ok(Self { folder: folder.into(), binary, blue, green, kafka, store, _coordination: coordination })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that both versions of a cell's job write files into.
    pub(super) fn files_of(&self, cell: Cell) -> PathBuf {
        self.folder.join(format!("{}-files", cell.rollout()))
    }

    pub(super) fn store_url(&self) -> String {
        format!("zookeeper://{}{ROOT}", self.store.host())
    }

    /// The command on a rollout.
    pub(super) fn tidegate(&self, rollout: &str) -> Command {
        Command::new(&self.binary, &self.store_url(), rollout)
    }

    fn cluster(&self, side: Side) -> &Cluster {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }

    fn cluster_mut(&mut self, side: Side) -> &mut Cluster {
        match side {
            Side::Blue => &mut self.blue,
            Side::Green => &mut self.green,
        }
    }

    pub(super) fn flink(&self, side: Side) -> &FlinkCluster {
        &self.cluster(side).flink
    }

    pub(super) fn flink_mut(&mut self, side: Side) -> &mut FlinkCluster {
        &mut self.cluster_mut(side).flink
    }

    /// Starts a sidecar for each cluster if the cell is on them.
    pub(super) async fn start_sidecars(&mut self, cell: Cell) -> Result<()> {
        if cell.victim == Victim::Sidecar {
            for side in [Side::Blue, Side::Green] {
                let sidecar = Sidecar::start(&self.binary, &self.folder, side.color()).await?;
                self.cluster_mut(side).sidecar = Some(sidecar);
            }
        }
        Ok(())
    }

    /// Submits one version of a cell's job and waits until it runs.
    pub(super) async fn run(&self, cell: Cell, side: Side, savepoint: Option<String>) -> Result<Job> {
        let rollout = cell.rollout();
        let slow = cell.victim == Victim::Nobody && side == Side::Blue;
        let away = cell.victim == Victim::StoreForAMinute;
        let arguments = [
            ("--name", job_name(&rollout, side)),
            (
                "--bootstrap-servers",
                if slow { self.kafka.slow_bootstrap_servers() } else { self.kafka.bootstrap_servers() },
            ),
            ("--input", format!("{rollout}-input")),
            ("--exact", format!("{rollout}-exact")),
            ("--least", format!("{rollout}-least")),
            ("--files", format!("file://{}", self.files_of(cell).display())),
            // Longer than a gate waits: a transaction that the broker ends before its checkpoint completes may be lost.
            ("--transaction-timeout-ms", if away { "600000" } else { "60000" }.to_owned()),
            (
                "--sinks",
                if side == Side::Blue && cell.sinks_apart() { "apart" } else { "together" }.to_owned(),
            ),
        ];
        let Cluster { flink, jar, sidecar } = self.cluster(side);
        let mut configuration = vec![
            ("tidegate.store", self.store_url()),
            ("tidegate.rollout", rollout),
            ("tidegate.color", side.color().to_owned()),
            // More than any line is late, so that all are within the guarantee.
            ("tidegate.lateness", "120 s".to_owned()),
        ];
        if away {
            configuration.push(("tidegate.hold.max-records", BOUND.to_string()));
            let unaligned = cell.unaligned().to_string();
            configuration.push(("execution.checkpointing.unaligned.enabled", unaligned));
        }
        if let Some(sidecar) = sidecar {
            configuration.push(("tidegate.sidecar", sidecar.socket().display().to_string()));
        }
        let request = RunRequest {
            arguments: arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect(),
            parallelism: Some(side.parallelism()),
            configuration: configuration.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            allow_non_restored_state: savepoint.is_some(),
            savepoint,
            entry_class: Some("Relay".into()),
        };
        let job = flink.rest().run(jar, &request).await?;
        job.wait_running(DEADLINE).await?;
        Ok(job)
    }

    /// Kills with SIGKILL. Nothing is started again.
    pub(super) fn kill(&mut self, victim: Victim, task_manager: usize) -> Result<()> {
        match victim {
            Victim::TaskManagerOfBlue => self.blue.flink.kill_task_manager(task_manager),
            Victim::TaskManagerOfGreen => self.green.flink.kill_task_manager(task_manager),
            Victim::JobManager => self.blue.flink.kill_job_manager(),
            Victim::Broker => self.kafka.kill(),
            Victim::Store | Victim::StoreForAMinute => self.store.kill(),
            Victim::Sidecar => self.blue.sidecar.as_mut().context("blue has no sidecar")?.kill(),
            Victim::Command | Victim::Nobody => Ok(()),
        }
    }

    /// Starts what was killed again.
    pub(super) async fn revive(&mut self, victim: Victim, task_manager: usize) -> Result<()> {
        match victim {
            Victim::TaskManagerOfBlue => self.blue.flink.start_task_manager(task_manager),
            Victim::TaskManagerOfGreen => self.green.flink.start_task_manager(task_manager),
            Victim::JobManager => self.blue.flink.start_job_manager(),
            Victim::Broker => self.kafka.restart().await,
            Victim::Store | Victim::StoreForAMinute => self.store.restart().await,
            Victim::Sidecar => self.blue.sidecar.as_mut().context("blue has no sidecar")?.launch().await,
            Victim::Command | Victim::Nobody => Ok(()),
        }
    }

    /// Starts what does not run, lets go on what is frozen, and ends all jobs: after a cell that has failed.
    ///
    /// # Errors
    /// When it does not get ready for another cell.
    pub async fn restore(&mut self) -> Result<()> {
        if self.kafka.process().is_none() {
            self.kafka.restart().await?;
        }
        if self.store.process().is_none() {
            self.store.restart().await?;
        }
        for side in [Side::Blue, Side::Green] {
            let flink = self.flink_mut(side);
            if flink.job_manager().is_none() {
                flink.start_job_manager()?;
            }
            for index in 0..TASK_MANAGERS {
                match flink.task_manager(index) {
                    Some(task_manager) => task_manager.thaw()?,
                    None => flink.start_task_manager(index)?,
                }
            }
            flink.wait_ready().await?;
            for id in running_jobs(flink.rest()).await? {
                let path = format!("/jobs/{id}?mode=cancel");
                let _: Value = flink.rest().call(Method::PATCH, &path, None).await?;
            }
        }
        self.wait_idle().await
    }

    /// Waits until everything is there again, and no job runs; then no sidecar is wanted any more.
    pub(super) async fn wait_idle(&mut self) -> Result<()> {
        for side in [Side::Blue, Side::Green] {
            let flink = self.flink_mut(side);
            flink.wait_ready().await?;
            let rest = flink.rest();
            wait_until("no job runs", DEADLINE, async || {
                let running = running_jobs(rest).await?;
                Ok(Observed::when(running.is_empty(), (), || format!("{running:?}")))
            })
            .await?;
            self.cluster_mut(side).sidecar = None;
        }
        Ok(())
    }
}

pub(super) fn job_name(rollout: &str, side: Side) -> String {
    format!("{rollout}-{}", side.color())
}

async fn running_jobs(rest: &crate::rest::Rest) -> Result<Vec<String>> {
    let told: Value = rest.get("/jobs").await?;
    let jobs = told["jobs"].as_array().map_or(&[][..], Vec::as_slice);
    let ended = ["FINISHED", "CANCELED", "FAILED"];
    let running = jobs.iter().filter(|job| !ended.iter().any(|state| job["status"] == *state));
    Ok(running.filter_map(|job| job["id"].as_str().map(str::to_owned)).collect())
}

/// The relay, compiled against the job of `examples/flights`, which brings Tidegate and the connector.
async fn jar(folder: &Path, version: &str) -> Result<PathBuf> {
    let flights =
        workspace_root().join(format!("examples/flights/job/target/flink-{version}/flights-job.jar"));
    ensure!(flights.is_file(), "{} is missing: build it with `make jars`", flights.display());
    let source = workspace_root().join("integration-tests/jobs/Relay.java");
    java::extended_jar(folder, &flights, &source, "Relay", &Libraries::flink(version).await?)
}

/// A cluster with high availability, and a TaskManager more than the job needs: whoever loses one goes on at once.
async fn cluster(
    folder: &Path,
    version: &str,
    side: Side,
    coordination: &ZooKeeper,
    jar: &Path,
) -> Result<Cluster> {
    let folder = folder.join(side.color());
    let settings = Settings::new(version)
        .task_managers(TASK_MANAGERS, side.parallelism() as usize)
        .with("restart-strategy.type", "fixed-delay")
        .with("restart-strategy.fixed-delay.attempts", "100")
        .with("restart-strategy.fixed-delay.delay", "200ms")
        // Longer than a cell freezes a TaskManager, whatever else the machine has to do; a dead one is found out by its port.
        .with("heartbeat.timeout", "30000")
        .with("heartbeat.rpc-failure-threshold", "2")
        // What is looked at is new.
        .with("metrics.fetcher.update-interval", "1000")
        .with("web.refresh-interval", "1000")
        .with("high-availability.type", "zookeeper")
        .with("high-availability.zookeeper.quorum", &coordination.host())
        .with("high-availability.zookeeper.client.session-timeout", "4000")
        .with("high-availability.cluster-id", side.color())
        .with("high-availability.storageDir", &format!("file://{}", folder.join("ha").display()))
        .java_flag("-XX:MaxMetaspaceSize=256m")
        .java_flag("-Xmx320m");
    let flink = FlinkCluster::start(&folder, &settings).await?;
    let jar = flink.rest().upload(jar).await?;
    Ok(Cluster { flink, jar, sidecar: None })
}
