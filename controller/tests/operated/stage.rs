//! The parts, and what is seen of the resource.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tidegate_integration_tests::flights::{MAX_DELAY_MINUTES, ORIGINS, Output, Version};
use tidegate_integration_tests::java::extended_jar;
use tidegate_integration_tests::kafka::KafkaBroker;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::kubelet::Kubelet;
use tidegate_integration_tests::maven::Libraries;
use tidegate_integration_tests::operator::{Artifacts, Operator};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, wait_until, workspace_root};

const DEADLINE: Duration = Duration::from_secs(600);
const NAMESPACE: &str = "shop";
const NAME: &str = "flights";
pub(crate) const INPUT: &str = "flights";
const OUTPUT: &str = "departures";
const FUSED_FLIGHTS: &str = "io.tidegate.examples.flights.FusedFlights";

/// Dropping it ends all of it: first who acts, then who is acted upon.
pub(crate) struct Stage {
    pub(crate) output: Output,
    controller: Process,
    log: PathBuf,
    _operator: Operator,
    _kubelet: Kubelet,
    _controllers: Process,
    pub(crate) kafka: KafkaBroker,
    plane: ControlPlane,
    jar: PathBuf,
    folder: PathBuf,
}

impl Stage {
    pub(crate) async fn start(folder: &Path, artifacts: &Artifacts) -> Result<Stage> {
        let (plane, kafka) = tokio::try_join!(ControlPlane::start(folder), KafkaBroker::start(folder))?;
        for topic in [INPUT, OUTPUT] {
            kafka.create_topic(topic, ORIGINS.len() as i32, &[("retention.ms", "-1")]).await?;
        }
        let controllers = plane.start_controllers()?;
        let libraries = Libraries::flink_on_kubernetes().await?;
        let kubelet = Kubelet::start(folder, &plane, libraries.clone()).await?;
        let operator = Operator::start(folder, artifacts, &plane, &kubelet, &libraries).await?;
        let base = workspace_root().join("examples/flights/job/target/flink-1.20.3/flights-job.jar");
        let source = workspace_root().join("integration-tests/jobs/FusedFlights.java");
        let jar = extended_jar(folder, &base, &source, FUSED_FLIGHTS, &libraries)?;
        plane.create_namespace(NAMESPACE).await?;
        for manifest in [
            include_str!("../../../docs/flink-operator-rights.yaml"),
            include_str!("../../../protocol/store-configmap/roles/job.yaml"),
            include_str!("../../crd/flinkbluegreendeployments.tidegate.io.yaml"),
            include_str!("../../deploy/base/roles/controller.yaml"),
        ] {
            plane.create(NAMESPACE, manifest).await?;
        }
        plane.grant(NAMESPACE, "tidegate-job", "flink").await?;
        let account = plane.create_account(NAMESPACE, "tidegate-controller").await?;
        plane.grant(NAMESPACE, "tidegate-controller", "tidegate-controller").await?;
        wait_until("the controller may read", DEADLINE, async || {
            let read = plane.kubectl_with(&account, &["get", "fbg"], "").await;
            Ok(Observed::or_not_yet(read.map(|_| Observed::Reached(()))))
        })
        .await?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["controller", "--namespace", NAMESPACE]).env("KUBECONFIG", &account);
        command.args(["--flink-rest-address", &format!("{}/{{namespace}}/{{deployment}}", kubelet.front())]);
        let log = folder.join("controller.log");
        let controller = Process::start("the controller", command, &log)?;
        let servers = kafka.bootstrap_servers();
        let output = wait_until("the topic is there", DEADLINE, async || {
            Ok(Observed::or_not_yet(Output::of(&servers, OUTPUT).map(Observed::Reached)))
        })
        .await?;
        let (folder, _operator, _kubelet, _controllers) = (folder.to_owned(), operator, kubelet, controllers);
        Ok(Stage { output, controller, log, _operator, _kubelet, _controllers, kafka, plane, jar, folder })
    }

    /// A spec that loses no time.
    pub(crate) fn spec(&self, version: Version, parallelism: u32) -> Value {
        let at = |name: &str| format!("file://{}/{name}", self.folder.display());
        let resource = json!({"resource": {"memory": "1G", "cpu": 0.5}});
        let arguments = [
            "--fuse",
            &self.fuse(version).display().to_string(),
            "--bootstrap-servers",
            &self.kafka.bootstrap_servers(),
            "--input",
            INPUT,
            "--output",
            OUTPUT,
            "--version",
            if version == Version::V1 { "v1" } else { "v2" },
            "--max-delay-minutes",
            &MAX_DELAY_MINUTES.to_string(),
        ]
        .map(str::to_owned);
        json!({
            "template": {"spec": {
                "image": "flink:1.20", "flinkVersion": "v1_20", "mode": "native", "serviceAccount": "flink",
                "jobManager": resource, "taskManager": resource,
                "flinkConfiguration": {
                    "taskmanager.numberOfTaskSlots": "3",
                    "high-availability.type": "kubernetes",
                    "high-availability.storageDir": at("ha"),
                    "execution.checkpointing.dir": at("checkpoints"),
                    "execution.checkpointing.savepoint-dir": at("savepoints"),
                    "jobmanager.execution.failover-strategy": "full",
                    "web.refresh-interval": "500",
                    "metrics.fetcher.update-interval": "500",
                },
                "job": {
                    "jarURI": format!("local://{}", self.jar.display()), "args": arguments,
                    "entryClass": FUSED_FLIGHTS,
                    "parallelism": parallelism, "upgradeMode": "savepoint", "state": "running",
                },
            }},
            "proof": {
                "settling": "0s", "window": "500ms",
                "limits": {"restarts": 0, "failedCheckpoints": 1, "completedCheckpoints": 1},
                "lag": {"allowed": "8000h", "hold": "0s"},
            },
            "watch": "1s",
            "deletionDelay": "0s",
        })
    }

    /// A task of that version fails, once, as soon as it looks.
    pub(crate) fn blow(&self, version: Version) -> Result<()> {
        Ok(std::fs::write(self.fuse(version), "")?)
    }

    fn fuse(&self, version: Version) -> PathBuf {
        self.folder.join(format!("fuse-{version:?}"))
    }

    /// Creates the resource, or replaces its spec.
    pub(crate) async fn apply(&self, spec: &Value) -> Result<()> {
        let resource = json!({
            "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment",
            "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": spec,
        });
        let there = self.kubectl(&["get", "fbg", NAME, "--ignore-not-found", "--output", "name"]).await?;
        let verb = if there.trim().is_empty() { "create" } else { "replace" };
        let admin = self.plane.admin();
        self.plane.kubectl_with(&admin, &[verb, "--filename", "-"], &resource.to_string()).await.map(drop)
    }

    pub(crate) async fn kubectl(&self, line: &[&str]) -> Result<String> {
        self.plane.kubectl(&[&["--namespace", NAMESPACE], line].concat()).await
    }

    /// What the controller has said.
    pub(crate) fn said(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())
    }

    async fn resource(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.kubectl(&["get", "fbg", NAME, "--output", "json"]).await?)?)
    }

    pub(crate) async fn status(&self) -> Result<Value> {
        Ok(self.resource().await?["status"].take())
    }

    /// Waits until the status is about the newest spec and as wanted, and returns it.
    pub(crate) async fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(what, DEADLINE, async || {
            let resource = self.resource().await?;
            let status = &resource["status"];
            let is_current = status["observedGeneration"] == resource["metadata"]["generation"];
            let told = || format!("{} {} {}", status["phase"], status["waiting"], status["conditions"]);
            Ok(Observed::when(is_current && wanted(status), status.clone(), told))
        })
        .await
    }

    /// The cutover document.
    pub(crate) async fn document(&self) -> Result<Value> {
        let told = self.kubectl(&["get", "configmap", "flights.document", "--output", "json"]).await?;
        let sheet: Value = serde_json::from_str(&told)?;
        let texts = sheet["data"].as_object().into_iter().flatten();
        let mut read = texts.filter_map(|(_, text)| serde_json::from_str::<Value>(text.as_str()?).ok());
        read.find(|document| document["owners"].is_array()).context("there is no document")
    }

    /// What a person reads afterwards.
    pub(crate) async fn tell_history(&mut self) -> Result<()> {
        self.controller.check_alive()?;
        for entry in array(&self.status().await?["history"]) {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            println!("{} {:<9} {} ({})", text("time"), text("who"), text("what"), text("why"));
        }
        Ok(())
    }
}

/// The condition of that type; null when there is none.
pub(crate) fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    array(&status["conditions"]).iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Nothing is under way, and no former version is left.
pub(crate) fn is_at_rest(status: &Value) -> bool {
    status["phase"] == "Idle" && array(&status["record"]["leftovers"]).is_empty()
}

pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
