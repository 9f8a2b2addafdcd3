//! Leader election by the Lease `tidegate-controller`.
//!
//! The library takes and renews it. It goes on to say that it is held while the API server is away, and a process that was
//! stopped for a while does not know what it has missed: so the Lease itself is read before each step that changes something.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::arguments::Arguments;

const NAME: &str = "tidegate-controller";
/// Nobody waits longer for the Lease to be given back.
const RELEASE: Duration = Duration::from_secs(5);

/// Whether this process leads.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    told: watch::Receiver<bool>,
    leases: Api<Lease>,
    identity: String,
}

/// The other end; it gives the Lease back.
pub(super) struct Tenure(JoinHandle<kube_lease_manager::Result<LeaseManager>>);

impl Leadership {
    /// Begins to compete for the Lease of that namespace.
    pub(super) async fn start(
        client: &Client,
        namespace: &str,
        arguments: &Arguments,
    ) -> anyhow::Result<(Leadership, Tenure)> {
        let identity = arguments.identity.clone().unwrap_or_else(own_name);
        let seconds = arguments.lease_duration.as_secs();
        // It is renewed twice before it ends.
        let grace = (seconds * 2 / 3).max(1);
        let manager = LeaseManagerBuilder::new(client.clone(), NAME)
            .with_namespace(namespace)
            .with_identity(identity.clone())
            .with_duration(seconds)
            .with_grace(grace)
            .build()
            .await
            .with_context(|| {
                format!("LeaseDenied: the Lease {NAME} of namespace {namespace} cannot be used")
            })?;
        let (told, task) = manager.watch().await;
        let leases = Api::namespaced(client.clone(), namespace);
        Ok((Leadership { told, leases, identity }, Tenure(task)))
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) async fn won(&self) {
        // The other end is there as long as this one is.
        let _ = self.told.clone().wait_for(|leads| *leads).await;
    }

    pub(super) async fn lost(&self) {
        let _ = self.told.clone().wait_for(|leads| !*leads).await;
    }

    /// Whether the API server answers.
    pub(super) async fn is_in_reach(&self) -> bool {
        self.leases.get(NAME).await.is_ok()
    }

    /// Whether the Lease is this process's own and still valid, by a live read.
    pub(super) async fn is_held(&self) -> Result<bool, kube::Error> {
        if !*self.told.borrow() {
            return Ok(false);
        }
        Ok(is_valid(&self.leases.get(NAME).await?, &self.identity, Timestamp::now()))
    }
}

impl Tenure {
    /// Gives the Lease back, once every [`Leadership`] is gone.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let released = tokio::time::timeout(RELEASE, self.0).await;
        released.context("the Lease was not given back in time; it runs out by itself")???;
        Ok(())
    }
}

fn is_valid(lease: &Lease, identity: &str, now: Timestamp) -> bool {
    let Some(spec) = &lease.spec else { return false };
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    let age = spec.renew_time.as_ref().map(|renewed| now.duration_since(renewed.0).as_secs());
    spec.holder_identity.as_deref() == Some(identity) && age.is_some_and(|age| age < i64::from(seconds))
}

/// The host's name, and a part that no other process has.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { NAME } else { host.trim() };
    format!("{host}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;

    #[test]
    fn a_lease_counts_only_for_its_holder_and_for_its_duration() {
        let renewed = Timestamp::from_second(1_000).unwrap();
        let spec = LeaseSpec {
            holder_identity: Some("me".to_owned()),
            renew_time: Some(MicroTime(renewed)),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        let lease = Lease { spec: Some(spec), ..Lease::default() };
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(is_valid(&lease, "me", at(1_014)));
        assert!(!is_valid(&lease, "me", at(1_015)), "it has run out");
        assert!(!is_valid(&lease, "you", at(1_001)));
        assert!(!is_valid(&Lease::default(), "me", at(1_001)));
    }
}
