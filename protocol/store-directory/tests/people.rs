//! People and their tools at work in the directory: each edit is a new version, is hinted, and is not overwritten unseen.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_store::{Object, Store, Stored, Watch};
use tidegate_store_directory::DirectoryStore;

struct Desk {
    root: TempDir,
    store: DirectoryStore,
    watch: Watch,
}

impl Desk {
    /// With a request that says `0`.
    async fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let store = DirectoryStore::open(root.path(), "orders").expect("the root is there");
        store.compare_and_set(&Object::Request, None, b"0").await.expect("written");
        let watch = store.watch();
        Self { root, store, watch }
    }

    fn rollout(&self) -> PathBuf {
        self.root.path().join("orders")
    }

    fn request(&self) -> PathBuf {
        self.rollout().join("request")
    }

    async fn read(&self) -> Option<Stored> {
        self.store.read(&Object::Request).await.expect("readable")
    }

    /// Reads at hints only.
    async fn until(&mut self, what: &str, mut seen: impl AsyncFnMut(&DirectoryStore) -> bool) {
        let waiting = async {
            loop {
                self.watch.changed().await.expect("the store lives");
                if seen(&self.store).await {
                    return;
                }
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        done.unwrap_or_else(|_| panic!("no hint of {what}"));
    }

    async fn until_request_is(&mut self, bytes: &[u8]) {
        self.until(&String::from_utf8_lossy(bytes), async |store| {
            store.read(&Object::Request).await.ok().flatten().is_some_and(|stored| stored.bytes == bytes)
        })
        .await;
    }
}

fn in_place(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("written in place");
}

fn renamed_over(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("swp");
    fs::write(&beside, bytes).expect("written beside");
    fs::rename(beside, path).expect("renamed");
}

fn removed_first(path: &Path, bytes: &[u8]) {
    fs::rename(path, path.with_extension("old")).expect("a backup");
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn every_way_to_edit_is_hinted_and_is_a_new_version() {
    let mut desk = Desk::new().await;
    let mut round = 0;
    for edit in [in_place, renamed_over, removed_first] {
        for _ in 0..3 {
            round += 1;
            let before = desk.read().await.expect("there");
            let bytes = round.to_string();
            edit(&desk.request(), bytes.as_bytes());
            desk.until_request_is(bytes.as_bytes()).await;
            let stale = desk.store.compare_and_set(&Object::Request, Some(&before.version), b"lost").await;
            assert_eq!(stale.expect_err("edited").code(), "StoreConflict");
            assert_eq!(fs::read(desk.request()).expect("there"), bytes.as_bytes());
        }
    }
}

#[tokio::test]
async fn the_same_content_again_is_a_new_version() {
    let mut desk = Desk::new().await;
    for edit in [in_place, renamed_over, removed_first] {
        let before = desk.read().await.expect("there");
        edit(&desk.request(), b"0");
        desk.until("the same content", async |store| {
            store.read(&Object::Request).await.expect("readable").is_some_and(|now| now != before)
        })
        .await;
    }
}

/// Whoever may edit the request before a write of ours may do so after it.
#[tokio::test]
async fn a_file_keeps_its_mode_and_group() {
    let desk = Desk::new().await;
    let known = desk.read().await.expect("there");
    fs::set_permissions(desk.request(), fs::Permissions::from_mode(0o664)).expect("a mode");
    let groups = rustix::process::getgroups().expect("groups");
    let group = groups.into_iter().chain([rustix::process::getegid()]).next().expect("a group");
    std::os::unix::fs::chown(desk.request(), None, Some(group.as_raw())).expect("a group of ours");
    let now = desk.read().await.expect("there");
    assert_ne!(now.version, known.version, "the change time has moved");
    desk.store.compare_and_set(&Object::Request, Some(&now.version), b"1").await.expect("written");
    let metadata = fs::metadata(desk.request()).expect("there");
    assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (0o664, group.as_raw()));
}

/// What `touch -r` or a backup tool does: same inode, same size, same bytes, and the old time of modification.
#[tokio::test]
async fn away_and_back_is_a_new_version() {
    let desk = Desk::new().await;
    let before = desk.read().await.expect("there");
    let modified = fs::metadata(desk.request()).and_then(|it| it.modified()).expect("times");
    fs::rename(desk.request(), desk.rollout().join("backup")).expect("away");
    assert!(desk.read().await.is_none());
    fs::rename(desk.rollout().join("backup"), desk.request()).expect("back");
    File::options().write(true).open(desk.request()).and_then(|it| it.set_modified(modified)).expect("times");
    assert_ne!(desk.read().await.expect("there").version, before.version);
}

/// A clock that goes back, or a file from the future, does not bring a version again.
#[tokio::test]
async fn times_in_the_future_do_not_stop_versions() {
    let desk = Desk::new().await;
    let future = std::time::SystemTime::now() + Duration::from_secs(3_000_000_000);
    File::options().write(true).open(desk.request()).and_then(|it| it.set_modified(future)).expect("times");
    let mut version = desk.read().await.expect("there").version;
    let mut seen = std::collections::HashSet::from([version.clone()]);
    for _ in 0..20 {
        version = desk.store.compare_and_set(&Object::Request, Some(&version), b"0").await.expect("ours");
        assert!(seen.insert(version.clone()), "{version} came again");
    }
}

#[tokio::test]
async fn removal_of_the_file_and_of_the_folder_is_hinted() {
    let mut desk = Desk::new().await;
    fs::remove_file(desk.request()).expect("removed");
    let gone = async |store: &DirectoryStore| store.read(&Object::Request).await.expect("readable").is_none();
    desk.until("the removed file", gone).await;
    desk.store.compare_and_set(&Object::Request, None, b"1").await.expect("created");
    desk.until_request_is(b"1").await;
    fs::remove_dir_all(desk.rollout()).expect("removed");
    desk.until("the removed folder", gone).await;
    desk.store.compare_and_set(&Object::Request, None, b"2").await.expect("created");
    desk.until_request_is(b"2").await;
}

#[tokio::test]
async fn a_root_that_goes_and_comes_back_is_hinted() {
    let mut desk = Desk::new().await;
    desk.until_request_is(b"0").await;
    let (root, away) = (desk.root.path().to_owned(), desk.root.path().with_extension("away"));
    fs::rename(&root, &away).expect("away");
    desk.until("the root being away", async |store| store.read(&Object::Request).await.is_err()).await;
    fs::rename(&away, &root).expect("back");
    desk.until_request_is(b"0").await;
    fs::remove_dir_all(&root).expect("removed");
    desk.until("the root being removed", async |store| store.read(&Object::Request).await.is_err()).await;
    fs::create_dir(&root).expect("created");
    let empty = async |store: &DirectoryStore| matches!(store.read(&Object::Request).await, Ok(None));
    desk.until("the new root", empty).await;
    desk.store.compare_and_set(&Object::Request, None, b"new").await.expect("created");
    desk.until_request_is(b"new").await;
}

/// The time from an edit to its hint: one look, not one second.
#[tokio::test]
async fn hints_are_quick() {
    let mut desk = Desk::new().await;
    desk.until_request_is(b"0").await;
    let mut delays = Vec::new();
    for round in 0..15 {
        let start = Instant::now();
        let bytes = format!("edit {round}");
        in_place(&desk.request(), bytes.as_bytes());
        desk.until_request_is(bytes.as_bytes()).await;
        delays.push(start.elapsed());
    }
    delays.sort();
    println!("from an edit to its hint: median {:?}, worst {:?}", delays[7], delays[14]);
    assert!(delays[7] < Duration::from_millis(500), "{delays:?}");
}

/// Nothing of a store or a watch outlives it: no thread, no open file.
#[test]
fn nothing_outlives_the_runtime() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let open_ours = || {
        let links = fs::read_dir("/proc/self/fd").expect("proc").flatten();
        links.filter_map(|it| fs::read_link(it.path()).ok()).filter(|it| it.starts_with(root.path())).count()
    };
    let ours = |name: &str| {
        let tasks = fs::read_dir("/proc/self/task").expect("proc").flatten();
        let names = tasks.filter_map(|it| fs::read_to_string(it.path().join("comm")).ok());
        names.filter(|it| it.trim_end() == name).count()
    };
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().thread_name("store-test").build().expect("a runtime");
    runtime.block_on(async {
        let store = DirectoryStore::open(root.path(), "orders").expect("the root is there");
        let mut watch = store.watch();
        store.compare_and_set(&Object::Document, None, b"1").await.expect("written");
        watch.changed().await.expect("a hint");
        assert!(ours("store-test") > 0, "the file work runs in threads of the runtime");
    });
    drop(runtime);
    assert_eq!(open_ours(), 0);
    // A thread that has ended, and was waited for, is listed until the system has cleared it away.
    let end = Instant::now() + Duration::from_secs(5);
    while ours("store-test") > 0 {
        assert!(Instant::now() < end, "a thread is left");
        std::thread::yield_now();
    }
}
