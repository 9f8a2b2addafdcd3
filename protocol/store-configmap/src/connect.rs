//! The client, from the account that the environment gives.

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tidegate_store::{Cause, Error};

use crate::error;
use crate::place::Place;

/// Shorter than a call's deadline, so that a server that cannot be reached is told from a write that was sent.
const CONNECT: Duration = Duration::from_secs(2);

/// With the account of the kubeconfig that the URL names, or of the environment.
pub(crate) fn connect(place: &Place) -> Result<Client, Error> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(no_client(place, "there is no tokio runtime".into()));
    }
    // An error means that the process has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let found = place.kubeconfig().map_or_else(infer, |path| named(path).map_err(Cause::from));
    let mut config = found.map_err(|cause| no_client(place, cause))?;
    config.connect_timeout = Some(CONNECT);
    // A write that is repeated behind our back would lose against itself.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| no_client(place, error::cause(error)))
}

/// A kubeconfig that is named but not usable is an error, rather than a reason to take another account.
fn infer() -> Result<Config, Cause> {
    let kubeconfig = match at_once(Config::from_kubeconfig(&KubeConfigOptions::default())) {
        Ok(config) => return Ok(config),
        Err(error) => error,
    };
    if std::env::var_os("KUBECONFIG").is_some() {
        return Err(kubeconfig.into());
    }
    Config::incluster().map_err(|in_cluster| format!("{kubeconfig}; {in_cluster}").into())
}

fn named(path: &Path) -> Result<Config, String> {
    let kubeconfig = Kubeconfig::read_from(path).map_err(described)?;
    at_once(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()))
}

/// Files are read and nothing else: there is nothing that it could wait for.
fn at_once(read: impl Future<Output = Result<Config, KubeconfigError>>) -> Result<Config, String> {
    match read.now_or_never() {
        Some(read) => read.map_err(described),
        None => Err("the kubeconfig cannot be read at once".to_owned()),
    }
}

/// The parser quotes the lines around an error, and a token may stand there.
fn described(error: KubeconfigError) -> String {
    if let KubeconfigError::Parse(_) = error {
        return "the kubeconfig is no YAML of the kind Config".to_owned();
    }
    error.to_string()
}

fn no_client(place: &Place, cause: Cause) -> Error {
    Error::NotAStore {
        store: place.url(),
        reason: "no account for a Kubernetes API server was found".to_owned(),
        way_out: "name a kubeconfig in KUBECONFIG or behind the URL, or run in a pod with a service account"
            .to_owned(),
        cause: Some(cause),
    }
}
