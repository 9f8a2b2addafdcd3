//! The arguments of `tidegate controller`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::resource::duration;

/// Without `RUST_LOG`: what this program does, and what goes wrong in the libraries below it; the errors of the Kubernetes client are
/// told by whoever has asked.
const LOG: &str = "warn,tidegate=info,kube_client=off";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only the resources of this namespace; those of all namespaces when not given
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,

    /// Who holds the Lease tidegate-controller, so that only one of several controllers acts; the host's name and a random part when
    /// not given
    #[arg(long, value_name = "NAME", env = "TIDEGATE_IDENTITY")]
    pub(super) identity: Option<String>,

    /// For how long the Lease is valid without being renewed: another controller takes over after that, at the latest
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = lease_duration)]
    pub(super) lease_duration: Duration,

    /// Where /metrics, /healthz and /readyz are answered; with port 0 a free one is taken, and logged
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,

    /// How the REST service of a deployment is reached by a controller outside of its cluster; {deployment}, {namespace} and {port}
    /// are filled in. http://{deployment}-rest.{namespace}:{port} when not given
    #[arg(long, value_name = "TEMPLATE")]
    pub(super) flink_rest_address: Option<String>,

    /// Where the Secrets of notifications are, as files <DIRECTORY>/<namespace>/<name>/<key>; they are read from the API server when
    /// not given
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) secrets_directory: Option<PathBuf>,

    /// How log lines are written to standard error; RUST_LOG chooses which
    #[arg(long, value_enum, default_value_t = Log::Text)]
    log: Log,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Log {
    /// For people
    Text,
    /// For programs: one JSON object a line
    Json,
}

impl Arguments {
    /// From here on what is logged goes to standard error.
    pub(super) fn install_log(&self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log {
            Log::Text => lines.with_ansi(false).init(),
            Log::Json => lines.json().flatten_event(true).init(),
        }
    }
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let millis = duration::Duration::new(text).millis().map_err(|error| error.to_string())?;
    if !(2_000..=3_600_000).contains(&millis) || millis % 1_000 != 0 {
        return Err("a Lease is valid for whole seconds; write 2s to 1h".to_owned());
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_valid_for_whole_seconds() {
        assert_eq!(lease_duration("15s"), Ok(Duration::from_secs(15)));
        for bad in ["", "15", "1s", "2500ms", "2h"] {
            assert!(lease_duration(bad).is_err(), "{bad}");
        }
    }
}
