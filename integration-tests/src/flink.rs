//! A standalone Flink session cluster: one JobManager and some TaskManagers, each a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::maven::Libraries;
use crate::ports::Reservation;
use crate::process::Process;
use crate::rest::Rest;
use crate::{Observed, wait_until};

/// The Flink versions that everything is built and tested with.
pub const VERSIONS: [&str; 2] = ["1.20.3", "2.3.0"];

/// What to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Flink version, e.g. `1.20.3`.
    pub version: String,
    /// How many TaskManagers.
    pub task_managers: usize,
    /// Slots of each TaskManager.
    pub slots: usize,
    /// More lines of `config.yaml`; a key given here wins over the harness's own.
    pub configuration: Vec<(String, String)>,
    /// More flags of its Java machines; the last one of a kind wins.
    pub java_flags: Vec<String>,
    /// What its processes find in their environment.
    pub environment: Vec<(String, String)>,
    /// For a REST service that speaks TLS: the client that it trusts, and that trusts it.
    pub rest: Option<reqwest::Client>,
}

impl Settings {
    /// One TaskManager with two slots.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self {
            version: version.into(),
            task_managers: 1,
            slots: 2,
            configuration: Vec::new(),
            java_flags: Vec::new(),
            environment: Vec::new(),
            rest: None,
        }
    }

    /// Sets the number of TaskManagers and the slots of each.
    #[must_use]
    pub fn task_managers(mut self, count: usize, slots: usize) -> Self {
        self.task_managers = count;
        self.slots = slots;
        self
    }

    /// Adds a line to `config.yaml`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.configuration.push((key.into(), value.into()));
        self
    }

    /// Adds a flag of its Java machines.
    #[must_use]
    pub fn java_flag(mut self, flag: &str) -> Self {
        self.java_flags.push(flag.into());
        self
    }

    /// Sets a variable of its processes.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }
}

/// A running cluster; dropping it kills its processes.
#[derive(Debug)]
pub struct FlinkCluster {
    folder: PathBuf,
    libraries: Libraries,
    java_flags: Vec<String>,
    environment: Vec<(String, String)>,
    rest: Rest,
    job_manager: Option<Process>,
    task_managers: Vec<TaskManager>,
}

#[derive(Debug)]
struct TaskManager {
    /// Counts its starts: each life registers under an id of its own, so that a dead one is not taken for it.
    life: usize,
    process: Option<Process>,
}

const READY_DEADLINE: Duration = Duration::from_secs(90);

impl FlinkCluster {
    /// Starts a cluster below `folder` and waits until all its TaskManagers are registered.
    ///
    /// # Errors
    /// When the libraries cannot be had, a process ends, or it takes more than 90 s.
    pub async fn start(folder: &Path, settings: &Settings) -> Result<Self> {
        let libraries = Libraries::flink(&settings.version).await?;
        let folder = folder.join(format!("flink-{}", settings.version));
        for part in ["conf", "log", "tmp", "upload", "checkpoints", "savepoints"] {
            fs::create_dir_all(folder.join(part)).context("cannot create the cluster's folders")?;
        }
        let (rpc, rest_port) = (Reservation::take()?, Reservation::take()?);
        fs::write(
            folder.join("conf/config.yaml"),
            config_yaml(&folder, settings, rpc.port(), rest_port.port()),
        )?;
        fs::write(folder.join("conf/log4j2.properties"), LOG4J)?;
        let rest = match &settings.rest {
            None => Rest::new(&format!("http://127.0.0.1:{}", rest_port.port()))?,
            Some(client) => Rest::with(&format!("https://127.0.0.1:{}", rest_port.port()), client.clone()),
        };
        let mut cluster = Self {
            folder,
            libraries,
            java_flags: settings.java_flags.clone(),
            environment: settings.environment.clone(),
            rest,
            job_manager: None,
            task_managers: Vec::new(),
        };
        rpc.release();
        rest_port.release();
        cluster.start_job_manager()?;
        for index in 0..settings.task_managers {
            cluster.task_managers.push(TaskManager { life: 0, process: None });
            cluster.start_task_manager(index)?;
        }
        cluster.wait_ready().await?;
        Ok(cluster)
    }

    /// The client of its REST API.
    #[must_use]
    pub fn rest(&self) -> &Rest {
        &self.rest
    }

