//! Where things are: paths, the URL, the slots that exist.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tidegate_store::{Error, Object, Slot, check_name};

/// Files that begin so are being written, or were left behind by a crash.
const TEMPORARY: &str = ".new-";

const SCHEME: &str = "directory://";

/// The folder of one rollout. Only names; nothing is open.
pub(crate) struct Folder {
    root: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: &Path, rollout: &str) -> Result<Self, Error> {
        check_name(rollout)?;
        let root = std::path::absolute(root).map_err(|cause| Error::NotAStore {
            store: format!("{SCHEME}{}", root.display()),
            reason: "the path is empty or has no absolute form".to_owned(),
            way_out: "give an absolute path".to_owned(),
            cause: Some(cause.into()),
        })?;
        let path = root.join(rollout);
        Ok(Self { root, path })
    }

    /// `NotFound` or `NotADirectory` if the root is not a folder.
    pub(crate) fn check_root(&self) -> io::Result<()> {
        if self.root.metadata()?.is_dir() { Ok(()) } else { Err(rustix::io::Errno::NOTDIR.into()) }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join(".lock")
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.path.join("reports")
    }

    pub(crate) fn object(&self, object: &Object) -> PathBuf {
        match object {
            Object::Document => self.path.join("document.json"),
            Object::Request => self.path.join("request"),
            Object::Report(slot) => self.reports().join(format!("{slot}.json")),
        }
    }

    /// Where a new file is written before it is renamed; `unique` among the writers of this moment.
    pub(crate) fn temporary(&self, unique: impl std::fmt::Display) -> PathBuf {
        self.path.join(format!("{TEMPORARY}{unique}"))
    }

    /// The slots with a file, in ascending order; other files are not ours. None if the rollout is not there yet.
    pub(crate) fn slots(&self) -> io::Result<Vec<Slot>> {
        let entries = match self.reports().read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.check_root()?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let mut slots = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".json"));
            slots.extend(name.and_then(|name| Slot::new(name).ok()));
        }
        slots.sort();
        Ok(slots)
    }

    /// Removes what crashed writers left behind. Only under the lock, where nobody else is writing.
    pub(crate) fn remove_leftovers(&self) -> io::Result<()> {
        for entry in self.path.read_dir()? {
            let entry = entry?;
            if is_temporary(&entry.file_name()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// As in `tidegate.store`.
    pub(crate) fn root_url(&self) -> String {
        format!("{SCHEME}{}", self.root.display())
    }

    /// The rollout's folder, for messages.
    pub(crate) fn url(&self) -> String {
        format!("{SCHEME}{}", self.path.display())
    }
}

fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

pub(crate) fn parse(url: &str) -> Result<PathBuf, Error> {
    let path = url.strip_prefix(SCHEME).filter(|path| path.starts_with('/') && !path.contains('\0'));
    path.map(PathBuf::from).ok_or_else(|| Error::NotAStore {
        store: url.to_owned(),
        reason: "it is no URL of a directory".to_owned(),
        way_out: "write directory:/// and an absolute path, like directory:///data/tidegate".to_owned(),
        cause: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_three_slashes_and_a_path() {
        for (url, path) in
            [("directory:///data/t", "/data/t"), ("directory:///a b%20", "/a b%20"), ("directory:///", "/")]
        {
            assert_eq!(parse(url).expect(url), Path::new(path));
        }
        for url in [
            "",
            "/data",
            "directory:",
            "directory:/data",
            "directory://data",
            "configmap://a/b",
            "directory:///\0",
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.code(), "StoreNotAStore");
            assert!(error.to_string().contains("directory:///data/tidegate"), "{error}");
        }
    }

    #[test]
    fn a_rollout_cannot_leave_the_root() {
        for rollout in ["", "..", "a/b", "/etc"] {
            let error =
                Folder::new(Path::new("/data"), rollout).map(|folder| folder.url()).expect_err(rollout);
            assert_eq!(error.code(), "StoreBadName");
        }
    }
}
