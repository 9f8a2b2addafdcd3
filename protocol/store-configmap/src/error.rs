//! From the server's and the client's errors to ours.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use hyper_util::client::legacy;
use kube::client::AuthError;
use kube::core::Status;
use tidegate_store::{Cause, Error, Object};

use crate::place::Place;

/// How long one request may take; shorter than any caller waits for a call.
pub(crate) const CALL: Duration = Duration::from_secs(4);

/// What was asked of the server, in the words of a Role.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    verb: &'static str,
    resource: &'static str,
    /// The object's name; empty for those that have none.
    name: String,
}

impl Call {
    /// On ConfigMaps.
    pub(crate) fn new(verb: &'static str, name: &str) -> Call {
        Call::on("configmaps", verb, name)
    }

    pub(crate) fn on(resource: &'static str, verb: &'static str, name: &str) -> Call {
        Call { verb, resource, name: name.to_owned() }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "{} {}", self.verb, self.resource),
            name => write!(f, "{} {} {name}", self.verb, self.resource),
        }
    }
}

/// Of a call that changes nothing.
pub(crate) fn reading(place: &Place, call: &Call, error: kube::Error) -> Error {
    let refusal = answer(&error).and_then(|status| refusal(place, call, status));
    refusal.unwrap_or_else(|| unreachable(place, call, Some(cause(error))))
}

/// Of a write. What the server did not refuse in so many words, it may have done.
pub(crate) fn writing(place: &Place, call: &Call, object: &Object, error: kube::Error) -> Error {
    let answer = answer(&error);
    if let Some(refusal) = answer.and_then(|status| refusal(place, call, status)) {
        return refusal;
    }
    if answer.map_or_else(|| was_never_sent(&error), |status| status.code < 500) {
        return unreachable(place, call, Some(cause(error)));
    }
    ambiguous(place, object, Some(cause(error)))
}

fn answer(error: &kube::Error) -> Option<&Status> {
    if let kube::Error::Api(status) = error { Some(status) } else { None }
}

/// Nothing came within the deadline.
pub(crate) fn unreachable(place: &Place, call: &Call, cause: Option<Cause>) -> Error {
    let reason = match cause {
        Some(_) => format!("{call} failed"),
        None => format!("{call} got no answer within {} s", CALL.as_secs()),
    };
    Error::Unreachable { store: place.url(), reason, cause }
}

/// Whether it was written is not known.
pub(crate) fn ambiguous(place: &Place, object: &Object, cause: Option<Cause>) -> Error {
    Error::Ambiguous { store: place.url(), object: object.clone(), cause }
}

/// The rights on names that there were are gone; the next call looks what there is instead.
pub(crate) fn other_rights(place: &Place) -> Error {
    let reason = "the rights of its account have just changed".to_owned();
    Error::Unreachable { store: place.url(), reason, cause: None }
}

/// Two rollouts in one place would overwrite each other.
pub(crate) fn of_another(place: &Place, config_map: &str, rollout: &str) -> Error {
    Error::NotAStore {
        store: place.url(),
        reason: format!("its ConfigMap {config_map} belongs to rollout {rollout}"),
        way_out: "give each rollout a URL of its own, which ends with the rollout's name".to_owned(),
        cause: None,
    }
}

/// An answer without uid or resource version: whatever it is, it is no API server.
pub(crate) fn no_version(place: &Place, call: &Call) -> Error {
    unreachable(place, call, Some("the answer has no resource version".into()))
}

/// What the client says, without the output of credential plugins, which may hold a token, and without the URL of a proxy, which
/// may hold a password.
pub(crate) fn cause(error: kube::Error) -> Cause {
    if let Some(status) = answer(&error) {
        return said(status);
    }
    let plugin = matches!(
        error,
        kube::Error::Auth(
            AuthError::AuthExecRun { .. } | AuthError::AuthExecParse(_) | AuthError::AuthExec(_)
        )
    );
    if plugin {
        return "the credential plugin of the kubeconfig failed: run it by hand".into();
    }
    let proxy = matches!(
        error,
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. }
    );
    if proxy {
        return "the proxy of the kubeconfig or the environment speaks another protocol than http".into();
    }
    Box::new(error)
}

/// A definite no; nothing was written.
fn refusal(place: &Place, call: &Call, status: &Status) -> Option<Error> {
    let store = place.url();
    let cause = Some(said(status));
    let namespace = place.namespace();
    let missing = |way_out: String, cause| Some(Error::Missing { store: place.url(), way_out, cause });
    match status.code {
        401 => Some(Error::Denied {
            store,
            action: call.to_string(),
            way_out: "its credentials are not valid (any more): renew them".to_owned(),
            cause,
        }),
        403 if status.message.contains("exceeded quota") => Some(Error::Full { store, cause }),
        403 if is_terminating(status) => {
            missing(format!("namespace {namespace} is being deleted, name another one"), cause)
        }
        403 => Some(Error::Denied {
            store,
            action: call.to_string(),
            way_out: format!(
                "grant {} in namespace {namespace} to {}, see docs/stores.md",
                grant(call),
                subject(status)
            ),
            cause,
        }),
        404 if status.details.as_ref().is_some_and(|details| details.kind == "namespaces") => {
            missing(format!("create it with kubectl create namespace {namespace}"), cause)
        }
        400 | 413 | 422 => {
            let way_out = "mend what the server finds wrong with the ConfigMap".to_owned();
            Some(Error::ReadOnly { store, way_out, cause })
        }
        _ if status.message.contains("database space exceeded") => Some(Error::Full { store, cause }),
        _ => None,
    }
}

/// The right that the call lacks. `create` has another way out.
fn grant(call: &Call) -> String {
    let Call { verb, resource, name } = call;
    match (*verb, name.as_str()) {
        (verb, "") => format!("the verb {verb} on {resource}"),
        ("create", name) => {
            format!("the verb create on {resource} (or create {name} empty, for an account with patch)")
        }
        (verb, name) => format!("the verb {verb} on {resource} (resourceNames {name})"),
    }
}

/// Who it was, by the server's message: `… is forbidden: User "system:serviceaccount:shop:orders" cannot …`.
fn subject(status: &Status) -> &str {
    let rest = status.message.split_once("User \"").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once('"')).map_or("this account", |(user, _)| user)
}

fn is_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

fn said(status: &Status) -> Cause {
    format!("{} (HTTP {} {})", status.message, status.code, status.reason).into()
}

/// No connection, or not even a request.
fn was_never_sent(error: &kube::Error) -> bool {
    if matches!(error, kube::Error::Auth(_) | kube::Error::BuildRequest(_)) {
        return true;
    }
    let mut next = error.source();
    while let Some(error) = next {
        if error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_proxy_is_not_repeated() {
        let url = || Box::new("socks5://me:kipper@proxy:1080".parse().expect("a URL"));
        for error in [
            kube::Error::ProxyProtocolUnsupported { proxy_url: url() },
            kube::Error::ProxyProtocolDisabled { proxy_url: url(), protocol_feature: "kube/socks5" },
        ] {
            let told = cause(error).to_string();
            assert!(told.contains("proxy") && !told.contains("kipper"), "{told}");
        }
    }
}
