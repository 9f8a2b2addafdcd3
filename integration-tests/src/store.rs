//! The store that jobs and people share: a folder, ConfigMaps on a real API server, or nodes on a real ZooKeeper server.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::kube::ControlPlane;
use crate::zookeeper::ZooKeeper;
use crate::{Observed, wait_until};

const NAMESPACE: &str = "shop";
const ROOT: &str = "/tidegate";
const JOB: &str = include_str!("../../protocol/store-configmap/roles/job.yaml");
const OPERATOR: &str = include_str!("../../protocol/store-configmap/roles/operator.yaml");
const RIGHTS_DEADLINE: Duration = Duration::from_secs(30);

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// ConfigMaps of a namespace, RBAC on.
    ConfigMap,
    /// Nodes below a root node.
    ZooKeeper,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "directory" => Ok(Self::Directory),
            "configmap" => Ok(Self::ConfigMap),
            "zookeeper" => Ok(Self::ZooKeeper),
            _ => Err("one of directory, configmap, zookeeper".into()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Directory => "directory",
            Self::ConfigMap => "configmap",
            Self::ZooKeeper => "zookeeper",
        })
    }
}

/// A store with the server that keeps it; dropping it kills the server.
#[derive(Debug)]
pub struct SharedStore {
    jobs: String,
    people: String,
    keeper: Keeper,
}

/// What keeps a store.
#[derive(Debug)]
pub enum Keeper {
    /// The folder itself.
    Folder(PathBuf),
    /// The API server.
    ApiServer(ControlPlane),
    /// The ZooKeeper server.
    ZooKeeper(ZooKeeper),
}

impl SharedStore {
    /// Starts what the kind needs below `folder`. With ConfigMaps, jobs and people have accounts of their own, with the rights
    /// that Tidegate's Roles give them on this rollout and no others.
    ///
    /// # Errors
    /// When a server does not get ready; for ConfigMaps when `go` is missing.
    pub async fn start(folder: &Path, kind: Kind, rollout: &str) -> Result<Self> {
        match kind {
            Kind::Directory => Self::in_folder(folder.join("store")),
            Kind::ConfigMap => Self::on_api_server(ControlPlane::start(folder).await?, rollout).await,
            Kind::ZooKeeper => Self::on_zookeeper(ZooKeeper::start(folder).await?).await,
        }
    }

    fn in_folder(folder: PathBuf) -> Result<Self> {
        fs::create_dir(&folder).context("cannot create the store's folder")?;
        let url = format!("directory://{}", folder.display());
        Ok(Self { jobs: url.clone(), people: url, keeper: Keeper::Folder(folder) })
    }

    async fn on_zookeeper(server: ZooKeeper) -> Result<Self> {
        server.cli(&["create", ROOT]).await?;
        let url = format!("zookeeper://{}{ROOT}", server.host());
        Ok(Self { jobs: url.clone(), people: url, keeper: Keeper::ZooKeeper(server) })
    }

    async fn on_api_server(plane: ControlPlane, rollout: &str) -> Result<Self> {
        plane.create_namespace(NAMESPACE).await?;
        plane.apply(NAMESPACE, JOB).await?;
        plane.apply(NAMESPACE, &OPERATOR.replace("orders", rollout)).await?;
        let url = |kubeconfig: PathBuf| {
            format!("configmap://{NAMESPACE}/{rollout}?kubeconfig={}", kubeconfig.display())
        };
        let jobs = url(account(&plane, "jobs", "tidegate-job").await?);
        let people = url(account(&plane, "people", &format!("tidegate-operator-{rollout}")).await?);
        Ok(Self { jobs, people, keeper: Keeper::ApiServer(plane) })
    }

    /// The URL for jobs.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.jobs
    }

    /// The URL for whoever promotes and aborts.
    #[must_use]
    pub fn people(&self) -> &str {
        &self.people
    }

    /// What keeps it.
    #[must_use]
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Its folder.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn folder(&self) -> Result<&Path> {
        match &self.keeper {
            Keeper::Folder(folder) => Ok(folder),
            Keeper::ApiServer(_) | Keeper::ZooKeeper(_) => bail!("{} is no folder", self.jobs),
        }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(_) => write!(formatter, "a folder"),
            Self::ApiServer(plane) => {
                write!(formatter, "a Kubernetes API server with etcd at {}", plane.url())
            }
            Self::ZooKeeper(server) => write!(formatter, "a ZooKeeper server at {}", server.host()),
        }
    }
}

/// A new account with a Role; returns its kubeconfig.
async fn account(plane: &ControlPlane, name: &str, role: &str) -> Result<PathBuf> {
    let kubeconfig = plane.create_account(NAMESPACE, name).await?;
    plane.grant(NAMESPACE, role, name).await?;
    // A new right takes a moment until the server goes by it.
    wait_until(&format!("the account {name} may read"), RIGHTS_DEADLINE, async || {
        let read = plane.kubectl_with(&kubeconfig, &["get", "configmaps"], "").await;
        Ok(Observed::or_not_yet(read.map(|_| Observed::Reached(()))))
    })
    .await?;
    Ok(kubeconfig)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_is_read() {
        for kind in [Kind::Directory, Kind::ConfigMap, Kind::ZooKeeper] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("consul".parse::<Kind>().is_err());
    }
}
