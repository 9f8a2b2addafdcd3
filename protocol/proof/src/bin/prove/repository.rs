//! Where the repository is, and what its sources are worth.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xxhash_rust::xxh3::Xxh3;

/// What a simulated world runs.
const SOURCES: [&str; 2] = ["protocol/src", "protocol/proof/src/sim"];

/// The folder with the workspace, from here upwards.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|folder| folder.join(tidegate_proof::mutants::FOLDER).is_dir());
    match found {
        Some(root) => Ok(root.to_owned()),
        None => bail!("{} is not in the repository: run it there, with `make prove`", here.display()),
    }
}

/// Changes when anything changes that a seed's course depends on.
pub(crate) fn fingerprint(root: &Path) -> anyhow::Result<String> {
    let mut files = vec![root.join("Cargo.lock"), root.join("protocol/proof/src/properties.rs")];
    for source in SOURCES {
        gather(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Xxh3::new();
    for file in files {
        hash.update(file.strip_prefix(root).unwrap_or(&file).as_os_str().as_encoded_bytes());
        hash.update(&std::fs::read(&file).with_context(|| file.display().to_string())?);
    }
    Ok(format!("{:016x}", hash.digest()))
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() { gather(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
