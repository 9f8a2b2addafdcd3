//! What all reconciles share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher::DefaultBackoff;

use super::desk::Desk;
use super::lease::Leadership;

/// The name under which the controller writes.
pub(super) const MANAGER: &str = "tidegate-controller";

pub(super) struct Context {
    pub(super) client: Client,
    pub(super) leadership: Leadership,
    pub(super) recorder: Recorder,
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
    pub(super) fn new(client: Client, leadership: Leadership) -> Context {
        let instance = Some(leadership.identity().to_owned());
        let reporter = Reporter { controller: MANAGER.to_owned(), instance };
        let recorder = Recorder::new(client.clone(), reporter);
        Context { client, leadership, recorder, kept: Mutex::default() }
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

    pub(super) fn forget(&self, uid: &str) {
        self.with(|kept| kept.remove(uid));
    }

    pub(super) fn forget_all(&self) {
        self.with(HashMap::clear);
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Kept>) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
