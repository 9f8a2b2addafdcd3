//! Several servers: reads see what was written elsewhere, and the leader may go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::zookeeper::Ensemble;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_store::{Object, Store, conformance};
use tidegate_store_zookeeper::ZooKeeperStore;

use crate::{DEADLINE, answers, get, hinted, open};

/// Each client has another server than the one before: one may be behind, or the leader, and must not show it.
#[tokio::test]
async fn all_laws_hold_over_all_servers() -> Result<()> {
    Scratch::new("laws-ensemble")?
        .run(async |folder| {
            let ensemble = Ensemble::start(folder).await?;
            let (hosts, next) = (ensemble.hosts(), AtomicUsize::new(0));
            conformance::run_all(async |rollout: &str| {
                let host = &hosts[next.fetch_add(1, Ordering::Relaxed) % hosts.len()];
                let store = ZooKeeperStore::open(&format!("zookeeper://{host}/"), rollout);
                Arc::new(store.expect("a good URL")) as Arc<dyn Store>
            })
            .await;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_leader_that_hangs_or_dies_is_replaced_and_nothing_is_lost() -> Result<()> {
    Scratch::new("leader")?
        .run(async |folder| {
            let mut ensemble = Ensemble::start(folder).await?;
            let hosts = ensemble.hosts().join(",");
            let (ours, theirs) = (open(&hosts)?, open(&hosts)?);
            let mut watch = ours.watch();
            theirs.compare_and_set(&Object::Request, None, b"0").await?;
            hinted(&ours, &mut watch, b"0").await;
            ensemble.leader().await?.process().context("it runs")?.freeze()?;
            replace(&theirs, b"1").await?;
            hinted(&ours, &mut watch, b"1").await;
            ensemble.thaw_all()?;
            ensemble.leader().await?.kill()?;
            replace(&theirs, b"2").await?;
            hinted(&ours, &mut watch, b"2").await;
            Ok(())
        })
        .await
}

/// Writes once, over an election: what may have been written is looked for first.
async fn replace(store: &ZooKeeperStore, bytes: &[u8]) -> Result<()> {
    let mut unsure = false;
    wait_until("it is written", DEADLINE, async || {
        answers(store).await?;
        let Ok(stored) = get(store, &Object::Request).await else {
            return Ok(Observed::NotYet("it cannot be read".into()));
        };
        if stored.bytes == bytes {
            return Ok(Observed::Reached(()));
        }
        match store.compare_and_set(&Object::Request, Some(&stored.version), bytes).await {
            Ok(_) => Ok(Observed::NotYet("it is to be looked at".into())),
            Err(error) => {
                // An earlier one of which nothing was known may come now, and is found by the next look.
                ensure!(unsure || error.code() != "StoreConflict", "nobody else writes: {error}");
                unsure |= error.code() == "StoreAmbiguous";
                Ok(Observed::NotYet(error.to_string()))
            }
        }
    })
    .await
}
