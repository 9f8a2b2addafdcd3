//! The clients, from the account that the environment gives: the kubeconfig of `KUBECONFIG`, or the pod's service account.

use std::time::Duration;

use anyhow::Context as _;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};

/// A server that does not answer for this long is away.
const ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// The same account twice.
pub(crate) struct Clients {
    /// Each call has an answer within some seconds, or has failed.
    pub(crate) calls: Client,
    /// A watch may be silent for minutes.
    pub(crate) watches: Client,
}

/// `context`: of the kubeconfig; its current one when not given.
pub(crate) async fn clients(context: Option<&str>) -> anyhow::Result<Clients> {
    // An error means that the process has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = config(context).await.context(
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
async fn config(context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let is_named = context.is_some() || std::env::var_os("KUBECONFIG").is_some();
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        Err(error) if is_named => Err(error.into()),
        Err(_) => Ok(Config::incluster()?),
    }
}
