//! Where a rollout keeps what its members share: the cutover document, the request of a person, one report per member.
//!
//! [`Store`] is the contract that the protocol needs, and no more: a linearizable read, a compare-and-set, and hints that
//! something changed. [`conformance`] holds the same contract as tests; a backend is one that passes them.
//! This crate never retries, and interprets no bytes but the request's, which is flat keys ([`Sheet`]).

pub mod conformance;
mod error;
mod notice;
mod object;
mod sheet;
mod watch;

pub use error::{Cause, Error};
pub use notice::Notice;
pub use object::{Object, Slot, Stored, Version, check_name};
pub use sheet::{Keys, MAX_SHEET_BYTES, Sheet, Unreadable};
pub use watch::{Hints, Watch};

/// The largest object in bytes that every store takes: 900 KiB, because a ConfigMap holds 1 MiB with its metadata.
pub const MAX_OBJECT_BYTES: usize = 900 * 1024;

/// The objects of one rollout, shared by its two members, the controller and people.
///
/// Laws, over any number of clients in any number of processes:
/// * **One order.** All `read` and `compare_and_set` calls on one object behave as if each happened at one instant between
///   its call and its return. Objects are independent of each other.
/// * **One winner.** Of the writers that expect one version, at most one succeeds; the others get [`Error::Conflict`] and
///   have changed nothing.
/// * **No ABA.** Each write makes a version that this object never had, also when the bytes are the same.
/// * **Bytes as they are.** What is read is what was written: empty, binary, up to [`MAX_OBJECT_BYTES`].
/// * **No silent change.** After each change, whoever made it, every [`Watch`] that was there before gets a hint.
///
/// Nothing is ever deleted through this trait. A call whose future is dropped may still take effect.
#[async_trait::async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The URL of the store as in `tidegate.store`, without secrets; for messages.
    fn url(&self) -> String;

    /// The object as it is now, never a cached one. `None`: it does not exist (yet).
    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error>;

    /// Writes `bytes` if the object still has the version `expected` (`None`: if it does not exist), and tells its new version.
    ///
    /// [`Error::Conflict`] if it has not. Every error but [`Error::Ambiguous`] means that nothing was written. After
    /// [`Error::Ambiguous`] the write may be there, may come later, or never: read again, and look for your own nonce.
    async fn compare_and_set(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error>;

    /// The request as people see it.
    ///
    /// By default its keys are one text in [`Object::Request`]; a store that can show keys one by one overrides this and
    /// [`write_sheet`](Self::write_sheet), and leaves the bytes of [`Object::Request`] alone.
    async fn read_sheet(&self) -> Result<Sheet, Error> {
        Ok(Sheet::of_text(self.read(&Object::Request).await?))
    }

    /// Puts these keys in the place of those that were read, a compare-and-set with all its laws.
    async fn write_sheet(&self, old: &Sheet, keys: &Keys) -> Result<Version, Error> {
        self.compare_and_set(&Object::Request, old.version.as_ref(), &old.text(keys)).await
    }

    /// Shows what happened where people look besides, if the store has such a place. Nothing rests on it.
    async fn announce(&self, _notice: &Notice) -> Result<(), Error> {
        Ok(())
    }

    /// The slots for which a report exists, in ascending order.
    async fn reports(&self) -> Result<Vec<Slot>, Error>;

    /// Hints about changes of any object of the rollout, from this call on; see [`Watch`]. Call it within a tokio runtime.
    fn watch(&self) -> Watch;
}
