//! What is remembered of a job without a controller: what its versions are made from, and the planner's record. One file for each
//! job, written as a whole before each action, and locked by the command that works on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidegate::flink::JobId;
use tidegate_protocol::rollout::{Launch, Record};
use xxhash_rust::xxh3::xxh3_64;

use crate::exit::{Exit, Failure};
use crate::resource::spec::Spec;
use crate::resource::status::Revision;

/// The form of the file.
const FORM: u32 = 1;

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct State {
    pub(super) form: u32,
    /// In the place of a resource's uid.
    pub(super) owner: String,
    pub(super) name: String,
    /// The attempt that has made the last change.
    pub(super) id: String,
    /// What is wanted, as a resource would say it.
    pub(super) spec: Spec,
    /// What all versions are made from.
    pub(super) revisions: Vec<Revision>,
    /// Jobs that were not started by this record, by their ids.
    pub(super) found: BTreeMap<Launch, String>,
    pub(super) record: Record,
}

/// The file, while it is locked.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    /// Given back when it is closed.
    _lock: File,
}

impl Book {
    /// Locks it: two commands never work on one job.
    pub(super) fn open(given: Option<&Path>, url: &str, name: &str) -> Result<Book, Failure> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => {
                home()?.join(format!("{name}-{:016x}.json", xxh3_64(url.trim_end_matches('/').as_bytes())))
            }
        };
        let unusable = |error: std::io::Error| {
            let message = format!("{}: {error}; name another file with --state", path.display());
            Failure::new(Exit::Unreachable, "StateUnusable", message)
        };
        fs::create_dir_all(parent(&path)).map_err(unusable)?;
        let lock = private(&beside(&path, "lock"), false).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                let message =
                    format!("another command works on {name}; wait for its end: {}", path.display());
                Failure::new(Exit::Fenced, "StateLocked", message)
            }
            fs::TryLockError::Error(error) => unusable(error),
        })?;
        Ok(Book { path, _lock: lock })
    }

    /// What is remembered, if anything is.
    pub(super) fn read(&self) -> Result<Option<State>, Failure> {
        let unreadable = |why: String| {
            let message = format!(
                "{}: {why}; restore it from a copy, or name another file with --state",
                self.path.display()
            );
            Failure::new(Exit::Failed, "StateUnreadable", message)
        };
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let state: State = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if state.form == FORM {
            Ok(Some(state))
        } else {
            Err(unreadable(format!("it has form {}", state.form)))
        }
    }

    /// Written beside it and put in its place: it is always whole.
    pub(super) fn write(&self, state: &State) -> Result<(), Failure> {
        let next = beside(&self.path, "next");
        let text = serde_json::to_string_pretty(state).map_err(anyhow::Error::from)?;
        let write = || {
            let mut file = private(&next, true)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&next, &self.path)?;
            // An action may follow that must not be forgotten with the power.
            File::open(parent(&self.path))?.sync_all()
        };
        write().map_err(|error| {
            let message = format!("{}: {error}; nothing more was done", self.path.display());
            Failure::new(Exit::Failed, "StateUnwritable", message)
        })
    }

    /// A folder for a rollout that shares no store: there is no gate in it that would look there.
    pub(super) fn store(&self) -> Result<String, Failure> {
        let folder = std::path::absolute(beside(&self.path, "store")).map_err(anyhow::Error::from)?;
        fs::create_dir_all(&folder).map_err(anyhow::Error::from)?;
        Ok(format!("directory://{}", folder.display()))
    }

    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }
}

impl State {
    /// Of a job that runs, and was started by somebody.
    pub(super) fn of(name: &str, id: &str, spec: Spec, revision: Revision, record: Record) -> State {
        State {
            form: FORM,
            owner: uuid::Uuid::new_v4().to_string(),
            name: name.to_owned(),
            id: id.to_owned(),
            spec,
            revisions: vec![revision],
            found: BTreeMap::new(),
            record,
        }
    }

    pub(super) fn found(&self) -> BTreeMap<Launch, JobId> {
        self.found.iter().map(|(launch, id)| (*launch, JobId::new(id.clone()))).collect()
    }

    /// What is wanted now, and whatever may still be launched again.
    pub(super) fn remember(&mut self, wanted: Revision) {
        let in_use: Vec<String> =
            self.record.revisions().into_iter().map(|revision| revision.0.clone()).collect();
        self.revisions.retain(|revision| revision.name != wanted.name && in_use.contains(&revision.name));
        self.revisions.push(wanted);
    }
}

/// Where a user's programs keep what they remember.
fn home() -> Result<PathBuf, Failure> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    let none = || Failure::usage("neither XDG_STATE_HOME nor HOME is set; name a file with --state");
    Ok(state.ok_or_else(none)?.join("tidegate"))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Arguments of a job may be nobody else's business.
fn private(path: &Path, truncate: bool) -> std::io::Result<File> {
    fs::OpenOptions::new().write(true).create(true).truncate(truncate).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn state() -> State {
        let spec = json!({"job": {"url": "http://flink:8081", "jar": "/1.jar"}, "strategy": "stop-start"});
        let revision = Revision { name: "a".to_owned(), source: json!({}), ..Revision::default() };
        let mut state =
            State::of("orders", "1", serde_json::from_value(spec).unwrap(), revision, Record::default());
        state.found.insert("blue-1".parse().unwrap(), "4f".to_owned());
        state
    }

    #[test]
    fn what_is_written_is_read_again_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/orders.json");
        let book = Book::open(Some(&path), "http://flink:8081", "orders").unwrap();
        assert_eq!(book.read().unwrap(), None);
        book.write(&state()).unwrap();
        assert_eq!(
            book.read().unwrap(),
            Some(state()).map(|read| State { owner: book.read().unwrap().unwrap().owner, ..read })
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn two_commands_never_work_on_one_job() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.json");
        let open = || Book::open(Some(&path), "http://flink:8081", "orders");
        let first = open().unwrap();
        assert_eq!(open().unwrap_err().exit, Exit::Fenced);
        drop(first);
        open().unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_never_a_new_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.json");
        let book = Book::open(Some(&path), "http://flink:8081", "orders").unwrap();
        for text in ["", "{", "{\"form\": 2}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(book.read().unwrap_err().code, "StateUnreadable", "{text:?}");
        }
    }
}
