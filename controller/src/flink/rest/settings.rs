//! How to reach a cluster.

use std::fmt;
use std::time::Duration;

/// The address of a cluster, and what is needed to be let in. Its `Debug` output has no secrets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The REST address: `http://…` or `https://…`, with a path when a proxy wants one; without user and password.
    pub address: String,
    /// What to identify with.
    pub credentials: Credentials,
    /// The only certificates to trust, as PEM, instead of the system's.
    pub certificates: Option<Vec<u8>>,
    /// How long to wait for answers.
    pub deadlines: Deadlines,
    /// Where slots come from.
    pub slots: Slots,
    /// Where savepoints go; where the cluster's configuration says, without it.
    pub savepoint_directory: Option<String>,
}

impl Settings {
    /// An address, without credentials.
    pub fn new(address: impl Into<String>) -> Settings {
        Settings {
            address: address.into(),
            credentials: Credentials::None,
            certificates: None,
            deadlines: Deadlines::default(),
            slots: Slots::Fixed,
            savepoint_directory: None,
        }
    }
}

/// What to identify with. Flink itself knows client certificates only; the others are for a proxy in front of it.
#[derive(Clone)]
pub enum Credentials {
    /// Nothing.
    None,
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token.
    Bearer(String),
    /// A client certificate with its key, as PEM.
    Certificate(Vec<u8>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::None => "None",
            Credentials::Basic { .. } => "Basic",
            Credentials::Bearer(_) => "Bearer",
            Credentials::Certificate(_) => "Certificate",
        })
    }
}

/// How long one request may take, its answer included.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// To connect.
    pub connect: Duration,
    /// Whatever Flink answers from memory.
    pub answer: Duration,
    /// To run the job's program until it has submitted its job.
    pub submit: Duration,
    /// To upload a jar.
    pub upload: Duration,
    /// To delete a savepoint.
    pub dispose: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            submit: Duration::from_secs(120),
            upload: Duration::from_secs(300),
            dispose: Duration::from_secs(60),
        }
    }
}

/// Where slots come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// The TaskManagers that are there: a job that needs more than are free is not started.
    Fixed,
    /// The cluster starts TaskManagers when a job needs them.
    OnDemand,
}
