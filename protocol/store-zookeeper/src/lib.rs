//! The store in ZooKeeper: `zookeeper://host:port,host:port/path`, servers of version 3.6 or newer.
//!
//! ```text
//! <path>                  must exist, never created: a wrong path must not look like an empty store
//!   <rollout>             created by the first write, never by a read
//!     document
//!     request             edited by people, with zkCli.sh for instance
//!     reports/<slot>
//! ```
//!
//! The nodes are persistent, hold the objects' bytes and nothing else, and are never deleted here.
//!
//! * **Reads** go behind a transaction that changes nothing and that a quorum has agreed upon, on one session: they see all
//!   that was written before. (A read behind a `sync` may not: a leader shows its own clients a write a moment later than a
//!   follower does, and one that was cut off does not know it for a time.) Each costs an entry in the transaction log.
//! * **A version** is the change that created the node, and its data version. ZooKeeper's compare-and-set knows the data
//!   version only, which begins anew when a person deletes a node and creates it again: so the node is looked at first. Should
//!   it be exchanged in the moment between the look and the write, the writer is told that the outcome is unknown.
//! * **Hints** come from one persistent recursive watch, and from every new connection, because a watch misses what changes
//!   while it is away.
//!
//! Options are part of the URL and name files, never secrets: `?auth-file=…` (or `auth-env=…`) has `user:password` for digest
//! authentication, and what is created then belongs to that user alone; `ca-file=…` asks for TLS, `cert-file=…` and
//! `key-file=…` show a certificate of one's own.
//!
//! A store has one connection at a time, kept by one task of the caller's runtime, which ends with the store or the runtime. The
//! client library, `zookeeper-client`, starts a thread for its I/O with the first connection of a process, and one with the first
//! name that is looked up. **They never end**: whoever holds this code in a library that is unloaded has to keep that library in
//! memory.

mod address;
mod credentials;
mod error;
mod nodes;
mod session;
mod tls;

use std::fmt;
use std::time::Duration;

use tidegate_store::{Error, Object, Slot, Store, Stored, Version, Watch, check_name};
use tokio::time::Instant;

use crate::address::Address;
use crate::nodes::Nodes;

/// How long a call may take, all its steps together.
const CALL_DEADLINE: Duration = Duration::from_secs(4);

/// One rollout in ZooKeeper.
pub struct ZooKeeperStore {
    nodes: Nodes,
}

impl ZooKeeperStore {
    /// The store of `rollout` below the root that the URL names. Connects by itself, and creates nothing. Call it within a
    /// tokio runtime with time and I/O.
    ///
    /// [`Error::NotAStore`] for the URL and for the files that it names, [`Error::BadName`] for the rollout's name.
    pub fn open(url: &str, rollout: &str) -> Result<Self, Error> {
        check_name(rollout)?;
        let address = Address::parse(url)?;
        address.check_files()?;
        Ok(Self { nodes: Nodes::new(address, rollout) })
    }

    fn deadline() -> Instant {
        Instant::now() + CALL_DEADLINE
    }
}

impl fmt::Debug for ZooKeeperStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperStore").field("nodes", &self.nodes.place()).finish()
    }
}

#[async_trait::async_trait]
impl Store for ZooKeeperStore {
    fn url(&self) -> String {
        self.nodes.url().to_owned()
    }

    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error> {
        self.nodes.read(object, Self::deadline()).await
    }

    async fn compare_and_set(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        self.nodes.check_size(object, bytes.len())?;
        match expected {
            None => self.nodes.create(object, bytes, Self::deadline()).await,
            Some(expected) => self.nodes.replace(object, expected, bytes, Self::deadline()).await,
        }
    }

    async fn reports(&self) -> Result<Vec<Slot>, Error> {
        self.nodes.reports(Self::deadline()).await
    }

    fn watch(&self) -> Watch {
        Watch::new(self.nodes.hints())
    }
}
