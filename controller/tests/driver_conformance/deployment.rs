//! The driver over `FlinkDeployment` resources, with Apache's real operator and Flink 1.20.3 in pods.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tidegate::flink::deployment::{DeploymentDriver, Settings};
use tidegate::flink::{Driver, JobSpec};
use tidegate_integration_tests::java::job_jar;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::kubelet::{Kubelet, client};
use tidegate_integration_tests::maven::Libraries;
use tidegate_integration_tests::operator::{Artifacts, Operator};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Scratch, workspace_root};

use super::bad_input;
use super::laws::{self, Stage};

const NAMESPACE: &str = "shop";

#[tokio::test(flavor = "multi_thread")]
async fn on_apaches_operator() -> Result<()> {
    let Some(artifacts) = Artifacts::find("the driver of FlinkDeployment resources")? else { return Ok(()) };
    Scratch::new("driver-operator")?.run(async |folder| on(folder, &artifacts).await).await
}

/// All of a cluster that a deployment needs.
struct Cluster {
    driver: DeploymentDriver,
    jar: String,
    folder: String,
    kubelet: Kubelet,
    _operator: Operator,
    _controllers: Process,
    plane: ControlPlane,
}

impl Cluster {
    async fn start(folder: &Path, artifacts: &Artifacts) -> Result<Cluster> {
        let plane = ControlPlane::start(folder).await?;
        let controllers = plane.start_controllers()?;
        let libraries = Libraries::flink_on_kubernetes().await?;
        let kubelet = Kubelet::start(folder, &plane, libraries.clone()).await?;
        let operator = Operator::start(folder, artifacts, &plane, &kubelet, &libraries).await?;
        plane.create_namespace(NAMESPACE).await?;
        plane.create(NAMESPACE, include_str!("../../../docs/flink-operator-rights.yaml")).await?;
        let source = workspace_root().join("integration-tests/jobs/Metronome.java");
        let jar = format!("local://{}", job_jar(folder, &source, &libraries)?.display());
        let settings = Settings {
            rest_address: format!("{}/{{namespace}}/{{deployment}}", kubelet.front()),
            owned: false,
            ..Settings::new(NAMESPACE)
        };
        let driver = DeploymentDriver::new(client(&plane.admin()).await?, settings)?;
        let folder = folder.display().to_string();
        Ok(Cluster { driver, jar, folder, kubelet, _operator: operator, _controllers: controllers, plane })
    }
}

impl Stage for Cluster {
    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn metronome(&self) -> JobSpec {
        let at = |folder: &str| format!("file://{}/{folder}", self.folder);
        let spec = json!({
            "image": "flink:1.20",
            "flinkVersion": "v1_20",
            "mode": "native",
            "serviceAccount": "flink",
            "jobManager": { "resource": { "memory": "1G", "cpu": 0.5 } },
            "taskManager": { "resource": { "memory": "1G", "cpu": 0.5 } },
            "flinkConfiguration": {
                "taskmanager.numberOfTaskSlots": "2",
                "high-availability.type": "kubernetes",
                "high-availability.storageDir": at("ha"),
                "execution.checkpointing.dir": at("checkpoints"),
                "execution.checkpointing.savepoint-dir": at("savepoints"),
                "web.refresh-interval": "500",
                "metrics.fetcher.update-interval": "500",
            },
        });
        let deployment = Some(json!({ "spec": spec }));
        JobSpec { parallelism: Some(1), deployment, ..JobSpec::new(&self.jar) }
    }

    fn refuses_at_once(&self) -> bool {
        false
    }

    async fn alive(&self) -> Result<BTreeSet<String>> {
        let mut alive = BTreeSet::new();
        for ((_, deployment), address) in self.kubelet.job_managers() {
            // One that is not there yet may have a job soon.
            let Ok(answer) = reqwest::get(format!("{address}/jobs")).await else {
                alive.insert(deployment);
                continue;
            };
            let told: Value = answer.json().await?;
            let jobs = told["jobs"].as_array().context("no list of jobs")?;
            let ended =
                |job: &Value| ["FINISHED", "FAILED", "CANCELED"].iter().any(|state| job["status"] == *state);
            alive.extend(jobs.iter().filter(|job| !ended(job)).map(|_| deployment.clone()));
        }
        Ok(alive)
    }
}

async fn on(folder: &Path, artifacts: &Artifacts) -> Result<()> {
    let cluster = Cluster::start(folder, artifacts).await?;
    if std::env::var("ONLY_BAD").is_err() {
        laws::run_all(&cluster).await?;
    }
    bad_input::run_all(&cluster, folder).await?;
    Ok(())
}
