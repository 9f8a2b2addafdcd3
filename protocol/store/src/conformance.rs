//! The laws of [`Store`], as tests that every backend runs.
//!
//! One function per law, and [`run_all`]. Each is given a factory of independent clients (`async |rollout| …`), as
//! independent as two processes are, of a rollout that is empty when its law starts. The rollout is named after the law.
//! A failure is a panic that starts with `law <name>: `. Waiting ends only with a condition; after [`DEADLINE`] it fails.

mod keys;
mod racing;
mod values;
mod watching;

pub use keys::keys_are_replaced_as_a_whole;
pub use racing::{racing_creations_have_one_winner, racing_increments_lose_nothing};
pub use values::{
    binary_and_empty_values, create, create_twice_conflicts, objects_are_independent, read_of_nothing,
    reads_see_other_clients_writes, reports_lists_slots, rollouts_are_independent,
    same_bytes_are_another_version, size_bound, stale_version_conflicts, unexpected_absence_conflicts,
    update,
};
pub use watching::{
    dropped_waits_lose_no_hint, every_change_is_hinted, every_watcher_is_hinted, hinted_right_after_watch,
    last_of_many_changes_is_seen, watch_ends_with_the_store,
};

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use crate::{Error, Object, Slot, Store, Stored, Version, Watch};

/// How long one step of a law may take, a hint included, before the law counts as broken.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A client of the named rollout that shares nothing with the others but the store.
pub trait Clients: AsyncFn(&str) -> Arc<dyn Store> {}

impl<F: AsyncFn(&str) -> Arc<dyn Store>> Clients for F {}

/// All laws, one after the other. Panics at the first that does not hold.
pub async fn run_all(clients: impl Clients) {
    let clients = &clients;
    read_of_nothing(clients).await;
    create(clients).await;
    create_twice_conflicts(clients).await;
    update(clients).await;
    stale_version_conflicts(clients).await;
    unexpected_absence_conflicts(clients).await;
    same_bytes_are_another_version(clients).await;
    reads_see_other_clients_writes(clients).await;
    binary_and_empty_values(clients).await;
    size_bound(clients).await;
    objects_are_independent(clients).await;
    rollouts_are_independent(clients).await;
    keys_are_replaced_as_a_whole(clients).await;
    reports_lists_slots(clients).await;
    racing_creations_have_one_winner(clients).await;
    racing_increments_lose_nothing(clients).await;
    every_change_is_hinted(clients).await;
    hinted_right_after_watch(clients).await;
    every_watcher_is_hinted(clients).await;
    last_of_many_changes_is_seen(clients).await;
    dropped_waits_lose_no_hint(clients).await;
    watch_ends_with_the_store(clients).await;
}

/// A law by its name: steps that must succeed, in time, or the law is broken.
#[derive(Clone, Copy)]
struct Law(&'static str);

impl Law {
    async fn client(self, clients: &impl Clients) -> Arc<dyn Store> {
        self.client_of(clients, self.0).await
    }

    async fn client_of(self, clients: &impl Clients, rollout: &str) -> Arc<dyn Store> {
        self.in_time("a new client", clients(rollout)).await
    }

    async fn in_time<T>(self, what: impl Display, step: impl Future<Output = T>) -> T {
        match tokio::time::timeout(DEADLINE, step).await {
            Ok(done) => done,
            Err(_) => self.broken(format_args!("{what}: not within {} s", DEADLINE.as_secs())),
        }
    }

    fn broken(self, what: impl Display) -> ! {
        panic!("law {}: {what}", self.0)
    }

    #[track_caller]
    fn holds(self, condition: bool, what: impl Display) {
        if !condition {
            self.broken(what);
        }
    }

    async fn read(self, store: &Arc<dyn Store>, object: &Object) -> Option<Stored> {
        match self.in_time(format!("read of {object}"), store.read(object)).await {
            Ok(stored) => stored,
            Err(error) => self.broken(format_args!("read of {object}: {error}")),
        }
    }

    /// The object must exist.
    async fn get(self, store: &Arc<dyn Store>, object: &Object) -> Stored {
        match self.read(store, object).await {
            Some(stored) => stored,
            None => self.broken(format_args!("{object} is not there")),
        }
    }

    async fn attempt(
        self,
        store: &Arc<dyn Store>,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        let write = store.compare_and_set(object, expected, bytes);
        self.in_time(format!("write of {object}"), write).await
    }

    /// The write must succeed.
    async fn write(
        self,
        store: &Arc<dyn Store>,
        object: &Object,
        expected: Option<&Version>,
        bytes: impl AsRef<[u8]>,
    ) -> Version {
        match self.attempt(store, object, expected, bytes.as_ref()).await {
            Ok(version) => version,
            Err(error) => self.broken(format_args!("write of {object}: {error}")),
        }
    }

    /// The write must lose, and say so in words that a person can use.
    async fn conflict(
        self,
        store: &Arc<dyn Store>,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) {
        match self.attempt(store, object, expected, bytes).await {
            Ok(version) => {
                self.broken(format_args!("{object} became {version} although something else was expected"))
            }
            Err(error) if self.is_conflict(&error, object) => {}
            Err(error) => self.broken(format_args!("expected a conflict on {object}, got: {error}")),
        }
    }

    fn is_conflict(self, error: &Error, expected_object: &Object) -> bool {
        let Error::Conflict { object, .. } = error else { return false };
        self.holds(object == expected_object, format_args!("the conflict names another object: {error}"));
        self.holds(!error.is_transient(), format_args!("to repeat a write that lost cannot help: {error}"));
        self.holds(error.to_string().starts_with("StoreConflict: "), format_args!("no code: {error}"));
        true
    }

    async fn slots(self, store: &Arc<dyn Store>) -> Vec<Slot> {
        match self.in_time("reports", store.reports()).await {
            Ok(slots) => slots,
            Err(error) => self.broken(format_args!("reports: {error}")),
        }
    }

    fn slot(self, name: &str) -> Slot {
        Slot::new(name).unwrap_or_else(|error| self.broken(error))
    }

    /// One of each kind.
    fn objects(self) -> [Object; 3] {
        [Object::Document, Object::Request, Object::Report(self.slot("blue-1"))]
    }

    async fn hint(self, watch: &mut Watch, what: impl Display) {
        if let Err(error) = self.in_time(format!("a hint of {what}"), watch.changed()).await {
            self.broken(format_args!("a hint of {what}: {error}"));
        }
    }

    /// Reads at hints only, until the object holds `bytes`.
    async fn hinted(self, store: &Arc<dyn Store>, watch: &mut Watch, object: &Object, bytes: &[u8]) {
        let what = format!("{object} being {:?}", String::from_utf8_lossy(bytes));
        loop {
            self.hint(watch, &what).await;
            if self.read(store, object).await.is_some_and(|stored| stored.bytes == bytes) {
                return;
            }
        }
    }
}
