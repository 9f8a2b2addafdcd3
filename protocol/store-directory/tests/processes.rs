//! Writers in several processes, some of which are killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tidegate_store::{Error, Object, Store};
use tidegate_store_directory::DirectoryStore;

/// Set in the children, which run the same test again: the root.
const ROOT: &str = "TIDEGATE_TEST_ROOT";

fn child(test: &str, root: &Path) -> Child {
    let this = std::env::current_exe().expect("the test's own program");
    let mut command = Command::new(this);
    command.args(["--exact", test, "--nocapture"]).env(ROOT, root).stdout(Stdio::piped());
    command.spawn().expect("a child")
}

fn open(root: &Path) -> DirectoryStore {
    DirectoryStore::open(root, "orders").expect("the root is there")
}

async fn number(store: &DirectoryStore) -> usize {
    let stored = store.read(&Object::Document).await.expect("readable").expect("there");
    let text = String::from_utf8(stored.bytes).expect("digits");
    text.trim().parse().unwrap_or_else(|_| panic!("half-written: {text:?}"))
}

/// Adds one, padded so that a half-written file would show. False: somebody else was quicker.
async fn increment(store: &DirectoryStore) -> bool {
    let stored = store.read(&Object::Document).await.expect("readable");
    let old =
        stored.as_ref().map_or(0, |it| String::from_utf8_lossy(&it.bytes).trim().parse().expect("a number"));
    let bytes = format!("{:>50000}", old + 1);
    let expected = stored.map(|stored| stored.version);
    match store.compare_and_set(&Object::Document, expected.as_ref(), bytes.as_bytes()).await {
        Ok(_) => true,
        Err(Error::Conflict { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn increment_times(store: &DirectoryStore, times: usize) {
    let mut done = 0;
    while done < times {
        done += usize::from(increment(store).await);
    }
}

#[tokio::test]
async fn racing_processes_lose_no_increment() {
    if let Some(root) = std::env::var_os(ROOT) {
        return increment_times(&open(Path::new(&root)), 40).await;
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    let children = [(); 3].map(|()| child("racing_processes_lose_no_increment", root.path()));
    let store = open(root.path());
    increment_times(&store, 40).await;
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    assert_eq!(number(&store).await, 160);
}

#[tokio::test]
async fn killed_writers_leave_whole_objects_and_no_lock() {
    if let Some(root) = std::env::var_os(ROOT) {
        let store = open(Path::new(&root));
        loop {
            increment(&store).await;
            println!("incremented");
        }
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    let store = open(root.path());
    increment_times(&store, 1).await;
    for round in 0..20 {
        let mut writer = child("killed_writers_leave_whole_objects_and_no_lock", root.path());
        let lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
        let writes = lines.map(|line| line.expect("text")).filter(|line| line.contains("incremented"));
        assert_eq!(writes.take(1 + round % 3).count(), 1 + round % 3, "the writer ended by itself");
        writer.kill().expect("kill -9");
        writer.wait().expect("a child");
        let before = number(&store).await;
        increment_times(&store, 1).await;
        assert_eq!(number(&store).await, before + 1);
        let left: Vec<_> = root.path().join("orders").read_dir().expect("a folder").flatten().collect();
        assert_eq!(left.len(), 2, "besides .lock and document.json: {left:?}");
    }
}
