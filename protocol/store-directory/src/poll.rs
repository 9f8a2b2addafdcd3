//! Watching by looking.
//!
//! A look costs a dozen `stat` calls. inotify would be quicker by the 25 ms that a change waits on average, and would need:
//! a thread (the `notify` crate's cannot be joined, and none must outlive the class loader that unloads this library) or a
//! runtime with an I/O driver; watches that are set again whenever a folder is removed and comes back; and this very
//! polling as well, for network file systems and overflowing queues. There is no task either: the watcher's own future
//! looks, so that nothing runs when nobody waits, and nothing is left when the watch is dropped.

use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tidegate_store::{Error, Hints, Object};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

use crate::folder::Folder;
use crate::object_file::{self, Found, Stamp};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(50);

/// Every so many looks, about once per second, the contents are compared too: a file that is written in place twice
/// within one tick of a coarse clock keeps its stamp.
const THOROUGH: u32 = 20;

/// The state that the last look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    stamps: u64,
    contents: u64,
}

/// See the module. The first look is always a hint: a change between the watch's creation and that look is behind it.
pub(crate) struct Poll {
    folder: Weak<Folder>,
    seen: Option<Seen>,
    looks: u32,
    due: Instant,
    /// Kept here, so that a caller who drops the future again and again cannot keep the looks from ending.
    looking: Option<JoinHandle<Seen>>,
}

impl Poll {
    pub(crate) fn new(folder: &Arc<Folder>) -> Self {
        Self { folder: Arc::downgrade(folder), seen: None, looks: 0, due: Instant::now(), looking: None }
    }

    fn look(&mut self) -> Result<JoinHandle<Seen>, Error> {
        let folder = self.folder.upgrade().ok_or(Error::Closed)?;
        self.looks = self.looks.wrapping_add(1);
        let known = self.seen.filter(|_| !self.looks.is_multiple_of(THOROUGH));
        Ok(tokio::task::spawn_blocking(move || look(&folder, known)))
    }
}

#[async_trait::async_trait]
impl Hints for Poll {
    async fn next(&mut self) -> Result<(), Error> {
        loop {
            if self.looking.is_none() {
                tokio::time::sleep_until(self.due).await;
            }
            let looking = match self.looking.take() {
                Some(looking) => looking,
                None => self.look()?,
            };
            let looked = (&mut *self.looking.insert(looking)).await;
            self.looking = None;
            self.due = Instant::now() + PERIOD;
            let seen = match looked {
                Ok(seen) => Some(seen),
                Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                Err(_shutting_down) => return Err(Error::Closed),
            };
            if self.seen != seen {
                self.seen = seen;
                return Ok(());
            }
        }
    }
}

/// Contents are read only when the stamps are not the known ones.
fn look(folder: &Folder, known: Option<Seen>) -> Seen {
    let slots = folder.slots().map_err(|error| error.raw_os_error());
    let reports = slots.iter().flatten().cloned().map(Object::Report);
    let objects = [Object::Document, Object::Request].into_iter().chain(reports);
    let paths: Vec<_> = objects.map(|object| folder.object(&object)).collect();
    let root = folder.root().metadata().map(|root| (root.dev(), root.ino()));
    let stamps = digest(|hasher| {
        (root.map_err(|error| error.raw_os_error()), slots.err()).hash(hasher);
        for path in &paths {
            let stamp = path.metadata().map(|metadata| Stamp::of(&metadata));
            (path, stamp.map_err(|error| error.raw_os_error())).hash(hasher);
        }
    });
    match known {
        Some(known) if known.stamps == stamps => known,
        _ => Seen { stamps, contents: digest(|hasher| contents(&paths, hasher)) },
    }
}

fn contents(paths: &[PathBuf], hasher: &mut Xxh3) {
    for path in paths {
        match object_file::find(path) {
            Ok(Found::Nothing) => 0.hash(hasher),
            Ok(Found::Object { stamp: _, bytes }) => (1, bytes).hash(hasher),
            Ok(Found::TooLarge { bytes }) => (2, bytes).hash(hasher),
            Err(error) => (3, error.raw_os_error()).hash(hasher),
        }
    }
}

fn digest(write: impl FnOnce(&mut Xxh3)) -> u64 {
    let mut hasher = Xxh3::new();
    write(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn folder(root: &Path) -> Arc<Folder> {
        let folder = Folder::new(root, "orders").expect("a good name");
        std::fs::create_dir(folder.path()).expect("the rollout's folder");
        Arc::new(folder)
    }

    #[tokio::test]
    async fn an_edit_that_leaves_no_stamp_is_found_by_its_contents() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = folder(root.path());
        let request = folder.object(&Object::Request);
        std::fs::write(&request, "0").expect("written");
        let before = look(&folder, None);
        std::fs::write(&request, "1").expect("written");
        let Seen { stamps, contents } = look(&folder, None);
        assert_ne!(before.contents, contents);

        // As if the first content had had the second one's stamp: what a coarse clock does.
        let fooled = Seen { stamps, contents: before.contents };
        assert_eq!(look(&folder, Some(fooled)), fooled, "else this test is of no use");
        let mut poll = Poll::new(&folder);
        poll.seen = Some(fooled);
        let hint = tokio::time::timeout(Duration::from_secs(20), poll.next()).await;
        hint.expect("found by its contents").expect("a hint");
        assert!(poll.looks <= THOROUGH, "{} looks", poll.looks);
    }
}
