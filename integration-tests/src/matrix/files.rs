//! The folder that Flink's FileSink writes into, as anybody reads it: Flink hides what is not committed by the first sign of its name.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

/// The names of the files that can be seen; none when the folder is not there yet.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn visible(folder: &Path) -> Result<BTreeSet<OsString>> {
    let context = || format!("cannot read {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(context),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.with_context(context)?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") && !name.as_encoded_bytes().starts_with(b"_") {
            names.insert(name);
        }
    }
    Ok(names)
}

/// The bytes of the files of these names, one after the other.
///
/// # Errors
/// When one cannot be read.
pub(super) fn read(folder: &Path, names: &BTreeSet<OsString>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for name in names {
        let path = folder.join(name);
        all.extend(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(all)
}

/// The rows in the bytes of such files: a line each.
pub(super) fn rows(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|row| !row.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn only_what_is_committed_is_read() {
        let scratch = Scratch::new("files").unwrap();
        let folder = scratch.path().join("cell-1-files");
        assert!(visible(&folder).unwrap().is_empty());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("blue-1-a-0"), "0 0 10 blue 1 5 3\n0 1 20 blue 2 10 3\n").unwrap();
        fs::write(folder.join(".blue-1-a-1.inprogress.b"), "0 2 30 blue 3 15 3\n").unwrap();
        fs::write(folder.join("_of-somebody"), "0 3 30 blue 3 15 3\n").unwrap();
        fs::write(folder.join("green-1-c-0"), "0 4 40 green 4 20 3\n").unwrap();
        let names = visible(&folder).unwrap();
        let bytes = read(&folder, &names).unwrap();
        let rows: Vec<&[u8]> = rows(&bytes).collect();
        assert_eq!(rows, [&b"0 0 10 blue 1 5 3"[..], b"0 1 20 blue 2 10 3", b"0 4 40 green 4 20 3"]);
        assert!(read(&folder, &BTreeSet::from(["gone".into()])).is_err());
    }
}
