//! The clients, from the account that the environment gives: the kubeconfig of `KUBECONFIG`, or the pod's service account.

use std::time::Duration;

use anyhow::Context as _;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};

/// A server that does not answer for this long is away.
const ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// The same account twice.
pub(super) struct Clients {
    /// Each call has an answer within some seconds, or has failed.
    pub(super) calls: Client,
    /// A watch may be silent for minutes.
    pub(super) watches: Client,
}

pub(super) async fn clients() -> anyhow::Result<Clients> {
    // An error means that the process has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = config().await.context(
        "AccountMissing: no account for a Kubernetes API server was found; name a kubeconfig in KUBECONFIG, or run in a pod \
         with a service account",
    )?;
    config.connect_timeout = Some(CONNECT);
    let watches = Client::try_from(config.clone())?;
    // A write that is repeated behind our back would lose against itself.
    config.default_retry = false;
    config.read_timeout = Some(ANSWER);
    config.write_timeout = Some(ANSWER);
    Ok(Clients { calls: Client::try_from(config)?, watches })
}

/// A kubeconfig that is named but not usable is an error, rather than a reason to take another account.
async fn config() -> anyhow::Result<Config> {
    match Config::from_kubeconfig(&KubeConfigOptions::default()).await {
        Ok(config) => Ok(config),
        Err(error) if std::env::var_os("KUBECONFIG").is_some() => Err(error.into()),
        Err(_) => Ok(Config::incluster()?),
    }
}
