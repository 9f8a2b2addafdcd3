//! A stand-in for the kubelet: it runs the Flink containers of a real API server's pods as processes of this machine.
//!
//! Known to it are pods that run a JobManager or a TaskManager of Flink's native Kubernetes mode, with the libraries that stand for
//! their image. It gives each pod an address of its own, projects ConfigMaps, Secrets and the service account's token as files
//! below a folder of the pod, starts and restarts the process by the pod's restart policy, tells the pod's status, and ends it with
//! its grace. It is no sandbox: the processes see this machine's files. What Kubernetes' controllers do (Deployments, owner
//! references) is left to them. Everything it has started dies with it.

mod container;
mod files;
mod network;
mod pod;
mod services;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use tokio::task::JoinHandle;

use crate::kube::ControlPlane;
use crate::maven::Libraries;
use network::Network;
use pod::Running;
use services::Services;

/// What it is called.
const NODE: &str = "stand-in";
const INTERVAL: Duration = Duration::from_millis(100);
/// How many looks a failure lasts before it is said.
const LASTING: u32 = 50;

/// What it needs to know; a clone shares it.
#[derive(Clone)]
struct Node {
    client: Client,
    folder: PathBuf,
    libraries: Libraries,
    /// The API server, as a pod reaches it.
    server: (String, PathBuf),
    network: Arc<Network>,
    services: Arc<Services>,
}

/// The stand-in; dropping it ends all its pods' processes.
#[derive(Debug)]
pub struct Kubelet {
    services: Arc<Services>,
    task: JoinHandle<()>,
    front: JoinHandle<()>,
}

impl Kubelet {
    /// Starts it for all pods of `plane`, with its files below `folder`; `libraries` stand for every image.
    ///
    /// # Errors
    /// When the API server cannot be reached, or no addresses are free.
    pub async fn start(folder: &Path, plane: &ControlPlane, libraries: Libraries) -> Result<Self> {
        let folder = folder.join("pods");
        std::fs::create_dir_all(&folder).context("cannot create the folder of the pods")?;
        let (services, front) = Services::start(folder.join("hosts")).await?;
        let node = Node {
            client: client(&plane.admin()).await?,
            folder,
            libraries,
            server: (plane.url(), plane.authority()),
            network: Arc::new(Network::take()?),
            services: services.clone(),
        };
        let task = tokio::spawn(run(node));
        Ok(Self { services, task, front })
    }

    /// A file for `-Djdk.net.hosts.file`: what the cluster's DNS would say of its Services.
    #[must_use]
    pub fn hosts(&self) -> &Path {
        self.services.hosts()
    }

    /// A proxy to the REST services of the JobManagers, for those who do not have the cluster's DNS: below it,
    /// `/<namespace>/<deployment>` is that deployment's.
    #[must_use]
    pub fn front(&self) -> &str {
        self.services.front()
    }

    /// The REST addresses of the JobManagers that run, by namespace and deployment.
    #[must_use]
    pub fn job_managers(&self) -> BTreeMap<(String, String), String> {
        self.services.job_managers()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
        self.front.abort();
    }
}

/// A client with the account of a kubeconfig.
///
/// # Errors
/// When the file cannot be read.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    // A second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// One look after the other. What fails in one often passes in the next (a ConfigMap that comes after its pod), so that only
/// what lasts is said.
async fn run(node: Node) {
    let mut pods: BTreeMap<String, Running> = BTreeMap::new();
    let (mut last, mut looks) = (String::new(), 0);
    loop {
        let failures = look(&node, &mut pods).await;
        let now = failures.iter().map(|error| format!("{error:#}")).collect::<Vec<_>>().join("; ");
        looks = if now == last { looks + 1 } else { 0 };
        if looks == LASTING && !now.is_empty() {
            eprintln!("kubelet: {now}");
        }
        last = now;
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(node: &Node, pods: &mut BTreeMap<String, Running>) -> Vec<anyhow::Error> {
    let api: Api<Pod> = Api::all(node.client.clone());
    let there = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => return vec![anyhow::Error::new(error).context("cannot list the pods")],
    };
    let uid = |pod: &Pod| pod.uid().unwrap_or_default();
    pods.retain(|known, _| there.iter().any(|pod| uid(pod) == *known));
    let mut failures = Vec::new();
    for pod in &there {
        let name = pod.name_any();
        let looked = match pods.get_mut(&uid(pod)) {
            Some(running) => running.look(node, pod).await,
            None if pod::is_over(pod) => Ok(()),
            None if pod.metadata.deletion_timestamp.is_some() => pod::forget(node, pod).await,
            None => Running::start(node, pod).await.map(|running| {
                pods.insert(uid(pod), running);
            }),
        };
        failures.extend(looked.err().map(|error| error.context(format!("pod {name}"))));
    }
    failures
}
