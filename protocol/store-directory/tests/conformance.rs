//! The laws of every store, on both kinds of runtime.

use std::path::Path;
use std::sync::Arc;

use tidegate_store::{Store, conformance};
use tidegate_store_directory::DirectoryStore;

async fn client(root: &Path, rollout: &str) -> Arc<dyn Store> {
    Arc::new(DirectoryStore::open(root, rollout).expect("the root is there"))
}

#[tokio::test]
async fn all_laws_hold_on_one_thread() {
    let root = tempfile::tempdir().expect("a temporary folder");
    conformance::run_all(async |rollout: &str| client(root.path(), rollout).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_laws_hold_on_many_threads() {
    let root = tempfile::tempdir().expect("a temporary folder");
    conformance::run_all(async |rollout: &str| client(root.path(), rollout).await).await;
}

/// Where clocks are coarse and inodes are reused at once.
#[tokio::test]
async fn all_laws_hold_in_memory() {
    let root = tempfile::tempdir_in("/dev/shm").expect("a temporary folder in memory");
    conformance::run_all(async |rollout: &str| client(root.path(), rollout).await).await;
}