    /// What it runs on: a test's own job is compiled against this.
    #[must_use]
    pub fn libraries(&self) -> &Libraries {
        &self.libraries
    }

    /// Where its savepoints go when nothing else is said.
    #[must_use]
    pub fn savepoint_folder(&self) -> PathBuf {
        self.folder.join("savepoints")
    }

    /// The folder with one log per process; a process that is started again appends to its log.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The process ids of everything that runs.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let task_managers =
            self.task_managers.iter().filter_map(|task_manager| task_manager.process.as_ref());
        self.job_manager.iter().chain(task_managers).map(Process::id).collect()
    }

    /// Waits until every TaskManager that should run is registered.
    ///
    /// # Errors
    /// When a process ends, or after 90 s.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let wanted: Vec<String> = self
            .task_managers
            .iter()
            .enumerate()
            .filter(|(_, task_manager)| task_manager.process.is_some())
            .map(|(index, task_manager)| task_manager.resource_id(index))
            .collect();
        let what = format!("the Flink cluster has the TaskManagers {wanted:?}");
        wait_until(&what, READY_DEADLINE, async || {
            self.check_alive()?;
            Ok(Observed::or_not_yet(self.rest.task_managers().await.map(|registered| {
                let all = wanted.iter().all(|id| registered.contains(id));
                Observed::when(all, (), || format!("registered: {registered:?}"))
            })))
        })
        .await
    }

    /// Fails when a process that should run has ended, with the end of its log.
    ///
    /// # Errors
    /// When one has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        let task_managers =
            self.task_managers.iter_mut().filter_map(|task_manager| task_manager.process.as_mut());
        self.job_manager.iter_mut().chain(task_managers).try_for_each(Process::check_alive)
    }

    /// The JobManager's process, to freeze it.
    pub fn job_manager(&mut self) -> Option<&mut Process> {
        self.job_manager.as_mut()
    }

    /// A TaskManager's process, to freeze it.
    pub fn task_manager(&mut self, index: usize) -> Option<&mut Process> {
        self.task_managers.get_mut(index)?.process.as_mut()
    }

    /// kill -9 of the JobManager.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_job_manager(&mut self) -> Result<()> {
        self.job_manager.take().context("the JobManager does not run")?.kill()?;
        Ok(())
    }

    /// Starts the JobManager (again); [`FlinkCluster::wait_ready`] waits for it.
    ///
    /// # Errors
    /// When `java` is missing.
    pub fn start_job_manager(&mut self) -> Result<()> {
        let mut java = self.java(&["-Xms64m", "-Xmx256m"]);
        java.arg("org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint");
        java.arg("--configDir").arg(self.folder.join("conf"));
        self.job_manager =
            Some(Process::start("the JobManager", java, &self.log_folder().join("jobmanager.log"))?);
        Ok(())
    }

    /// kill -9 of a TaskManager.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_task_manager(&mut self, index: usize) -> Result<()> {
        let running = self.task_managers.get_mut(index).and_then(|task_manager| task_manager.process.take());
        running.with_context(|| format!("TaskManager {index} does not run"))?.kill()?;
        Ok(())
    }

    /// Starts a TaskManager (again); [`FlinkCluster::wait_ready`] waits for it.
    ///
    /// # Errors
    /// When the cluster has no TaskManager of that number, or `java` is missing.
    pub fn start_task_manager(&mut self, index: usize) -> Result<()> {
        let mut java =
            self.java(&["-Xms64m", "-Xmx192m", "-XX:MaxDirectMemorySize=96m", "-XX:MaxMetaspaceSize=96m"]);
        let log = self.log_folder().join(format!("taskmanager-{index}.log"));
        let conf = self.folder.join("conf");
        let task_manager =
            self.task_managers.get_mut(index).with_context(|| format!("no TaskManager {index}"))?;
        task_manager.life += 1;
        java.arg("org.apache.flink.runtime.taskexecutor.TaskManagerRunner").arg("--configDir").arg(conf);
        java.arg("-D").arg(format!("taskmanager.resource-id={}", task_manager.resource_id(index)));
        task_manager.process = Some(Process::start(&format!("TaskManager {index}"), java, &log)?);
        Ok(())
    }

    fn java(&self, memory: &[&str]) -> Command {
        let conf = self.folder.join("conf");
        let mut java = Command::new("java");
        java.args(memory)
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(&self.java_flags)
            .args(OPENED_PACKAGES);
        java.envs(self.environment.iter().map(|(name, value)| (name, value)));
        java.arg(format!("-Dlog4j.configurationFile={}", conf.join("log4j2.properties").display()));
        java.arg("-cp").arg(self.libraries.classpath());
        java.env("FLINK_CONF_DIR", &conf).current_dir(&self.folder);
        java
    }
}

