//! What all looks share, for as long as this process leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::DefaultBackoff;
use tokio::sync::mpsc::UnboundedSender;

use super::Watched;
use super::desk::Desk;
use super::lease::Leadership;
use super::listen::Pulse;
use super::metrics::Metrics;
use crate::checks::{Checks, Unusable};
use crate::notify::{Notifier, Pace, Secrets};
use crate::web;

/// The name under which the controller writes.
pub(super) const MANAGER: &str = "tidegate-controller";

/// Names a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What outlives a time of leading.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) leadership: Leadership,
    /// How the REST services of deployments are reached, when not by their names.
    pub(super) rest_address: Option<String>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pulse: Arc<Pulse>,
    /// Where the secrets of notifications are.
    pub(super) secrets: Secrets,
}

/// See above.
pub(super) struct Context {
    pub(super) shared: Shared,
    pub(super) recorder: Recorder,
    checks: Mutex<Checks<Key>>,
    pub(super) notifier: Notifier<Key>,
    /// By the uid of the resource.
    kept: Mutex<HashMap<String, Kept>>,
}

/// Between two looks at one resource.
#[derive(Default)]
struct Kept {
    /// Held for the whole of a look.
    desk: Arc<tokio::sync::Mutex<Desk>>,
    backoff: DefaultBackoff,
}

impl Context {
    /// Nothing is known of any resource. One of whose checks there is news is sent to `wake`.
    pub(super) fn new(shared: Shared, wake: UnboundedSender<Key>) -> Result<Context, Unusable> {
        let instance = Some(shared.leadership.identity().to_owned());
        let reporter = Reporter { controller: MANAGER.to_owned(), instance };
        let recorder = Recorder::new(shared.client.clone(), reporter);
        let checks = Checks::new(shared.client.clone(), tidegate_agent::now(), wake.clone())?;
        let http = web::client(&[]).map_err(Unusable::from)?;
        let metrics = Arc::clone(&shared.metrics);
        let count = move |key: &Key, channel: &str, outcome| {
            metrics.notified(&key.namespace, &key.name, channel, outcome);
        };
        let notifier = Notifier::new(http, shared.secrets.clone(), wake, Arc::new(count), Pace::default());
        Ok(Context { shared, recorder, checks: Mutex::new(checks), notifier, kept: Mutex::default() })
    }

    /// Whether the Lease is held, by a live read.
    pub(super) async fn leads(&self) -> Result<bool, kube::Error> {
        let leads = self.shared.leadership.is_held().await;
        if leads.is_ok() {
            self.shared.pulse.contact(std::time::Instant::now());
        }
        leads
    }

    pub(super) fn checks(&self) -> MutexGuard<'_, Checks<Key>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn desk(&self, uid: &str) -> Arc<tokio::sync::Mutex<Desk>> {
        self.with(|kept| Arc::clone(&kept.entry(uid.to_owned()).or_default().desk))
    }

    /// How long to wait after a problem.
    pub(super) fn pause(&self, uid: &str) -> Option<Duration> {
        self.with(|kept| kept.entry(uid.to_owned()).or_default().backoff.next())
    }

    /// It went well.
    pub(super) fn go_on(&self, uid: &str) {
        self.with(|kept| kept.entry(uid.to_owned()).or_default().backoff = DefaultBackoff::default());
    }

    /// The resource is no more.
    pub(super) fn forget(&self, key: &Key, uid: &str) {
        self.with(|kept| kept.remove(uid));
        self.checks().forget(key);
        self.notifier.forget(key, tidegate_agent::now());
        self.shared.metrics.forget(&key.namespace, &key.name);
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Kept>) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<&Key> for ObjectRef<Watched> {
    fn from(key: &Key) -> ObjectRef<Watched> {
        ObjectRef::new(&key.name).within(&key.namespace)
    }
}
