//! A directory that is not as it should be: each error says what, where and the way out, and nothing half-written stays.

mod mount;

use std::error::Error as _;
use std::path::Path;
use std::process::Command;

use mount::Mount;
use tempfile::TempDir;
use tidegate_store::{Error, MAX_OBJECT_BYTES, Object, Slot, Store};
use tidegate_store_directory::DirectoryStore;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(root: &Path) -> DirectoryStore {
    DirectoryStore::open(root, "orders").expect("the root is there")
}

fn report() -> Object {
    Object::Report(Slot::new("blue-1").expect("a good name"))
}

/// All files under the root, hidden ones too.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("under the root").display().to_string();
            if path.is_dir() { folders.push(path) } else { found.push(name) }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_missing_root_is_an_error_and_stays_missing() {
    let parent = folder();
    let root = parent.path().join("not/yet");
    let error = DirectoryStore::open(&root, "orders").expect_err("missing");
    assert_eq!(error.code(), "StoreMissing");
    assert!(error.to_string().contains(&format!("mkdir -p {}", root.display())), "{error}");
    assert!(files(parent.path()).is_empty());
}

#[tokio::test]
async fn a_root_that_goes_missing_is_not_an_empty_store() {
    let parent = folder();
    let root = parent.path().join("root");
    std::fs::create_dir(&root).expect("created");
    let store = open(&root);
    let version = store.compare_and_set(&Object::Document, None, b"1").await.expect("written");
    std::fs::rename(&root, parent.path().join("away")).expect("moved");
    for error in [
        store.read(&Object::Document).await.map(|_| ()).expect_err("away"),
        store.reports().await.map(|_| ()).expect_err("away"),
        store.compare_and_set(&Object::Document, None, b"2").await.map(|_| ()).expect_err("away"),
        store.compare_and_set(&Object::Document, Some(&version), b"2").await.map(|_| ()).expect_err("away"),
    ] {
        assert_eq!(error.code(), "StoreMissing");
        assert!(error.is_transient(), "a mount may come back");
    }
    assert!(!root.exists(), "it was created");
    std::fs::rename(parent.path().join("away"), &root).expect("moved back");
    let stored = store.read(&Object::Document).await.expect("back").expect("there");
    assert_eq!((stored.version, stored.bytes.as_slice()), (version, b"1".as_slice()));
}

#[tokio::test]
async fn reads_create_nothing() {
    let root = folder();
    let store = open(root.path());
    assert!(store.read(&report()).await.expect("empty").is_none());
    assert!(store.reports().await.expect("empty").is_empty());
    drop(store.watch());
    assert_eq!(root.path().read_dir().expect("a folder").count(), 0);
}

#[tokio::test]
async fn files_where_folders_should_be() {
    let parent = folder();
    let file = parent.path().join("file");
    std::fs::write(&file, "").expect("written");
    for root in [file.clone(), file.join("below")] {
        let error = DirectoryStore::open(&root, "orders").expect_err("no folder");
        assert_eq!(error.code(), "StoreNotAStore", "{error}");
    }
    std::fs::write(parent.path().join("orders"), "").expect("written");
    let store = open(parent.path());
    for error in [
        store.read(&report()).await.map(|_| ()).expect_err("no folder"),
        store.compare_and_set(&report(), None, b"").await.map(|_| ()).expect_err("no folder"),
    ] {
        assert_eq!(error.code(), "StoreNotAStore", "{error}");
        assert!(error.source().is_some() && !error.is_transient());
    }
}

#[tokio::test]
async fn folders_and_pipes_where_files_should_be() {
    let root = folder();
    let rollout = root.path().join("orders");
    std::fs::create_dir_all(rollout.join("document.json")).expect("created");
    let pipe = Command::new("mkfifo").arg(rollout.join("request")).status().expect("mkfifo");
    assert!(pipe.success());
    let store = open(root.path());
    for object in [Object::Document, Object::Request] {
        for error in [
            store.read(&object).await.map(|_| ()).expect_err("no file"),
            store.compare_and_set(&object, None, b"").await.map(|_| ()).expect_err("no file"),
        ] {
            assert_eq!(error.code(), "StoreNotAStore", "{object}: {error}");
        }
    }
    assert_eq!(files(&rollout), [".lock", "request"]);
}

