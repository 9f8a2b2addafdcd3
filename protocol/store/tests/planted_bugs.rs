//! Each law of the conformance suite must have failed once: a store in memory passes them all, and with any one planted bug
//! it breaks the law that is named beside it. Time is tokio's own, so that a hint that never comes costs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tidegate_store::{
    Error, Keys, MAX_OBJECT_BYTES, Object, Sheet, Slot, Store, Stored, Version, Watch, conformance,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    ReadCreates,
    CreateOverwrites,
    ToldAnotherVersion,
    StaleWrites,
    LoserChangesBytes,
    WritesCreate,
    VersionOfBytes,
    ReadsOldValue,
    TrimsBytes,
    NoLimit,
    LimitTooSmall,
    OneVersionForAll,
    RolloutsShareNames,
    KeepsOldKeys,
    KeysIgnoreVersions,
    UnsortedReports,
    DocumentInReports,
    LooksThenCreates,
    LooksThenUpdates,
    NoHintOfRequest,
    HintsOncePerWatch,
    WatchStartsAtFirstWait,
    HintsBeforeChange,
    OneWatcherOnly,
    DroppedWaitLosesHint,
    NeverCloses,
}

#[derive(Debug, Default)]
struct Shared {
    objects: HashMap<(String, Object), (u64, Vec<u8>)>,
    old: HashMap<(String, Object), (u64, Vec<u8>)>,
    writes: u64,
    hints: Vec<tokio::sync::watch::Sender<()>>,
}

#[derive(Debug)]
struct Memory {
    bug: Bug,
    rollout: String,
    shared: Arc<Mutex<Shared>>,
    /// Closes this client's watches.
    closes: tokio::sync::watch::Sender<()>,
}

impl Memory {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no panic under the lock")
    }

    fn key(&self, object: &Object) -> (String, Object) {
        let shared = self.bug == Bug::RolloutsShareNames;
        let rollout = self.rollout.strip_suffix("-2").filter(|_| shared).unwrap_or(&self.rollout).to_owned();
        (rollout, object.clone())
    }

    fn version(&self, (write, bytes): &(u64, Vec<u8>)) -> Version {
        Version::new(if self.bug == Bug::VersionOfBytes {
            format!("{bytes:?}")
        } else if self.bug == Bug::OneVersionForAll {
            self.shared().writes.to_string()
        } else {
            write.to_string()
        })
    }

    fn hint(&self, object: &Object) {
        if self.bug == Bug::NoHintOfRequest && *object == Object::Request {
            return;
        }
        let shared = self.shared();
        let count = if self.bug == Bug::OneWatcherOnly { 1 } else { shared.hints.len() };
        for sender in shared.hints.iter().filter(|sender| !sender.is_closed()).take(count) {
            sender.send_replace(());
        }
    }

    fn found(&self, object: &Object) -> Option<(u64, Vec<u8>)> {
        self.shared().objects.get(&self.key(object)).cloned()
    }
}

#[async_trait::async_trait]
impl Store for Memory {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error> {
        let key = self.key(object);
        if self.bug == Bug::ReadCreates {
            self.shared().objects.entry(key.clone()).or_default();
        }
        let mut found = self.found(object);
        if self.bug == Bug::ReadsOldValue {
            found = self.shared().old.get(&key).cloned().or(found);
        }
        Ok(found.map(|found| {
            let version = self.version(&found);
            let trimmed = self.bug == Bug::TrimsBytes;
            let bytes = if trimmed { found.1.trim_ascii().to_vec() } else { found.1 };
            Stored { version, bytes }
        }))
    }

