//! What all tests share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::java::extended_jar;
use tidegate_integration_tests::kafka::KafkaBroker;
use tidegate_integration_tests::kube::{Api, ControlPlane};
use tidegate_integration_tests::{Scratch, workspace_root};
use tokio::sync::Mutex;

const CRD: &str = include_str!("../../crd/flinkbluegreendeployments.tidegate.io.yaml");
/// The namespace and the account of the jobs: one for all of a cluster, since its JobManager's environment names it.
pub(crate) const JOBS: (&str, &str) = ("flink", "jobs");
/// The flights, as the jar runs when nobody names a class.
const FLIGHTS: &str = "io.tidegate.examples.flights.FlightsJob";
/// The flights with a fuse.
pub(crate) const FUSED_FLIGHTS: &str = "io.tidegate.examples.flights.FusedFlights";

/// The servers. Fields are dropped in this order: first who looks, then who is looked at.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) kafka: KafkaBroker,
    pub(crate) plane: ControlPlane,
    _scratch: Scratch,
}

/// A session cluster, and the jar of the flights with a fuse.
pub(crate) struct Cluster {
    pub(crate) flink: FlinkCluster,
    pub(crate) jar: PathBuf,
}

impl World {
    /// The one that another test is using, or a new one.
    pub(crate) async fn get() -> Result<Arc<World>> {
        static IN_USE: Mutex<Weak<World>> = Mutex::const_new(Weak::new());
        let mut in_use = IN_USE.lock().await;
        if let Some(world) = in_use.upgrade() {
            return Ok(world);
        }
        let scratch = Scratch::new("rollouts")?;
        let folder = scratch.path().to_path_buf();
        let (plane, kafka) = tokio::try_join!(ControlPlane::start(&folder), KafkaBroker::start(&folder))?;
        plane.create("default", CRD).await?;
        plane.create_namespace(JOBS.0).await?;
        plane.create_account(JOBS.0, JOBS.1).await?;
        let cluster = Cluster::start(&folder, "1.20.3", &plane).await?;
        let world = Arc::new(World { cluster, kafka, plane, _scratch: scratch });
        *in_use = Arc::downgrade(&world);
        Ok(world)
    }

    /// A namespace in which the jobs may use a store, and an account named `controller`, whose token is returned, may do what
    /// the controller's Role says.
    pub(crate) async fn namespace(&self, api: &Api, name: &str, role: &str) -> Result<String> {
        let job = include_str!("../../../protocol/store-configmap/roles/job.yaml");
        api.post("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await?;
        self.plane.create(name, &format!("{job}\n---\n{role}")).await?;
        let accounts = format!("/api/v1/namespaces/{name}/serviceaccounts");
        api.post(&accounts, &json!({"metadata": {"name": "controller"}})).await?;
        bind(api, name, "tidegate-job", JOBS).await?;
        bind(api, name, "tidegate-controller", (name, "controller")).await?;
        let asked = json!({"spec": {"expirationSeconds": 7200}});
        let told = api.post(&format!("{accounts}/controller/token"), &asked).await?;
        Ok(told["status"]["token"].as_str().context("no token")?.to_owned())
    }
}

impl Cluster {
    /// Its jobs have the account [`JOBS`].
    pub(crate) async fn start(folder: &Path, version: &str, plane: &ControlPlane) -> Result<Cluster> {
        let base =
            workspace_root().join(format!("examples/flights/job/target/flink-{version}/flights-job.jar"));
        ensure!(base.is_file(), "{} is missing: build it with `make jars`", base.display());
        let token = plane.token(JOBS.0, JOBS.1).await?;
        let kubeconfig = plane.kubeconfig("jobs", JOBS.0, &token)?;
        let settings = Settings::new(version)
            .task_managers(1, 24)
            // What is cached is told sooner: most of the time would be spent on waiting for it.
            .with("web.refresh-interval", "500")
            .with("metrics.fetcher.update-interval", "500")
            // A task that fails takes its whole job along, gates and all.
            .with("jobmanager.execution.failover-strategy", "full")
            .with("restart-strategy.type", "fixed-delay")
            .with("restart-strategy.fixed-delay.attempts", "100")
            .with("restart-strategy.fixed-delay.delay", "200ms")
            .with("taskmanager.memory.network.min", "64m")
            .with("taskmanager.memory.network.max", "64m")
            .java_flag("-Xmx640m")
            .java_flag("-XX:MaxDirectMemorySize=320m")
            .java_flag("-XX:MaxMetaspaceSize=768m")
            .variable("KUBECONFIG", &kubeconfig.display().to_string());
        let flink = FlinkCluster::start(folder, &settings).await?;
        let own = folder.join(format!("jar-{version}"));
        std::fs::create_dir_all(&own)?;
        let source = workspace_root().join("integration-tests/jobs/FusedFlights.java");
        let jar = extended_jar(&own, &base, &source, FLIGHTS, flink.libraries())?;
        Ok(Cluster { flink, jar })
    }
}

async fn bind(api: &Api, namespace: &str, role: &str, (of, account): (&str, &str)) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": role},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": of}],
    });
    api.post(&format!("/apis/{group}/v1/namespaces/{namespace}/rolebindings"), &binding).await?;
    Ok(())
}