#[tokio::test]
async fn a_read_only_directory_is_read_and_says_so() {
    let mount = Mount::with("64k", "mkdir -p orders");
    let store = open(&mount.root());
    let version = store.compare_and_set(&Object::Document, None, b"1").await.expect("writable");
    mount.run("mount -o remount,ro /mnt");
    for expected in [None, Some(&version)] {
        let error = store.compare_and_set(&Object::Document, expected, b"2").await.expect_err("read-only");
        assert_eq!(error.code(), "StoreReadOnly");
        assert!(error.to_string().contains("/orders cannot be written: mount it writable"), "{error}");
    }
    let stored = store.read(&Object::Document).await.expect("readable").expect("there");
    assert_eq!((stored.version, stored.bytes.as_slice()), (version.clone(), b"1".as_slice()));
    mount.run("mount -o remount,rw /mnt");
    store.compare_and_set(&Object::Document, Some(&version), b"2").await.expect("writable again");
}

/// `/sys` takes no folder from anybody, root included.
#[tokio::test]
async fn a_directory_that_refuses_us_says_so() {
    let error =
        open(Path::new("/sys")).compare_and_set(&Object::Document, None, b"1").await.expect_err("/sys");
    assert_eq!(error.code(), "StoreReadOnly", "{error}");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_object_and_no_debris() {
    let mount = Mount::new("64k");
    let store = open(&mount.root());
    let version = store.compare_and_set(&Object::Document, None, b"old").await.expect("space");
    let large = vec![1; 100 * 1024];
    for (object, expected) in [(Object::Document, Some(&version)), (Object::Request, None)] {
        let error = store.compare_and_set(&object, expected, &large).await.expect_err("no space");
        assert_eq!(error.code(), "StoreFull");
        assert!(error.is_transient());
    }
    assert_eq!(files(&mount.root()), ["orders/.lock", "orders/document.json"]);
    let stored = store.read(&Object::Document).await.expect("readable").expect("there");
    assert_eq!((stored.version, stored.bytes.as_slice()), (version.clone(), b"old".as_slice()));
    store.compare_and_set(&Object::Document, Some(&version), b"small").await.expect("space for this");
}

#[tokio::test]
async fn what_a_crash_left_is_ignored_and_removed() {
    let root = folder();
    let rollout = root.path().join("orders");
    std::fs::create_dir_all(rollout.join("reports")).expect("created");
    std::fs::write(rollout.join(".new-abc123"), "half a docu").expect("written");
    let store = open(root.path());
    assert!(store.read(&Object::Document).await.expect("readable").is_none());
    assert!(store.reports().await.expect("readable").is_empty());
    store.compare_and_set(&report(), None, b"{}").await.expect("written");
    assert_eq!(files(&rollout), [".lock", "reports/blue-1.json"]);
}

#[tokio::test]
async fn files_that_are_not_ours_are_left_alone() {
    let root = folder();
    let reports = root.path().join("orders/reports");
    std::fs::create_dir_all(&reports).expect("created");
    for name in ["notes.txt", "blue-1.json~", ".blue-1.json.swp", "Blue.json", "blue-1"] {
        std::fs::write(reports.join(name), "").expect("written");
    }
    let store = open(root.path());
    store.compare_and_set(&report(), None, b"{}").await.expect("written");
    assert_eq!(store.reports().await.expect("readable"), [Slot::new("blue-1").expect("a good name")]);
    assert_eq!(files(&reports).len(), 6);
}

#[tokio::test]
async fn a_file_over_the_limit_is_neither_read_nor_replaced() {
    let root = folder();
    let store = open(root.path());
    let version = store.compare_and_set(&Object::Request, None, b"{}").await.expect("written");
    let path = root.path().join("orders/request");
    std::fs::write(&path, vec![b' '; MAX_OBJECT_BYTES + 1]).expect("written");
    for error in [
        store.read(&Object::Request).await.map(|_| ()).expect_err("too large"),
        store
            .compare_and_set(&Object::Request, Some(&version), b"")
            .await
            .map(|_| ())
            .expect_err("too large"),
    ] {
        let Error::TooLarge { bytes, limit, .. } = error else { panic!("{error}") };
        assert_eq!((bytes, limit), (limit + 1, MAX_OBJECT_BYTES as u64));
    }
}
