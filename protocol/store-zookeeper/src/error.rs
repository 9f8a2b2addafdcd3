//! From the server's refusals, and its silence, to errors for people.

use tidegate_store::Error;
use zookeeper_client as zookeeper;

use crate::address::Address;

/// What was tried when the error came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    pub(crate) address: &'a Address,
    /// The rollout's node, for messages.
    pub(crate) place: &'a str,
    /// Like `read the document`.
    pub(crate) action: &'a str,
    /// The node whose rights count, and the right.
    pub(crate) right: Right<'a>,
}

/// What an ACL has to grant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right<'a> {
    Read(&'a str),
    Write(&'a str),
    Create(&'a str),
}

/// Whether the server has said, in answer to a write, that it is not done. Any other error leaves that open, also one that
/// the library gives for a request that it has not sent.
pub(crate) fn is_refusal(error: &zookeeper::Error) -> bool {
    use zookeeper::Error as E;
    matches!(
        error,
        E::NoNode
            | E::NodeExists
            | E::BadVersion
            | E::NoAuth
            | E::InvalidAcl
            | E::NoChildrenForEphemerals
            | E::QuotaExceeded
    )
}

impl Attempt<'_> {
    /// An error that says nothing about the object, and after which nothing was written.
    pub(crate) fn failed(&self, error: zookeeper::Error) -> Error {
        let store = self.place.to_owned();
        let denied = |way_out: String, error: zookeeper::Error| Error::Denied {
            store: store.clone(),
            action: self.action.to_owned(),
            way_out,
            cause: Some(error.into()),
        };
        if error == zookeeper::Error::NoAuth {
            return denied(self.grant(), error);
        }
        if error == zookeeper::Error::InvalidAcl {
            return denied(format!("check that {} holds user:password", self.credentials()), error);
        }
        if error == zookeeper::Error::QuotaExceeded {
            return Error::Full { store, cause: Some(error.into()) };
        }
        if error == zookeeper::Error::NoChildrenForEphemerals {
            return Error::NotAStore {
                store,
                reason: "an ephemeral node is where a folder of nodes should be".to_owned(),
                way_out: "remove that node, or name another path".to_owned(),
                cause: Some(error.into()),
            };
        }
        let reason = format!("it failed to {}", self.action);
        Error::Unreachable { store, reason, cause: Some(error.into()) }
    }

    /// No answer has come in time, and nothing was written.
    pub(crate) fn late(&self) -> Error {
        let reason = format!("no answer in time, to {}", self.action);
        Error::Unreachable { store: self.place.to_owned(), reason, cause: None }
    }

    /// The root node is not there.
    pub(crate) fn missing(&self) -> Error {
        let (hosts, root) = (self.address.hosts(), self.address.root());
        Error::Missing {
            store: self.address.place(root),
            way_out: format!("create it with zkCli.sh -server {hosts} create {root}"),
            cause: Some(zookeeper::Error::NoNode.into()),
        }
    }

    fn grant(&self) -> String {
        let (right, node) = match self.right {
            Right::Read(node) => ("read (r)", node),
            Right::Write(node) => ("write (w)", node),
            Right::Create(node) => ("create (c)", node),
        };
        match &self.address.digest {
            Some(digest) => {
                format!("grant {right} on the node {node} to the user of {digest}, or correct its password")
            }
            None => {
                format!("grant {right} on the node {node}, or give credentials with ?auth-file=<its path>")
            }
        }
    }

    fn credentials(&self) -> String {
        self.address.digest.as_ref().map_or_else(|| "auth-file".to_owned(), ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_code_a_place_and_a_way_out() {
        let address = Address::parse("zookeeper://zk1/tidegate?auth-file=/auth").expect("a good URL");
        let attempt = Attempt {
            address: &address,
            place: "zookeeper://zk1:2181/tidegate/orders",
            action: "read the document",
            right: Right::Read("/tidegate/orders/document"),
        };
        for (cause, expected, words) in [
            (
                zookeeper::Error::NoAuth,
                "StoreDenied",
                "grant read (r) on the node /tidegate/orders/document to the user of auth-file /auth",
            ),
            (zookeeper::Error::InvalidAcl, "StoreDenied", "check that auth-file /auth holds user:password"),
            (zookeeper::Error::QuotaExceeded, "StoreFull", "raise the quota"),
            (zookeeper::Error::NoChildrenForEphemerals, "StoreNotAStore", "remove that node"),
            (zookeeper::Error::ConnectionLoss, "StoreUnreachable", "it failed to read the document"),
        ] {
            let error = attempt.failed(cause.clone());
            let text = error.to_string();
            assert_eq!(error.code(), expected, "{text}");
            assert!(
                text.starts_with(&format!("{expected}: zookeeper://zk1:2181/tidegate/orders ")),
                "{text}"
            );
            assert!(text.contains(words), "{text}");
            let told = std::error::Error::source(&error).map(ToString::to_string);
            assert_eq!(told, Some(cause.to_string()));
        }
        assert_eq!(
            attempt.missing().to_string(),
            "StoreMissing: zookeeper://zk1:2181/tidegate does not exist: create it with zkCli.sh -server zk1:2181 create /tidegate"
        );
    }

    #[test]
    fn only_what_the_server_has_refused_is_known_not_to_be_written() {
        use zookeeper::Error as E;
        for refusal in [E::NoNode, E::NodeExists, E::BadVersion, E::NoAuth, E::InvalidAcl, E::QuotaExceeded] {
            assert!(is_refusal(&refusal), "{refusal}");
        }
        for open in [
            E::ConnectionLoss,
            E::SessionExpired,
            E::ClientClosed,
            E::Timeout,
            E::UnexpectedErrorCode(-122),
            E::UnexpectedError(String::new()),
        ] {
            assert!(!is_refusal(&open), "{open}");
        }
    }
}