    async fn compare_and_set(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        let limit = if self.bug == Bug::LimitTooSmall { MAX_OBJECT_BYTES - 1 } else { MAX_OBJECT_BYTES };
        if bytes.len() > limit && self.bug != Bug::NoLimit {
            let (object, bytes) = (object.clone(), bytes.len() as u64);
            return Err(Error::TooLarge { store: self.url(), object, bytes, limit: limit as u64 });
        }
        if self.bug == Bug::HintsBeforeChange {
            self.hint(object);
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let found = self.found(object);
        let version = found.as_ref().map(|found| self.version(found));
        let excused = (self.bug == Bug::CreateOverwrites && expected.is_none())
            || (self.bug == Bug::StaleWrites && expected.is_some() && version.is_some())
            || (self.bug == Bug::WritesCreate && version.is_none());
        if version.as_ref() != expected && !excused {
            if let (Bug::LoserChangesBytes, Some(_)) = (self.bug, &found) {
                self.shared().writes += 1;
                let write = self.shared().writes;
                self.shared().objects.insert(self.key(object), (write, bytes.to_vec()));
            }
            let (object, expected) = (object.clone(), expected.cloned());
            return Err(Error::Conflict { store: self.url(), object, expected, found: version });
        }
        let pauses = if expected.is_none() { Bug::LooksThenCreates } else { Bug::LooksThenUpdates };
        if self.bug == pauses {
            tokio::task::yield_now().await;
        }
        let entry = {
            let mut shared = self.shared();
            shared.writes += 1;
            let entry = (shared.writes, bytes.to_vec());
            let old = shared.objects.insert(self.key(object), entry.clone());
            old.map(|old| shared.old.insert(self.key(object), old));
            entry
        };
        if self.bug != Bug::HintsBeforeChange {
            self.hint(object);
        }
        let told = self.version(&entry);
        Ok(if self.bug == Bug::ToldAnotherVersion { Version::new(format!("{told}?")) } else { told })
    }

    async fn write_sheet(&self, old: &Sheet, keys: &Keys) -> Result<Version, Error> {
        let (mut keys, mut expected) = (keys.clone(), old.version.clone());
        if let (Bug::KeepsOldKeys, Ok(old)) = (self.bug, &old.keys) {
            keys.extend(old.clone());
        }
        if self.bug == Bug::KeysIgnoreVersions {
            expected = self.read(&Object::Request).await?.map(|stored| stored.version);
        }
        self.compare_and_set(&Object::Request, expected.as_ref(), &old.text(&keys)).await
    }

    async fn reports(&self) -> Result<Vec<Slot>, Error> {
        let rollout = self.key(&Object::Document).0;
        let mut slots = Vec::new();
        for (_, object) in self.shared().objects.keys().filter(|key| key.0 == rollout) {
            match object {
                Object::Report(slot) => slots.push(slot.clone()),
                Object::Document if self.bug == Bug::DocumentInReports => slots.extend(Slot::new("document")),
                Object::Document | Object::Request => {}
            }
        }
        slots.sort();
        if self.bug == Bug::UnsortedReports {
            slots.reverse();
        }
        Ok(slots)
    }

    fn watch(&self) -> Watch {
        let (sender, hints) = tokio::sync::watch::channel(());
        let watching = self.bug != Bug::WatchStartsAtFirstWait;
        if watching {
            self.shared().hints.push(sender.clone());
        }
        let hints = Hints {
            bug: self.bug,
            shared: Arc::clone(&self.shared),
            late: (!watching).then_some(sender),
            hints,
            closed: (self.bug != Bug::NeverCloses).then(|| self.closes.subscribe()),
            hinted: 0,
        };
        Watch::new(hints)
    }
}

struct Hints {
    bug: Bug,
    shared: Arc<Mutex<Shared>>,
    late: Option<tokio::sync::watch::Sender<()>>,
    hints: tokio::sync::watch::Receiver<()>,
    closed: Option<tokio::sync::watch::Receiver<()>>,
    hinted: u32,
}

#[async_trait::async_trait]
impl tidegate_store::Hints for Hints {
    async fn next(&mut self) -> Result<(), Error> {
        if let Some(late) = self.late.take() {
            self.shared.lock().expect("no panic under the lock").hints.push(late);
        }
        if self.bug == Bug::HintsOncePerWatch && self.hinted > 0 {
            std::future::pending::<()>().await;
        }
        self.hinted += 1;
        if self.bug == Bug::DroppedWaitLosesHint && self.hints.has_changed().unwrap_or(false) {
            self.hints.mark_unchanged();
            tokio::task::yield_now().await;
            return Ok(());
        }
        let closed = async {
            match &mut self.closed {
                Some(closed) => closed.changed().await.map_err(|_| Error::Closed),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = closed => ended,
            hint = self.hints.changed() => hint.map_err(|_| Error::Closed),
        }
    }
}

/// A broken law is what these tests want: no report of it on the console.
fn expect_broken_laws() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|text| text.starts_with("law ")) {
                report(panic);
            }
        }));
    });
}

/// The text of the panic, if a law was broken.
fn broken_law(bug: Bug) -> Option<String> {
    expect_broken_laws();
    let run = async move {
        let shared = Arc::new(Mutex::new(Shared::default()));
        conformance::run_all(async |rollout: &str| {
            let (rollout, shared) = (rollout.to_owned(), Arc::clone(&shared));
            let closes = tokio::sync::watch::Sender::new(());
            Arc::new(Memory { bug, rollout, shared, closes }) as Arc<dyn Store>
        })
        .await;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(run))).err()?;
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| format!("{panic:?}")))
}

#[test]
fn a_correct_store_keeps_all_laws() {
    assert_eq!(broken_law(Bug::None), None);
}

#[test]
fn every_planted_bug_breaks_its_law() {
    for (bug, law) in [
        (Bug::ReadCreates, "read-of-nothing"),
        (Bug::ToldAnotherVersion, "create"),
        (Bug::CreateOverwrites, "create-twice-conflicts"),
        (Bug::LoserChangesBytes, "create-twice-conflicts"),
        (Bug::ReadsOldValue, "update"),
        (Bug::OneVersionForAll, "objects-are-independent"),
        (Bug::StaleWrites, "stale-version-conflicts"),
        (Bug::WritesCreate, "unexpected-absence-conflicts"),
        (Bug::VersionOfBytes, "same-bytes-are-another-version"),
        (Bug::TrimsBytes, "binary-and-empty-values"),
        (Bug::NoLimit, "size-bound"),
        (Bug::LimitTooSmall, "size-bound"),
        (Bug::RolloutsShareNames, "rollouts-are-independent"),
        (Bug::KeepsOldKeys, "keys-are-replaced-as-a-whole"),
        (Bug::KeysIgnoreVersions, "keys-are-replaced-as-a-whole"),
        (Bug::UnsortedReports, "reports-lists-slots"),
        (Bug::DocumentInReports, "reports-lists-slots"),
        (Bug::LooksThenCreates, "racing-creations-have-one-winner"),
        (Bug::LooksThenUpdates, "racing-increments-lose-nothing"),
        (Bug::NoHintOfRequest, "every-change-is-hinted"),
        (Bug::HintsOncePerWatch, "every-change-is-hinted"),
        (Bug::HintsBeforeChange, "last-of-many-changes-is-seen"),
        (Bug::WatchStartsAtFirstWait, "every-change-is-hinted"),
        (Bug::OneWatcherOnly, "every-watcher-is-hinted"),
        (Bug::DroppedWaitLosesHint, "dropped-waits-lose-no-hint"),
        (Bug::NeverCloses, "watch-ends-with-the-store"),
    ] {
        let text = broken_law(bug).unwrap_or_else(|| panic!("{bug:?} broke no law"));
        println!("{bug:?}: {text}");
        assert!(text.starts_with(&format!("law {law}: ")), "{bug:?} should break {law}: {text}");
    }
}
