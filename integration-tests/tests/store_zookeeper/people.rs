//! People at work with the server's own command line client, and what they may leave behind.

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_store::{Error, MAX_OBJECT_BYTES, Object, Slot, Store};
use tidegate_store_zookeeper::ZooKeeperStore;

use crate::{get, hinted, open, report};

/// Each edit is a new version and is hinted; also one that deletes and creates, which begins the data version anew.
#[tokio::test]
async fn edits_are_hinted_and_never_bring_a_version_again() -> Result<()> {
    Scratch::new("edits")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let store = open(&server.host())?;
            let mut watch = store.watch();
            let first = store.compare_and_set(&Object::Request, None, b"0").await?;
            server.cli(&["set", "/orders/request", "1"]).await?;
            hinted(&store, &mut watch, b"1").await;
            let stale = store.compare_and_set(&Object::Request, Some(&first), b"lost").await;
            ensure!(stale.is_err_and(|error| error.code() == "StoreConflict"));
            server.cli(&["delete", "/orders/request"]).await?;
            let gone = store.compare_and_set(&Object::Request, Some(&first), b"lost").await;
            ensure!(gone.is_err_and(|error| error.code() == "StoreConflict"));
            server.cli(&["create", "/orders/request", "2"]).await?;
            hinted(&store, &mut watch, b"2").await;
            let again = get(&store, &Object::Request).await?;
            ensure!(again.version != first, "the version {first} came again");
            let stale = store.compare_and_set(&Object::Request, Some(&first), b"lost").await;
            let Err(Error::Conflict { found, .. }) = stale else { panic!("{stale:?}") };
            ensure!(found == Some(again.version));
            ensure!(get(&store, &Object::Request).await?.bytes == b"2");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone_and_what_is_too_large_is_told() -> Result<()> {
    Scratch::new("strange")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let store = open(&server.host())?;
            store.compare_and_set(&report(), None, b"{}").await?;
            server.cli(&["create", "/orders/reports/Notes.txt", "mine"]).await?;
            ensure!(store.reports().await? == [Slot::new("blue-1")?]);
            // Without data; `create` with no value makes a node whose data are absent.
            server.cli(&["create", "/orders/request"]).await?;
            ensure!(get(&store, &Object::Request).await?.bytes.is_empty());
            let limit = MAX_OBJECT_BYTES;
            let large = "x".repeat(limit + 1);
            let version = get(&store, &Object::Request).await?.version;
            let write = store.compare_and_set(&Object::Request, Some(&version), large.as_bytes()).await;
            ensure!(write.is_err_and(|error| error.code() == "StoreTooLarge"));
            let commands = folder.join("commands");
            std::fs::write(&commands, format!("set /orders/request {large}\nquit\n"))?;
            server.cli_from(&commands).await?;
            let error = store.read(&Object::Request).await.expect_err("too large");
            let Error::TooLarge { bytes, .. } = error else { panic!("{error}") };
            ensure!(bytes == limit as u64 + 1);
            Ok(())
        })
        .await
}

/// A wrong path must not look like an empty store.
#[tokio::test]
async fn a_missing_root_is_told_and_never_created() -> Result<()> {
    Scratch::new("root")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let url = format!("zookeeper://{}/team/tidegate", server.host());
            let store = ZooKeeperStore::open(&url, "orders")?;
            let version = tidegate_store::Version::new("0x1.0");
            for error in [
                store.read(&Object::Document).await.map(|_| ()),
                store.reports().await.map(|_| ()),
                store.compare_and_set(&Object::Document, None, b"{}").await.map(|_| ()),
                store.compare_and_set(&report(), None, b"{}").await.map(|_| ()),
                store.compare_and_set(&Object::Document, Some(&version), b"{}").await.map(|_| ()),
            ] {
                let text = error.expect_err("no root").to_string();
                let way_out = format!("zkCli.sh -server {} create /team/tidegate", server.host());
                ensure!(text.starts_with("StoreMissing: ") && text.ends_with(&way_out), "{text}");
            }
            let listed = server.cli(&["ls", "/"]).await?;
            ensure!(listed.contains("[zookeeper]"), "{listed}");
            server.cli(&["create", "/team"]).await?;
            server.cli(&["create", "/team/tidegate"]).await?;
            ensure!(store.read(&Object::Document).await?.is_none());
            store.compare_and_set(&report(), None, b"{}").await?;
            let tree = server.cli(&["ls", "-R", "/team"]).await?;
            let last = tree.lines().last().context("it lists")?;
            ensure!(last == "/team/tidegate/orders/reports/blue-1", "{tree}");
            Ok(())
        })
        .await
}