impl TaskManager {
    fn resource_id(&self, index: usize) -> String {
        format!("taskmanager-{index}-{}", self.life)
    }
}

/// Serves Flink 1.20 and 2.x. A TaskManager that is started without Flink's scripts needs every memory key.
fn config_yaml(folder: &Path, settings: &Settings, rpc_port: u16, rest_port: u16) -> String {
    let path = |part: &str| folder.join(part).display().to_string();
    let checkpoints = format!("file://{}", path("checkpoints"));
    let savepoints = format!("file://{}", path("savepoints"));
    let mut lines: Vec<(String, String)> = [
        ("jobmanager.rpc.address", "127.0.0.1".to_owned()),
        ("jobmanager.rpc.port", rpc_port.to_string()),
        ("jobmanager.bind-host", "127.0.0.1".to_owned()),
        ("rest.address", "127.0.0.1".to_owned()),
        ("rest.bind-address", "127.0.0.1".to_owned()),
        ("rest.port", rest_port.to_string()),
        ("web.upload.dir", path("upload")),
        ("web.submit.enable", "true".to_owned()),
        ("blob.server.port", "\"0\"".to_owned()),
        ("taskmanager.host", "127.0.0.1".to_owned()),
        ("taskmanager.bind-host", "127.0.0.1".to_owned()),
        ("taskmanager.numberOfTaskSlots", settings.slots.to_string()),
        ("taskmanager.cpu.cores", "2.0".to_owned()),
        ("taskmanager.memory.task.heap.size", "128m".to_owned()),
        ("taskmanager.memory.task.off-heap.size", "0m".to_owned()),
        ("taskmanager.memory.managed.size", "0m".to_owned()),
        ("taskmanager.memory.network.min", "16m".to_owned()),
        ("taskmanager.memory.network.max", "16m".to_owned()),
        ("taskmanager.memory.framework.heap.size", "64m".to_owned()),
        ("taskmanager.memory.framework.off-heap.size", "64m".to_owned()),
        ("taskmanager.memory.segment-size", "8kb".to_owned()),
        ("taskmanager.memory.jvm-metaspace.size", "96m".to_owned()),
        ("taskmanager.memory.jvm-overhead.min", "64m".to_owned()),
        ("taskmanager.memory.jvm-overhead.max", "64m".to_owned()),
        ("io.tmp.dirs", path("tmp")),
        ("execution.checkpointing.dir", checkpoints.clone()),
        ("execution.checkpointing.savepoint-dir", savepoints.clone()),
        ("state.checkpoints.dir", checkpoints),
        ("state.savepoints.dir", savepoints),
        ("heartbeat.interval", "1000".to_owned()),
        ("heartbeat.timeout", "8000".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    for (key, value) in &settings.configuration {
        lines.retain(|(own, _)| own != key);
        lines.push((key.clone(), value.clone()));
    }
    lines.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// The console is the process's log file.
pub(crate) const LOG4J: &str = "\
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=Console
appender.console.name=Console
appender.console.type=Console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %-5p [%t] %c{1} - %m%n
";

/// The same packages that Flink's own start scripts open.
pub(crate) const OPENED_PACKAGES: [&str; 14] = [
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.text=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_key_wins_and_stands_once() {
        let settings = Settings::new("1.20.3").with("heartbeat.timeout", "3000").with("my.key", "x");
        let yaml = config_yaml(Path::new("/scratch"), &settings, 1, 2);
        let timeouts: Vec<_> = yaml.lines().filter(|line| line.starts_with("heartbeat.timeout")).collect();
        assert_eq!(timeouts, ["heartbeat.timeout: 3000"]);
        assert!(yaml.contains("my.key: x\n"));
    }
}
