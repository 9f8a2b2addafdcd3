//! Apache's Flink operator as a process, from the jars and CRDs that [`VARIABLE`] names; they are in no package registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::flink::LOG4J;
use crate::kube::ControlPlane;
use crate::kubelet::Kubelet;
use crate::maven::Libraries;
use crate::ports::Reservation;
use crate::process::Process;
use crate::{Observed, wait_until};

/// A folder with the operator's shaded jar, its standalone jar, and a folder of its CRDs.
pub const VARIABLE: &str = "TIDEGATE_FLINK_OPERATOR";

const READY_DEADLINE: Duration = Duration::from_secs(120);

/// What the variable names.
#[derive(Debug, Clone)]
pub struct Artifacts {
    shaded: PathBuf,
    standalone: PathBuf,
    crds: PathBuf,
}

impl Artifacts {
    /// What is there; `None` when the variable is not set, which is said on standard error.
    ///
    /// # Errors
    /// When the variable names a folder where something is missing.
    pub fn find(lane: &str) -> Result<Option<Self>> {
        let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) else {
            eprintln!(
                "{lane} was left out: {VARIABLE} names no folder with the jars and CRDs of Apache's Flink operator"
            );
            return Ok(None);
        };
        let folder = PathBuf::from(folder);
        let found = |prefix: &str, suffix: &str| {
            let named = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.starts_with(prefix) && name.ends_with(suffix)
            };
            let entries = fs::read_dir(&folder)
                .with_context(|| format!("{VARIABLE}: cannot read {}", folder.display()))?;
            let mut paths = entries.flatten().map(|entry| entry.path());
            paths
                .find(named)
                .with_context(|| format!("{VARIABLE}: there is no {prefix}…{suffix} in {}", folder.display()))
        };
        Ok(Some(Self {
            shaded: found("flink-kubernetes-operator-", "-shaded.jar")?,
            standalone: found("flink-kubernetes-standalone-", ".jar")?,
            crds: found("flink-operator-crds-", "")?,
        }))
    }
}

/// The running operator; dropping it kills it.
#[derive(Debug)]
pub struct Operator {
    process: Process,
}

impl Operator {
    /// Installs the CRDs and starts the operator for all namespaces, with the rights of the administrator. It looks at everything
    /// once a second, where it would take up to a minute by its defaults.
    ///
    /// # Errors
    /// When a CRD is refused, the process ends, or it takes more than 120 s.
    pub async fn start(
        folder: &Path,
        artifacts: &Artifacts,
        plane: &ControlPlane,
        kubelet: &Kubelet,
        libraries: &Libraries,
    ) -> Result<Self> {
        let folder = folder.join("operator");
        let conf = folder.join("conf");
        fs::create_dir_all(&conf).context("cannot create the operator's folder")?;
        fs::create_dir_all(folder.join("plugins")).context("cannot create the operator's folder")?;
        let health = Reservation::take()?.release();
        // With a config.yaml it would write values for the jobs that Flink 1.20 cannot read from the file that it gets.
        fs::write(conf.join("flink-conf.yaml"), configuration(health))?;
        fs::write(conf.join("log4j2.properties"), LOG4J)?;
        let crds = artifacts.crds.display().to_string();
        plane.kubectl(&["create", "--filename", &crds]).await.context("the operator's CRDs")?;
        let mut java = Command::new("java");
        java.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg(format!("-Djdk.net.hosts.file={}", kubelet.hosts().display()));
        java.args(["-Dsun.net.inetaddr.ttl=0", "-Dsun.net.inetaddr.negative.ttl=0"]);
        java.arg(format!("-Dlog4j.configurationFile={}", conf.join("log4j2.properties").display()));
        java.arg("-cp").arg(class_path(artifacts, libraries)?);
        java.arg("org.apache.flink.kubernetes.operator.FlinkOperator");
        java.env("KUBECONFIG", plane.admin()).env("FLINK_CONF_DIR", &conf);
        java.env("FLINK_PLUGINS_DIR", folder.join("plugins")).env("HOSTNAME", "flink-operator-0");
        java.env("OPERATOR_NAMESPACE", "default").env("OPERATOR_NAME", "flink-kubernetes-operator");
        // It takes Services by their names only when it believes to be in the cluster.
        java.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "443");
        java.current_dir(&folder);
        let process = Process::start("Apache's Flink operator", java, &folder.join("operator.log"))?;
        let mut operator = Self { process };
        operator.wait_ready(health).await?;
        Ok(operator)
    }

    /// The process, to freeze it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    async fn wait_ready(&mut self, health: u16) -> Result<()> {
        wait_until("Apache's Flink operator is healthy", READY_DEADLINE, async || {
            self.process.check_alive()?;
            let answer = reqwest::get(format!("http://127.0.0.1:{health}/")).await;
            Ok(match answer {
                Ok(answer) => {
                    Observed::when(answer.status().is_success(), (), || answer.status().to_string())
                }
                Err(error) => Observed::NotYet(format!("{error:#}")),
            })
        })
        .await
    }
}

/// Its own log4j is not in the shaded jar.
fn class_path(artifacts: &Artifacts, libraries: &Libraries) -> Result<String> {
    let log4j = libraries.jars("log4j-")?;
    if log4j.is_empty() {
        bail!("there is no log4j among the libraries of Flink");
    }
    let jars = [artifacts.standalone.clone(), artifacts.shaded.clone()].into_iter().chain(log4j);
    Ok(jars.map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":"))
}

fn configuration(health: u16) -> String {
    [
        ("kubernetes.operator.reconcile.interval", "1 s"),
        ("kubernetes.operator.observer.progress-check.interval", "1 s"),
        ("kubernetes.operator.observer.rest-ready.delay", "1 s"),
        ("kubernetes.operator.flink.client.timeout", "5 s"),
        ("kubernetes.operator.health.probe.port", &health.to_string()),
    ]
    .map(|(key, value)| format!("{key}: {value}\n"))
    .concat()
}
