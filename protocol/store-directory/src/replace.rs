//! The compare-and-set: under the lock, look, write beside it, rename over it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::Gid;
use rustix::io::Errno;
use tidegate_store::{Cause, Error, Object, Version};

use crate::error::{self, Access};
use crate::folder::Folder;
use crate::lock::Lock;
use crate::object_file::{self, Found, Stamp};

/// Nothing is left half-written when it fails, and no temporary file unless the process dies.
pub(crate) fn replace(
    folder: &Folder,
    object: &Object,
    expected: Option<&Version>,
    bytes: &[u8],
) -> Result<Version, Error> {
    let failed = |cause| error::explain(folder, Access::Write, cause);
    match expected {
        None => make_folder(folder.path(), folder.root()).map_err(failed)?,
        // What is not there has no version, and only a creation creates.
        Some(_) if object_file::read(folder, object)?.is_none() => {
            return Err(conflict(folder, object, expected, None));
        }
        Some(_) => {}
    }
    let _lock = Lock::take(folder)?;
    let path = folder.object(object);
    let old = compare(folder, object, expected)?;
    folder.remove_leftovers().map_err(failed)?;
    let mut new = Draft::write(folder, &path, old, bytes).map_err(failed)?;
    if matches!(object, Object::Report(_)) {
        make_folder(&folder.reports(), folder.path()).map_err(failed)?;
    }
    // A person does not take the lock: look again, now that the slow part is done.
    if stamp(&path).map_err(failed)? != old {
        let found = object_file::read(folder, object)?.map(|stored| stored.version);
        return Err(conflict(folder, object, expected, found));
    }
    let ambiguous = |cause: Cause| {
        let (store, object) = (folder.url(), object.clone());
        Error::Ambiguous { store, object, cause: Some(cause) }
    };
    new.publish(&path).map_err(|cause| {
        let error = failed(cause);
        // That may be the lost answer of a file server: nobody knows what was done.
        if matches!(error, Error::Unreachable { .. }) { ambiguous(error.into()) } else { error }
    })?;
    sync_folder(path.parent().unwrap_or(folder.path()))
        .and_then(|()| new.file.metadata())
        .map(|metadata| Stamp::of(&metadata).version(bytes))
        .map_err(|cause| ambiguous(cause.into()))
}

/// The stamp of what is there, if it is what was expected.
fn compare(folder: &Folder, object: &Object, expected: Option<&Version>) -> Result<Option<Stamp>, Error> {
    let found = object_file::find(&folder.object(object))
        .map_err(|cause| error::explain(folder, Access::Write, cause))?;
    let (stamp, version) = match found {
        Found::Nothing => (None, None),
        Found::Object { stamp, bytes } => (Some(stamp), Some(stamp.version(&bytes))),
        Found::TooLarge { bytes } => return Err(object_file::too_large(folder, object, bytes)),
    };
    if version.as_ref() == expected { Ok(stamp) } else { Err(conflict(folder, object, expected, version)) }
}

/// A file beside the old one that is removed again unless it is published. (The `tempfile` crate does the same, but its
/// errors hide the system's, and a full disk must not look like an unreachable one.)
struct Draft {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Draft {
    /// On disk when this returns.
    fn write(folder: &Folder, over: &Path, old: Option<Stamp>, bytes: &[u8]) -> io::Result<Self> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let path = folder.temporary(format_args!("{}-{now}", std::process::id()));
        let mut draft = Self { file: File::create_new(&path)?, path, published: false };
        draft.file.write_all(bytes)?;
        keep_rights(&draft.file, over)?;
        modify_later(&draft.file, old)?;
        draft.file.sync_all()?;
        Ok(draft)
    }

    fn publish(&mut self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, path)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // If this fails too, the next writer removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Gives the new file the mode and the group of the old one, so that a person who may edit it may do so again.
fn keep_rights(new: &File, old: &Path) -> io::Result<()> {
    let old = match old.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // Only a member of a group may give it a file: without that, it is the writer's group, or the folder's.
    let _ = rustix::fs::fchown(new, None, Some(Gid::from_raw(old.gid())));
    new.set_permissions(old.permissions())
}

/// Makes the new file's time of modification later than the old one's, whatever the clock does and however coarse the file
/// system's times are. Otherwise two quick writes of the same bytes into one reused inode would have one version.
fn modify_later(new: &File, old: Option<Stamp>) -> io::Result<()> {
    let now = SystemTime::now();
    let Some((seconds, nanoseconds)) = old.map(|old| old.modified()) else {
        return new.set_modified(now);
    };
    let old = u64::try_from(seconds).map_or(SystemTime::UNIX_EPOCH, |seconds| {
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds as u32)
    });
    for step in [Duration::from_nanos(1), Duration::from_millis(1), Duration::from_secs(2)] {
        new.set_modified(now.max(old + step))?;
        if Stamp::of(&new.metadata()?).modified() > (seconds, nanoseconds) {
            return Ok(());
        }
    }
    Err(io::Error::other("the file system does not keep times of modification"))
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match path.metadata() {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates `path` in `parent`, for good. Fine if it is there.
fn make_folder(path: &Path, parent: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Ok(()) => sync_folder(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                Ok(())
            } else {
                Err(Errno::NOTDIR.into())
            }
        }
        // On a read-only file system mkdir may say so before it says that the folder is there.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes renames in this folder survive a power cut. Some file systems cannot, and say `EINVAL`.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => Ok(()),
        result => result,
    }
}

fn conflict(folder: &Folder, object: &Object, expected: Option<&Version>, found: Option<Version>) -> Error {
    Error::Conflict { store: folder.url(), object: object.clone(), expected: expected.cloned(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_later_than_the_old_one_whatever_the_clock_says() {
        let file = tempfile::tempfile().expect("a temporary file");
        let stamp = || Stamp::of(&file.metadata().expect("metadata"));
        let now = SystemTime::now();
        for old in [now, now + Duration::from_secs(1_000_000_000), SystemTime::UNIX_EPOCH, now] {
            file.set_modified(old).expect("times");
            let old = stamp();
            modify_later(&file, Some(old)).expect("times");
            assert!(stamp().modified() > old.modified(), "{old:?}");
            let older = stamp();
            modify_later(&file, Some(older)).expect("times");
            assert!(stamp().modified() > older.modified(), "{older:?}");
        }
    }
}
