//! A store with a test in between, which sees what jobs do with it and may answer in its place.

use std::fmt::Debug;
use std::sync::Arc;

use tidegate_agent::Rollout;
use tidegate_store::{Error, Keys, Notice, Object, Sheet, Slot, Store, Stored, Version, Watch};

use crate::job::world::{ROLLOUT, World};

/// What a test does at the calls of a store; nothing by default.
#[async_trait::async_trait]
pub(crate) trait Tap: Debug + Send + Sync + 'static {
    /// After a read, and before its author hears of it.
    async fn read(&self, _object: &Object) {}

    /// Before it is asked which reports there are.
    fn lists(&self) {}

    /// Before a write.
    async fn writes(&self, _object: &Object, _bytes: &[u8]) {}

    /// After a write that was done: what its author hears of it.
    fn wrote(&self, _object: &Object, version: Version) -> Result<Version, Error> {
        Ok(version)
    }
}

/// The world's rollout, for a job whose store is tapped.
pub(crate) fn tapped(world: &World, tap: &Arc<impl Tap>) -> Rollout {
    let store = tidegate_agent::open(&world.url(), ROLLOUT).unwrap();
    Rollout::new(Arc::new(Tapped { store, tap: Arc::clone(tap) }), ROLLOUT)
}

#[derive(Debug)]
struct Tapped<T> {
    store: Arc<dyn Store>,
    tap: Arc<T>,
}

#[async_trait::async_trait]
impl<T: Tap> Store for Tapped<T> {
    fn url(&self) -> String {
        self.store.url()
    }

    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error> {
        let stored = self.store.read(object).await;
        self.tap.read(object).await;
        stored
    }

    async fn compare_and_set(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        self.tap.writes(object, bytes).await;
        let version = self.store.compare_and_set(object, expected, bytes).await?;
        self.tap.wrote(object, version)
    }

    async fn read_sheet(&self) -> Result<Sheet, Error> {
        let sheet = self.store.read_sheet().await;
        self.tap.read(&Object::Request).await;
        sheet
    }

    /// What is written is the store's own; a tap is not told its bytes.
    async fn write_sheet(&self, old: &Sheet, keys: &Keys) -> Result<Version, Error> {
        self.tap.writes(&Object::Request, &[]).await;
        let version = self.store.write_sheet(old, keys).await?;
        self.tap.wrote(&Object::Request, version)
    }

    async fn announce(&self, notice: &Notice) -> Result<(), Error> {
        self.store.announce(notice).await
    }

    async fn reports(&self) -> Result<Vec<Slot>, Error> {
        self.tap.lists();
        self.store.reports().await
    }

    fn watch(&self) -> Watch {
        self.store.watch()
    }
}
