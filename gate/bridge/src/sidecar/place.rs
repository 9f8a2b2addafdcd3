//! Where the socket is: a file that is this user's only, and that one living sidecar has.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::Error;

/// Of the socket, and of the lock beside it.
const MODE: u32 = 0o600;

/// A path that this process alone serves, as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    owner: u32,
    /// The kernel gives it back when this process ends, however that happens.
    _lock: File,
}

impl Place {
    /// Takes the path, and listens there.
    pub(super) fn take(path: &Path) -> Result<(Place, UnixListener), Error> {
        let lock = lock(path)?;
        // Nobody can connect before it is as it should be.
        let fresh = with_suffix(path, ".new");
        forget(&fresh).and_then(|()| check_place(path)).map_err(|error| unusable(path, &error))?;
        let listener = UnixListener::bind(&fresh).map_err(|error| unusable(path, &error))?;
        let placed = place(path, &fresh);
        if placed.is_err() {
            let _ = fs::remove_file(&fresh); // the error that is told says more
        }
        Ok((Place { path: path.to_owned(), owner: placed?, _lock: lock }, listener))
    }

    /// The only user that may connect.
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }

    /// Takes the socket away: nobody comes any more.
    pub(super) fn clear(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            warn!(path = %self.path.display(), %error, "the socket cannot be removed");
        }
    }

    pub(super) fn unusable(&self, error: &std::io::Error) -> Error {
        unusable(&self.path, error)
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let beside = with_suffix(path, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(MODE)
        .open(&beside)
        .map_err(|error| unusable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(running(path)),
        Err(TryLockError::Error(error)) => Err(unusable(path, &error)),
    }
}

fn place(path: &Path, fresh: &Path) -> Result<u32, Error> {
    let told = |error: std::io::Error| unusable(path, &error);
    fs::set_permissions(fresh, Permissions::from_mode(MODE)).map_err(told)?;
    let owner = fs::symlink_metadata(fresh).map_err(told)?.uid();
    match fs::symlink_metadata(path) {
        Ok(present) if present.uid() != owner => {
            let reason = format!("it belongs to user {}, and this is user {owner}", present.uid());
            return Err(Error::Socket { path: path.to_owned(), reason });
        }
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(running(path)),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(told(error)),
    }
    fs::rename(fresh, path).map_err(told)?;
    Ok(owner)
}

/// What stands there is a socket, or nothing.
fn check_place(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(present) if !present.file_type().is_socket() => {
            Err(std::io::Error::new(ErrorKind::AlreadyExists, "it is there, and is no socket"))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what a sidecar has left that died while it began.
fn forget(fresh: &Path) -> std::io::Result<()> {
    check_place(fresh)?;
    match fs::remove_file(fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn running(path: &Path) -> Error {
    Error::Running(path.to_owned())
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::Socket { path: path.to_owned(), reason: error.to_string() }
}
