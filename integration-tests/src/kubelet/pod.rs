//! One pod: its process, from the first start to the end of its grace.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};

use super::Node;
use super::container::{self, Place, Role};
use super::files;
use super::status::{State, status};
use crate::ports::Reservation;
use crate::process::Process;

/// As the kubelet's: the first restart is at once, later ones wait, each twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A pod that this stand-in has taken on.
pub(super) struct Running {
    role: Role,
    root: PathBuf,
    place: Place,
    restarts: u32,
    life: Life,
    /// Until when its process may take to end by itself.
    grace: Option<Instant>,
}

enum Life {
    Running(Process),
    BackingOff { until: Instant },
    Over,
}

/// Whether its status says so.
pub(super) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed")) && pod.metadata.deletion_timestamp.is_none()
}

fn api(node: &Node, pod: &Pod) -> Api<Pod> {
    Api::namespaced(node.client.clone(), &pod.namespace().unwrap_or_default())
}

/// Lets a pod go that is being deleted and has no process.
pub(super) async fn forget(node: &Node, pod: &Pod) -> Result<()> {
    let preconditions = Preconditions { uid: pod.uid(), resource_version: None };
    let now = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default().grace_period(0) };
    match api(node, pod).delete(&pod.name_any(), &now).await {
        Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

impl Running {
    /// Takes on a pod: binds it to this node, writes its files and starts its process.
    pub(super) async fn start(node: &Node, pod: &Pod) -> Result<Self> {
        let role = container::role(container::container(pod)?)?;
        let root = node.folder.join(pod.namespace().unwrap_or_default()).join(pod.name_any());
        std::fs::create_dir_all(root.join("tmp")).context("cannot create the folder of the pod")?;
        if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
            bind(node, pod).await?;
        }
        files::project(&node.client, pod, &root).await?;
        kubeconfig(node, pod, &root).await?;
        let place = place(node, &role)?;
        if let Role::JobManager { .. } = role {
            let port = container::rest_port(container::container(pod)?);
            node.services.add(service(pod), (place.rest, port), place.address)?;
        }
        let mut running = Self { role, root, place, restarts: 0, life: Life::Over, grace: None };
        running.begin(node, pod).await?;
        Ok(running)
    }

    async fn begin(&mut self, node: &Node, pod: &Pod) -> Result<()> {
        let command = container::command(pod, &self.role, &self.root, self.place, &node.libraries)?;
        let log = node.folder.join(format!("{}.log", pod.name_any()));
        self.life = Life::Running(Process::start(&pod.name_any(), command, &log)?);
        self.tell(node, pod, State::Running { since: Timestamp::now() }).await
    }

    async fn tell(&self, node: &Node, pod: &Pod, state: State) -> Result<()> {
        let status = status(pod, self.place.address, self.restarts, state);
        let (api, change) = (api(node, pod), Patch::Merge(status));
        match api.patch_status(&pod.name_any(), &PatchParams::default(), &change).await {
            Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Does what has come to be due.
    pub(super) async fn look(&mut self, node: &Node, pod: &Pod) -> Result<()> {
        if pod.metadata.deletion_timestamp.is_some() {
            return self.end(node, pod).await;
        }
        match &mut self.life {
            Life::Running(process) => match process.ended()? {
                None => Ok(()),
                Some(exit) => self.ended(node, pod, exit).await,
            },
            Life::BackingOff { until } if Instant::now() >= *until => {
                self.restarts += 1;
                self.begin(node, pod).await
            }
            Life::BackingOff { .. } | Life::Over => Ok(()),
        }
    }

    async fn ended(&mut self, node: &Node, pod: &Pod, exit: ExitStatus) -> Result<()> {
        let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
        let again = match policy {
            Some("Never") => false,
            Some("OnFailure") => !exit.success(),
            _ => true,
        };
        if !again {
            self.life = Life::Over;
            return self.tell(node, pod, State::Over { exit }).await;
        }
        if self.restarts == 0 {
            self.restarts = 1;
            return self.begin(node, pod).await;
        }
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(self.restarts.saturating_sub(1));
        self.life = Life::BackingOff { until: Instant::now() + pause.min(LONGEST_PAUSE) };
        self.tell(node, pod, State::BackingOff { exit }).await
    }

    /// First it is asked to end; when its grace is over it is killed.
    async fn end(&mut self, node: &Node, pod: &Pod) -> Result<()> {
        if let Life::Running(process) = &mut self.life {
            let Some(until) = self.grace else {
                let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
                let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
                self.grace = Some(Instant::now() + grace);
                return process.terminate();
            };
            if process.ended()?.is_none() && Instant::now() < until {
                return Ok(());
            }
        }
        self.life = Life::Over;
        if let Role::JobManager { .. } = self.role {
            node.services.remove(&service(pod))?;
        }
        forget(node, pod).await
    }
}

fn place(node: &Node, role: &Role) -> Result<Place> {
    let rest = node.network.address();
    Ok(match role {
        Role::JobManager { .. } => {
            let ports = (Reservation::take()?.release(), Reservation::take()?.release());
            Place { address: Ipv4Addr::LOCALHOST, rest, ports: Some(ports) }
        }
        Role::TaskManager { .. } => Place { address: rest, rest, ports: None },
    })
}

/// Of the deployment: Flink labels all that is of one with its name.
fn service(pod: &Pod) -> (String, String) {
    let deployment = pod.labels().get("app").cloned().unwrap_or_default();
    (pod.namespace().unwrap_or_default(), deployment)
}

async fn bind(node: &Node, pod: &Pod) -> Result<()> {
    let name = pod.name_any();
    let binding = Binding {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        target: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(super::NODE.to_owned()),
            ..ObjectReference::default()
        },
    };
    let api = api(node, pod);
    let bound: Result<k8s_openapi::apimachinery::pkg::apis::meta::v1::Status, kube::Error> =
        api.create_subresource("binding", &name, &PostParams::default(), &binding).await;
    bound.map(drop).context("cannot bind the pod")
}

/// With the token of the pod's account: the place where a pod has its token is fixed, and this machine is not a pod.
async fn kubeconfig(node: &Node, pod: &Pod, root: &Path) -> Result<()> {
    let token = files::token(&node.client, pod).await?;
    let (server, authority) = &node.server;
    let namespace = pod.namespace().unwrap_or_default();
    let text = format!(
        "apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster: {{server: \"{server}\", certificate-authority: \"{}\"}}
users:
- name: pod
  user: {{token: {token}}}
contexts:
- name: pod
  context: {{cluster: cluster, user: pod, namespace: {namespace}}}
current-context: pod
",
        authority.display()
    );
    std::fs::write(root.join("kubeconfig"), text).context("cannot write the pod's kubeconfig")
}
