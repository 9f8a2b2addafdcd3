//! The store in ZooKeeper on a real server: the laws, what a server and a network do to them, people, and rights.

mod ensemble;
mod faults;
mod people;
mod rights;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_store::{Error, Object, Slot, Store, Stored, Watch, conformance};
use tidegate_store_zookeeper::ZooKeeperStore;

const DEADLINE: Duration = Duration::from_secs(90);

fn open(host: &str) -> Result<ZooKeeperStore> {
    Ok(ZooKeeperStore::open(&format!("zookeeper://{host}/"), "orders")?)
}

fn report() -> Object {
    Object::Report(Slot::new("blue-1").expect("a good name"))
}

async fn get(store: &ZooKeeperStore, object: &Object) -> Result<Stored, Error> {
    Ok(store.read(object).await?.unwrap_or_else(|| panic!("{object} is not there")))
}

/// Reads at hints only, until the request holds `bytes`; a store that is away is asked again at the next hint.
async fn hinted(store: &ZooKeeperStore, watch: &mut Watch, bytes: &[u8]) {
    let waiting = async {
        loop {
            watch.changed().await.expect("the store lives");
            let read = store.read(&Object::Request).await;
            if read.ok().flatten().is_some_and(|stored| stored.bytes == bytes) {
                return;
            }
        }
    };
    let done = tokio::time::timeout(DEADLINE, waiting).await;
    done.unwrap_or_else(|_| panic!("no hint of {:?}", String::from_utf8_lossy(bytes)));
}

/// Until a store that was away answers again.
async fn answers(store: &ZooKeeperStore) -> Result<()> {
    wait_until("the store answers", DEADLINE, async || {
        Ok(Observed::or_not_yet(store.reports().await.map(|_| Observed::Reached(())).map_err(Into::into)))
    })
    .await
}

/// The laws under which the machines were proved.
async fn all_laws_hold(host: String) {
    conformance::run_all(async |rollout: &str| {
        let store = ZooKeeperStore::open(&format!("zookeeper://{host}/"), rollout);
        Arc::new(store.expect("a good URL")) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn all_laws_hold_on_one_thread() -> Result<()> {
    Scratch::new("laws")?
        .run(async |folder| {
            all_laws_hold(ZooKeeper::start(folder).await?.host()).await;
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_laws_hold_on_many_threads() -> Result<()> {
    Scratch::new("laws-threads")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            all_laws_hold(server.host()).await;
            Ok(())
        })
        .await
}
