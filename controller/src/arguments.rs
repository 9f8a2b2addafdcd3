//! The arguments that verbs share: what a verb is about (a resource of an API server, a rollout in a store, or a job of a Flink
//! cluster), what a job is made from, how long it is waited, and which attempt it is.

mod program;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidegate_agent::Rollout;

use crate::exit::Failure;
use crate::resource::duration;
pub(crate) use program::{Program, Strategy};

/// How an API server is reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// The namespace; that of the kubeconfig's context, or of this pod, when not given
    #[arg(long, short = 'n', value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// The context of the kubeconfig; its current one when not given. Without a kubeconfig the account of this pod is taken
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
}

/// Which resource.
#[derive(Clone, Debug, Args)]
pub(crate) struct Resource {
    /// The name of the FlinkBlueGreenDeployment
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,
}

/// Which rollout: a resource, or a store that jobs share without a controller.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The name of the FlinkBlueGreenDeployment; without it --store and --rollout are taken
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    server: Server,

    /// The store's URL, as the jobs have it in tidegate.store
    #[arg(long, env = STORE, value_name = "URL")]
    store: Option<String>,

    /// The rollout's name, as the jobs have it in tidegate.rollout
    #[arg(long, env = ROLLOUT, value_name = "NAME")]
    rollout: Option<String>,
}

const STORE: &str = "TIDEGATE_STORE";
const ROLLOUT: &str = "TIDEGATE_ROLLOUT";

/// One of the two.
pub(crate) enum Chosen {
    Resource(Resource),
    Store(Rollout),
}

impl Place {
    /// A name that is typed outdoes what the environment says, and nothing that is typed as well.
    pub(crate) fn choose(&self) -> Result<Chosen, Failure> {
        let Place { name, server, store, rollout } = self;
        let is_typed = |value: &Option<String>, variable: &str| {
            value.is_some() && std::env::var(variable).ok().as_ref() != value.as_ref()
        };
        match (name, store, rollout) {
            (Some(_), _, _) if is_typed(store, STORE) || is_typed(rollout, ROLLOUT) => Err(Failure::usage(
                "NAME is a resource, and --store and --rollout are a rollout without one; leave out the one or the other",
            )),
            (Some(name), _, _) => {
                Ok(Chosen::Resource(Resource { name: name.clone(), server: server.clone() }))
            }
            (None, Some(store), Some(rollout)) => Ok(Chosen::Store(Rollout::open(store, rollout)?)),
            (None, None, _) => {
                Err(Failure::usage("which rollout? write the NAME of a resource, or --store and --rollout"))
            }
            (None, Some(_), None) => Err(Failure::usage("which rollout of that store? write --rollout")),
        }
    }
}

/// Which Flink cluster, when it is not that of a resource.
#[derive(Clone, Debug, Args)]
pub(crate) struct Cluster {
    /// The REST address of a Flink cluster: NAME is then a job on it, and no API server is asked
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// A file with a bearer token for that address
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with = "client_certificate")]
    pub(crate) token_file: Option<PathBuf>,

    /// A PEM file with the only certificates that are trusted at that address
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) certificates: Option<PathBuf>,

    /// A PEM file with the client certificate for that address, and its key
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) client_certificate: Option<PathBuf>,
}

/// Which job: that of a resource, or one on a Flink cluster.
#[derive(Debug, Args)]
pub(crate) struct Job {
    /// The name of the FlinkBlueGreenDeployment; with --url that of the job
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

/// How the REST service of a deployment is reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestAddress {
    /// How the REST service of a resource's deployment is reached from outside of its cluster; {deployment}, {namespace} and {port} are
    /// filled in
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "url")]
    pub(crate) flink_rest_address: Option<String>,
}

/// How long a verb waits, and for what.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Waiting {
    /// Do not wait for the end: only until the request is taken up or refused
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// How long to wait at most: a duration such as 90s or 1h, or seconds. What was begun is not taken back by that
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// Names an attempt; every verb takes it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Attempt {
    /// Names this attempt: the same one again does nothing a second time, and tells how the first one ended; a verb that only looks
    /// looks again. Made up when not given
    #[arg(long, global = true, value_name = "ID", value_parser = id)]
    pub(crate) id: Option<String>,
}

impl Attempt {
    pub(crate) fn id(&self) -> String {
        self.id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string())
    }
}

/// `90`, `90s`, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_number { format!("{text}s") } else { text.to_owned() };
    let millis = duration::Duration(text).millis().map_err(|error| error.to_string())?;
    Ok(Duration::from_millis(millis))
}

/// What stands in annotations and names of savepoints.
fn id(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
    // The controller's own requests have such names.
    let is_taken = tidegate_protocol::rollout::Operation::is_request(text);
    if ends && !is_taken && text.len() <= 63 && text.bytes().all(|byte| plain(byte) || byte == b'-') {
        Ok(text.to_owned())
    } else {
        Err("an id is 1 to 63 of a-z, 0-9 and, inside, -; write build-1234".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_duration_or_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        for bad in ["", "soon", "-3", "99999999999999999999", "18446744073709551615"] {
            assert!(duration(bad).unwrap_err().contains("1h30m"), "{bad}");
        }
    }

    #[test]
    fn an_id_can_stand_in_a_name() {
        assert_eq!(id("build-1234").as_deref(), Ok("build-1234"));
        for bad in ["", "-a", "a-", "A", "a b", "a\"b", "1-promote-a", &"a".repeat(64)] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }
}
