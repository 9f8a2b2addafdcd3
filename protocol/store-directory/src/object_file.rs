//! One object's file: its bytes, and the version that its metadata and bytes make.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tidegate_store::{Error, MAX_OBJECT_BYTES, Object, Stored, Version};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{self, Access};
use crate::folder::Folder;

/// A file that is written in place while it is read is read again this often.
const READS: u32 = 10;

/// What tells one state of a file from another, for the price of a `stat`.
///
/// The inode alone is not enough (it is reused at once), nor is the time of modification (a file may be moved away and back);
/// the change time is the kernel's and moves with every rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Seconds and nanoseconds since the epoch.
    pub(crate) fn modified(&self) -> (i64, i64) {
        self.modified
    }

    /// The version of these bytes in a file with this stamp. People edit the files, so it cannot stand in them.
    pub(crate) fn version(&self, bytes: &[u8]) -> Version {
        let ((ms, mn), (cs, cn)) = (self.modified, self.changed);
        let hash = xxh3_64(bytes);
        Version::new(format!("{:x}-{ms:x}.{mn:x}-{cs:x}.{cn:x}-{:x}-{hash:x}", self.inode, self.bytes))
    }
}

/// What is there at one instant.
pub(crate) enum Found {
    Nothing,
    Object { stamp: Stamp, bytes: Vec<u8> },
    TooLarge { bytes: u64 },
}

pub(crate) fn read(folder: &Folder, object: &Object) -> Result<Option<Stored>, Error> {
    let failed = |cause| error::explain(folder, Access::Read, cause);
    match find(&folder.object(object)).map_err(failed)? {
        Found::Object { stamp, bytes } => Ok(Some(Stored { version: stamp.version(&bytes), bytes })),
        Found::TooLarge { bytes } => Err(too_large(folder, object, bytes)),
        Found::Nothing => {
            folder.check_root().map_err(failed)?;
            Ok(None)
        }
    }
}

/// `EAGAIN` if the file is being written in place all the time.
pub(crate) fn find(path: &Path) -> io::Result<Found> {
    for _ in 0..READS {
        let mut file = match open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(Errno::ISDIR.into());
        }
        let limit = MAX_OBJECT_BYTES as u64;
        if before.size() > limit {
            return Ok(Found::TooLarge { bytes: before.size() });
        }
        let mut bytes = Vec::with_capacity(before.size() as usize + 1);
        Read::by_ref(&mut file).take(limit + 1).read_to_end(&mut bytes)?;
        let stamp = Stamp::of(&before);
        if Stamp::of(&file.metadata()?) == stamp && bytes.len() as u64 == before.size() {
            return Ok(Found::Object { stamp, bytes });
        }
    }
    Err(Errno::AGAIN.into())
}

/// Without waiting for the other end of a pipe that somebody put there.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)
}

pub(crate) fn too_large(folder: &Folder, object: &Object, bytes: u64) -> Error {
    Error::TooLarge { store: folder.url(), object: object.clone(), bytes, limit: MAX_OBJECT_BYTES as u64 }
}
