//! The real parts: an API server with the resource's definition, the controller with the rights of its Role, Kafka, and what
//! runs the jobs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tidegate_integration_tests::kafka::KafkaBroker;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::store::{Keeper, Kind, SharedStore};
use tidegate_integration_tests::{Observed, wait_until};

use super::Plan;
use super::lane::Lane;
use super::resource::{Edit, Status, manifest};
use crate::flight::Origin;
use crate::narrator::Narrator;
use crate::parts::{INPUT, OUTPUT, ROLLOUT};

pub(super) const NAMESPACE: &str = "shop";
const ACCOUNT: &str = "tidegate-controller";
const CRD: &str = include_str!("../../../../controller/crd/flinkbluegreendeployments.tidegate.io.yaml");
const RIGHTS: &str = include_str!("../../../../controller/deploy/base/roles/controller.yaml");
const RIGHTS_DEADLINE: Duration = Duration::from_secs(30);

/// Everything that runs; dropping it kills it, the controller first.
#[derive(Debug)]
pub(super) struct Parts {
    controller: Process,
    lane: Lane,
    pub(super) kafka: KafkaBroker,
    store: SharedStore,
}

impl Parts {
    /// Starts all below `folder`.
    ///
    /// # Errors
    /// When a part does not get ready.
    pub(super) async fn start(folder: &Path, plan: &Plan, narrator: &Narrator) -> Result<Self> {
        narrator
            .say(&format!("starting a Kubernetes API server, Kafka and Flink {} on {}", plan.flink, plan.on));
        let (store, kafka) = tokio::try_join!(
            SharedStore::start(folder, Kind::ConfigMap, ROLLOUT),
            KafkaBroker::start(folder)
        )?;
        let lane = Lane::start(folder, plan, plane(&store)?).await?;
        for topic in [INPUT, OUTPUT] {
            // Real flights are older than Kafka's default retention.
            kafka.create_topic(topic, Origin::ALL.len() as i32, &[("retention.ms", "-1")]).await?;
        }
        let controller = controller(folder, plane(&store)?, &plan.tidegate, &lane).await?;
        narrator.say("tidegate controller runs, with the rights of its Role");
        Ok(Self { controller, lane, kafka, store })
    }

    /// The URL of the store, for people.
    pub(super) fn people(&self) -> &str {
        self.store.people()
    }

    /// `kubectl apply`.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) async fn apply(&self, edit: Edit) -> Result<()> {
        let source = self.lane.source(edit, &self.kafka.bootstrap_servers(), self.store.url());
        plane(&self.store)?.apply(NAMESPACE, &manifest(&source)).await
    }

    /// `kubectl get`.
    ///
    /// # Errors
    /// When it fails, or the controller has ended.
    pub(super) async fn status(&mut self) -> Result<Status> {
        self.controller.check_alive()?;
        let told =
            plane(&self.store)?.kubectl(&["-n", NAMESPACE, "get", "fbg", ROLLOUT, "-o", "json"]).await?;
        let resource: Value = serde_json::from_str(&told).context("kubectl printed no JSON")?;
        Ok(Status::of(&resource))
    }

    /// `kubectl delete`, which waits until it is gone.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub(super) async fn delete_resource(&self) -> Result<()> {
        let delete = ["-n", NAMESPACE, "delete", "fbg", ROLLOUT, "--timeout=50s"];
        plane(&self.store)?.kubectl(&delete).await.map(drop)
    }
}

fn plane(store: &SharedStore) -> Result<&ControlPlane> {
    match store.keeper() {
        Keeper::ApiServer(plane) => Ok(plane),
        Keeper::Folder(_) | Keeper::ZooKeeper(_) => bail!("the store is on no API server"),
    }
}

/// Installs the definition of the resource, and starts the controller with an account of its own.
async fn controller(folder: &Path, plane: &ControlPlane, tidegate: &Path, lane: &Lane) -> Result<Process> {
    plane.apply(NAMESPACE, CRD).await?;
    plane.apply(NAMESPACE, RIGHTS).await?;
    let kubeconfig = plane.create_account(NAMESPACE, ACCOUNT).await?;
    plane.grant(NAMESPACE, ACCOUNT, ACCOUNT).await?;
    // A new right, and a new resource, take a moment until the server goes by them.
    wait_until("the controller may read its resources", RIGHTS_DEADLINE, async || {
        let read = plane.kubectl_with(&kubeconfig, &["get", "fbg"], "").await;
        Ok(Observed::or_not_yet(read.map(|_| Observed::Reached(()))))
    })
    .await?;
    let mut command = Command::new(tidegate);
    command.args(["controller", "--namespace", NAMESPACE]).args(lane.flags()).env("KUBECONFIG", &kubeconfig);
    Process::start("tidegate controller", command, &folder.join("controller.log"))
}
