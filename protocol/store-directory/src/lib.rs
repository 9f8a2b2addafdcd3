//! The embedded default store: a directory that both jobs and people see, `directory:///path`.
//!
//! ```text
//! <root>/                 must exist, never created: a mount that is not there must not look like an empty store
//!   <rollout>/            created by the first write, never by a read
//!     document.json
//!     request             edited by people, in any editor
//!     reports/<slot>.json
//!     .lock               locked (flock) by whoever writes
//!     .new-…              a file that is being written; left behind only by a crash, and removed by the next write
//! ```
//!
//! The files hold the objects' bytes and nothing else. An object is replaced by a rename, so that a reader sees the old or the
//! new one. People need not take the lock; an edit in the microseconds between the last look and the rename is overwritten.
//! The file system must have locks and renames that all its users see at once: a local one, or NFS with `lookupcache=none`.
//!
//! No thread, task or open file outlives a call: the file work runs in the runtime's blocking pool, whose threads end with
//! the runtime.

mod error;
mod folder;
mod lock;
mod object_file;
mod poll;
mod replace;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidegate_store::{Error, MAX_OBJECT_BYTES, Object, Slot, Store, Stored, Version, Watch};

use crate::error::Access;
use crate::folder::Folder;

/// How long a call waits for a file system that does not answer; longer than a writer waits for the lock.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// One rollout in a directory.
pub struct DirectoryStore {
    folder: Arc<Folder>,
}

impl DirectoryStore {
    /// The store of `rollout` under `root`, which is made absolute. Creates nothing.
    ///
    /// [`Error::Missing`] and [`Error::NotAStore`] if `root` is no folder, [`Error::BadName`] for the rollout's name.
    pub fn open(root: &Path, rollout: &str) -> Result<Self, Error> {
        let folder = Folder::new(root, rollout)?;
        folder.check_root().map_err(|cause| error::explain(&folder, Access::Read, cause))?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// The root in a URL like `directory:///data/tidegate`. The path is taken as it stands, `%` included.
    pub fn parse(url: &str) -> Result<PathBuf, Error> {
        folder::parse(url)
    }

    /// Runs file work where it may block, and gives up on a file system that hangs.
    async fn call<T: Send + 'static>(
        &self,
        hung: impl FnOnce(&Folder) -> Error,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = Arc::clone(&self.folder);
        let task = tokio::task::spawn_blocking(move || work(&folder));
        match tokio::time::timeout(CALL_DEADLINE, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Ok(Err(never_started)) => Err(Error::Unreachable {
                store: self.folder.url(),
                reason: "the tokio runtime is shutting down".to_owned(),
                cause: Some(never_started.into()),
            }),
            Err(_) => Err(hung(&self.folder)),
        }
    }
}

impl fmt::Debug for DirectoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryStore").field("folder", &self.folder.path()).finish()
    }
}

#[async_trait::async_trait]
impl Store for DirectoryStore {
    fn url(&self) -> String {
        self.folder.root_url()
    }

    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error> {
        let object = object.clone();
        self.call(no_answer, move |folder| object_file::read(folder, &object)).await
    }

    async fn compare_and_set(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(object_file::too_large(&self.folder, object, bytes.len() as u64));
        }
        let unknown =
            |folder: &Folder| Error::Ambiguous { store: folder.url(), object: object.clone(), cause: None };
        let (object, expected, bytes) = (object.clone(), expected.cloned(), bytes.to_vec());
        self.call(unknown, move |folder| replace::replace(folder, &object, expected.as_ref(), &bytes)).await
    }

    async fn reports(&self) -> Result<Vec<Slot>, Error> {
        self.call(no_answer, |folder| {
            folder.slots().map_err(|cause| error::explain(folder, Access::Read, cause))
        })
        .await
    }

    fn watch(&self) -> Watch {
        Watch::new(poll::Poll::new(&self.folder))
    }
}

fn no_answer(folder: &Folder) -> Error {
    let reason = format!("no answer from the file system within {} s", CALL_DEADLINE.as_secs());
    Error::Unreachable { store: folder.url(), reason, cause: None }
}
