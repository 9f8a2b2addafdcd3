//! What can go wrong with a store, in words for the person who has to do something about it.

use crate::{Object, Version};

/// The error underneath: an `io::Error`, one of a client library. Printed once, with the chain.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a call failed. The text starts with [`code`](Self::code), says where, and ends with the way out.
/// `store` is the store's URL without secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The compare-and-set lost: the object has another version than the one expected. Nothing was written.
    #[error("{}: {object} of {store} {}: read it again and decide again", self.code(), conflict(expected, found))]
    Conflict {
        /// Where.
        store: String,
        /// Which object.
        object: Object,
        /// What the caller expected; `None`: that it does not exist.
        expected: Option<Version>,
        /// What is there; `None`: nothing, or the store does not tell.
        found: Option<Version>,
    },
    /// What holds the store (a folder, a namespace, a parent node) does not exist. A store never creates it.
    #[error("{}: {store} does not exist: {way_out}", self.code())]
    Missing {
        /// Where.
        store: String,
        /// What to do, like `mkdir -p /data/tidegate`.
        way_out: String,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// It can be read, but not written by this process.
    #[error("{}: {store} cannot be written: {way_out}", self.code())]
    ReadOnly {
        /// Where.
        store: String,
        /// What to do.
        way_out: String,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// No space, or a quota is used up. Nothing was written.
    #[error("{}: {store} has no space left: free some or raise the quota", self.code())]
    Full {
        /// Where.
        store: String,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// This process may not do this here.
    #[error("{}: {store} refuses to {action}: {way_out}", self.code())]
    Denied {
        /// Where.
        store: String,
        /// The verb and its object, like `get configmap orders`.
        action: String,
        /// Which right to grant, and to whom.
        way_out: String,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// It did not answer, or not in time, or with an error that may pass. Nothing was written.
    #[error("{}: {store} cannot be used now ({reason}): it is tried again; if it stays so, check it", self.code())]
    Unreachable {
        /// Where.
        store: String,
        /// What was tried, and for how long.
        reason: String,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// An object is larger than `limit` bytes. Nothing was written, or nothing is returned.
    #[error("{}: {object} of {store} has {bytes} bytes, the limit is {limit}: make it smaller", self.code())]
    TooLarge {
        /// Where.
        store: String,
        /// Which object.
        object: Object,
        /// Its size in bytes.
        bytes: u64,
        /// The largest size in bytes, [`MAX_OBJECT_BYTES`](crate::MAX_OBJECT_BYTES).
        limit: u64,
    },
    /// A write whose outcome is unknown: it is there, or comes later, or never.
    #[error("{}: {store} did not say whether {object} was written: read it again and look for your nonce", self.code())]
    Ambiguous {
        /// Where.
        store: String,
        /// Which object.
        object: Object,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// Something is there, but no store can be in it: a file where a folder should be, a URL of another kind.
    #[error("{}: {store} cannot be a store, {reason}: {way_out}", self.code())]
    NotAStore {
        /// Where, as it was given.
        store: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        way_out: String,
        /// The error underneath.
        #[source]
        cause: Option<Cause>,
    },
    /// A rollout or slot name that not every backend can hold; see [`check_name`](crate::check_name).
    #[error("{}: {name:?} cannot be a name: use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends", self.code())]
    BadName {
        /// The name as it was given.
        name: String,
    },
    /// The store of this watch was dropped.
    #[error("{}: the store was closed: nothing is watched any more", self.code())]
    Closed,
}

impl Error {
    /// The stable code, the same in CLI, events, conditions and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "StoreConflict",
            Self::Missing { .. } => "StoreMissing",
            Self::ReadOnly { .. } => "StoreReadOnly",
            Self::Full { .. } => "StoreFull",
            Self::Denied { .. } => "StoreDenied",
            Self::Unreachable { .. } => "StoreUnreachable",
            Self::TooLarge { .. } => "StoreTooLarge",
            Self::Ambiguous { .. } => "StoreAmbiguous",
            Self::NotAStore { .. } => "StoreNotAStore",
            Self::BadName { .. } => "StoreBadName",
            Self::Closed => "StoreClosed",
        }
    }

    /// Whether the very same call may succeed later although its caller changes nothing: the store is away, or full.
    /// Not so for [`Error::Conflict`] and [`Error::Ambiguous`], after which the caller has to read first.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Full { .. } | Self::Unreachable { .. } => true,
            Self::Conflict { .. }
            | Self::ReadOnly { .. }
            | Self::Denied { .. }
            | Self::TooLarge { .. }
            | Self::Ambiguous { .. }
            | Self::NotAStore { .. }
            | Self::BadName { .. }
            | Self::Closed => false,
        }
    }
}

fn conflict(expected: &Option<Version>, found: &Option<Version>) -> String {
    match (expected, found) {
        (None, _) => "exists already".to_owned(),
        (Some(expected), None) => format!("has no longer the version {expected}"),
        (Some(expected), Some(found)) => format!("has the version {found}, not {expected}"),
    }
}
