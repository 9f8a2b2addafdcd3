//! The lock of a rollout: one writer at a time, over all processes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tidegate_store::Error;

use crate::error::{self, Access};
use crate::folder::Folder;

/// How long a writer waits for another one. A write takes milliseconds; who holds the lock longer is stuck.
const DEADLINE: Duration = Duration::from_secs(5);

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// Held until it is dropped; the kernel releases it when the process dies.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits up to [`DEADLINE`], then [`Error::Unreachable`]. The rollout's folder must exist.
    pub(crate) fn take(folder: &Folder) -> Result<Self, Error> {
        Self::take_until(folder, Instant::now() + DEADLINE)
    }

    fn take_until(folder: &Folder, deadline: Instant) -> Result<Self, Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            match try_take(folder) {
                Ok(Some(file)) => return Ok(Self { _file: file }),
                Ok(None) if Instant::now() >= deadline => {
                    let reason = format!("another process holds {} for too long", folder.lock().display());
                    return Err(Error::Unreachable { store: folder.url(), reason, cause: None });
                }
                // flock cannot wait with a deadline; this is a thread of the blocking pool.
                Ok(None) => std::thread::sleep(pause),
                Err(cause) => return Err(error::explain(folder, Access::Write, cause)),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// `None`: somebody else has it.
fn try_take(folder: &Folder) -> io::Result<Option<File>> {
    let path = folder.lock();
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    Ok(is_at(&file, &path)?.then_some(file))
}

/// Whether the path still leads to this file. A lock on one that was removed excludes nobody: the next writer creates another.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match path.metadata() {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_writer_is_named_at_the_deadline() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::new(root.path(), "orders").expect("a good name");
        std::fs::create_dir(folder.path()).expect("the rollout's folder");
        let held = Lock::take(&folder).expect("free");
        let error = Lock::take_until(&folder, Instant::now()).map(|_| ()).expect_err("held");
        assert_eq!(error.code(), "StoreUnreachable");
        assert!(error.to_string().contains(".lock"), "{error}");
        drop(held);
        Lock::take_until(&folder, Instant::now()).expect("free again");
    }

    #[test]
    fn a_lock_file_that_was_removed_does_not_count() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::new(root.path(), "orders").expect("a good name");
        std::fs::create_dir(folder.path()).expect("the rollout's folder");
        let old = Lock::take(&folder).expect("free");
        std::fs::remove_file(folder.lock()).expect("there");
        let new = Lock::take(&folder).expect("a new file");
        assert!(Lock::take_until(&folder, Instant::now()).is_err(), "the new lock excludes");
        assert!(is_at(&new._file, &folder.lock()).expect("readable"));
        assert!(!is_at(&old._file, &folder.lock()).expect("readable"), "another file has its name");
        std::fs::remove_file(folder.lock()).expect("there");
        assert!(!is_at(&new._file, &folder.lock()).expect("readable"), "its name is gone");
        drop(new);
    }
}
