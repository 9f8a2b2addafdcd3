//! What runs the jobs: Apache's Flink operator, or a session cluster that is there already.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::kubelet::Kubelet;
use tidegate_integration_tests::maven::Libraries;
use tidegate_integration_tests::operator::{Artifacts, Operator, VARIABLE};
use tidegate_integration_tests::process::Process;

use super::Plan;
use super::parts::NAMESPACE;
use super::resource::Edit;

/// Accounts and rights of jobs that Apache's operator deploys.
const RIGHTS: &str = include_str!("../../../../docs/flink-operator-rights.yaml");
/// The account that those jobs run with, and the Role for their store.
const ACCOUNT: &str = "flink";
const STORE_ROLE: &str = "tidegate-job";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// `FlinkDeployment`s of Apache's operator, in pods.
    Operator,
    /// Flink's REST API.
    Session,
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "operator" => Ok(Self::Operator),
            "session" => Ok(Self::Session),
            _ => Err("operator or session".into()),
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Operator => "operator",
            Self::Session => "session",
        })
    }
}

/// What runs; dropping it kills it.
#[derive(Debug)]
pub(super) enum Lane {
    Operator { kubelet: Kubelet, _operator: Operator, _controllers: Process, folder: PathBuf, jar: PathBuf },
    Session { flink: FlinkCluster, jar: PathBuf },
}

impl Lane {
    /// Starts it below `folder`.
    ///
    /// # Errors
    /// When a part does not get ready, or the operator's jars are not there.
    pub(super) async fn start(folder: &Path, plan: &Plan, plane: &ControlPlane) -> Result<Lane> {
        let jar = plan.jar.canonicalize().with_context(|| plan.jar.display().to_string())?;
        if plan.on == On::Session {
            let settings = Settings::new(&plan.flink).task_managers(2, 3);
            return Ok(Lane::Session { flink: FlinkCluster::start(folder, &settings).await?, jar });
        }
        let way_out = || format!("set {VARIABLE}, or take --on session");
        let artifacts = Artifacts::find("the demo on Apache's operator")?.with_context(way_out)?;
        let controllers = plane.start_controllers()?;
        let libraries = Libraries::flink_on_kubernetes().await?;
        let kubelet = Kubelet::start(folder, plane, libraries.clone()).await?;
        let operator = Operator::start(folder, &artifacts, plane, &kubelet, &libraries).await?;
        plane.apply(NAMESPACE, RIGHTS).await?;
        plane.grant(NAMESPACE, STORE_ROLE, ACCOUNT).await?;
        let folder = folder.to_owned();
        Ok(Lane::Operator { kubelet, _operator: operator, _controllers: controllers, folder, jar })
    }

    /// What the controller has to be told.
    pub(super) fn flags(&self) -> Vec<String> {
        match self {
            Lane::Operator { kubelet, .. } => {
                let address = format!("{}/{{namespace}}/{{deployment}}", kubelet.front());
                vec!["--flink-rest-address".to_owned(), address]
            }
            Lane::Session { .. } => Vec::new(),
        }
    }

    /// The part of the resource that says where the job runs, and from what; `store` is for jobs that are no pods.
    pub(super) fn source(&self, edit: Edit, bootstrap_servers: &str, store: &str) -> Value {
        let arguments = edit.arguments(bootstrap_servers);
        match self {
            Lane::Operator { folder, jar, .. } => {
                json!({ "template": { "spec": deployment(folder, jar, &arguments, edit.parallelism) } })
            }
            Lane::Session { flink, jar } => json!({
                "job": {
                    "url": flink.rest().base(),
                    "jar": jar.display().to_string(),
                    "args": arguments,
                    "parallelism": edit.parallelism,
                },
                "store": store,
            }),
        }
    }
}

/// The spec of a FlinkDeployment.
fn deployment(folder: &Path, jar: &Path, arguments: &[String], parallelism: u32) -> Value {
    let at = |name: &str| format!("file://{}/{name}", folder.display());
    let resource = json!({ "resource": { "memory": "1G", "cpu": 0.5 } });
    json!({
        "image": "flink:1.20",
        "flinkVersion": "v1_20",
        "mode": "native",
        "serviceAccount": ACCOUNT,
        "jobManager": resource,
        "taskManager": resource,
        "flinkConfiguration": {
            "taskmanager.numberOfTaskSlots": "3",
            "high-availability.type": "kubernetes",
            "high-availability.storageDir": at("ha"),
            "execution.checkpointing.dir": at("checkpoints"),
            "execution.checkpointing.savepoint-dir": at("savepoints"),
        },
        "job": {
            "jarURI": format!("local://{}", jar.display()),
            "args": arguments,
            "parallelism": parallelism,
            "upgradeMode": "savepoint",
            "state": "running",
        },
    })
}
