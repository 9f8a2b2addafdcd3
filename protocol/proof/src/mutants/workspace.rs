//! The copy of the code with all planted bugs in it: a workspace of its own under `target/prove`, compiled by the same
//! toolchain from the same lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Error, Mutant, plant, read, schemata};

/// The crates that are copied, from the repository's root.
pub const CRATES: [&str; 8] = [
    "protocol",
    "protocol/proof",
    "protocol/store",
    "protocol/store-directory",
    "protocol/store-configmap",
    "protocol/store-zookeeper",
    "gate/agent",
    "integration-tests",
];

/// The profile that the copy is compiled with.
pub const PROFILE: &str = "prove";

/// Where the copy is written, from the repository's root.
pub const FOLDER: &str = "target/prove/mutants";

/// Where it is built, from the repository's root.
pub const BUILD: &str = "target/prove/build";

/// The lock file as it was copied; cargo drops from the other one what the copied crates do not need.
const ORIGINAL_LOCK: &str = "Cargo.lock.original";

/// Optimized, and every assertion in it; of what others wrote, what the model runs in.
const PROFILE_TEXT: &str = "[prove]\ninherits = \"release\"\nopt-level = 3\ndebug-assertions = true\noverflow-checks = true\n\
                            incremental = true\ncodegen-units = 16\n\n\
                            [prove.package.\"*\"]\nopt-level = 1\n\n[prove.package.stateright]\nopt-level = 3\n";

/// Writes the copy; files that are as they should be are left alone, so that the next build finds nothing to do.
pub fn generate(root: &Path, mutants: &[Mutant]) -> Result<PathBuf, Error> {
    let folder = root.join(FOLDER);
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for package in CRATES {
        gather(root, &root.join(package), &mut files)?;
    }
    for (file, text) in plant(root, mutants)? {
        files.insert(PathBuf::from(file), text.into_bytes());
    }
    for package in CRATES {
        let source = Path::new(package).join("src");
        let library = files.entry(source.join("lib.rs")).or_default();
        library.extend_from_slice(b"\nmod mutant;\n");
        files.insert(source.join("mutant.rs"), schemata::module(mutants).into_bytes());
    }
    files.insert(PathBuf::from("Cargo.toml"), manifest(&read(&root.join("Cargo.toml"))?)?.into_bytes());
    let lock = read(&root.join("Cargo.lock"))?.into_bytes();
    files.insert(PathBuf::from(ORIGINAL_LOCK), lock.clone());
    files.insert(PathBuf::from("Cargo.lock"), lock);
    write(&folder, &files)?;
    Ok(folder)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |cause| Error::File { path, cause }
}

/// All files of a crate; crates inside it are their own.
fn gather(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.is_dir() {
            if !path.join("Cargo.toml").exists() {
                gather(root, &path, files)?;
            }
        } else {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            let inside = path.strip_prefix(root).unwrap_or(&path).to_owned();
            files.insert(inside, bytes);
        }
    }
    Ok(())
}

/// The root manifest, for the copied crates only, with the profile and without lints.
fn manifest(text: &str) -> Result<String, Error> {
    let unreadable = |cause: String| Error::Unreadable { path: "Cargo.toml".to_owned(), cause };
    let mut table: Table = toml::from_str(text).map_err(|cause| unreadable(cause.to_string()))?;
    let profile: Table = toml::from_str(PROFILE_TEXT).map_err(|cause| unreadable(cause.to_string()))?;
    table.insert("profile".to_owned(), Value::Table(profile));
    let workspace = table
        .get_mut("workspace")
        .and_then(Value::as_table_mut)
        .ok_or_else(|| unreadable("it has no [workspace]".to_owned()))?;
    let members = CRATES.iter().map(|package| Value::String((*package).to_owned())).collect();
    workspace.insert("members".to_owned(), Value::Array(members));
    let allow = Table::from_iter([("warnings".to_owned(), Value::String("allow".to_owned()))]);
    let lints = Table::from_iter([("rust".to_owned(), Value::Table(allow))]);
    workspace.insert("lints".to_owned(), Value::Table(lints));
    Ok(table.to_string())
}

/// Makes the folder hold these files and no others. The lock file, once there, is cargo's to adapt, until the original changes.
fn write(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Error> {
    let mut there = BTreeMap::new();
    if folder.exists() {
        gather_all(folder, folder, &mut there)?;
    }
    let original = Path::new(ORIGINAL_LOCK);
    let lock_is_adapted = there.contains_key(original) && there.get(original) == files.get(original);
    let known: BTreeSet<&PathBuf> = files.keys().collect();
    for path in there.keys().filter(|path| !known.contains(path)) {
        let path = folder.join(path);
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    for (path, bytes) in files {
        let adapted = lock_is_adapted && path == Path::new("Cargo.lock") && there.contains_key(path);
        if adapted || there.get(path) == Some(bytes) {
            continue;
        }
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        fs::write(&path, bytes).map_err(failed(&path))?;
    }
    Ok(())
}

fn gather_all(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.is_dir() {
            gather_all(root, &path, files)?;
        } else {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            files.insert(path.strip_prefix(root).unwrap_or(&path).to_owned(), bytes);
        }
    }
    Ok(())
}
