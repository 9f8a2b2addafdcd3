//! A server that is killed, stands still, or forgets old versions.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_store::{Error, Object, Store, Version};
use tidegate_store_configmap::ConfigMapStore;

use crate::{DEADLINE, answers, get, hinted, hinted_bytes, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_no_write_and_no_hint() -> Result<()> {
    Scratch::new("kube-killed")?
        .run(async |folder| {
            let mut plane = ControlPlane::start(folder).await?;
            plane.create_namespace("shop").await?;
            let admin = plane.admin();
            let (ours, theirs) = (open(&admin, "shop")?, Arc::new(open(&admin, "shop")?));
            let mut watch = ours.watch();
            let first = theirs.compare_and_set(&Object::Document, None, b"0").await?;
            let writer = tokio::spawn(count(Arc::clone(&theirs), first.clone()));
            hinted(&mut watch, "the tenth write", async || Ok(number(&ours).await? >= 10)).await?;

            plane.kill()?;
            let (acknowledged, unsure) = writer.await??;
            let error = ours.read(&Object::Document).await.unwrap_err();
            ensure!(error.code() == "StoreUnreachable" && error.is_transient(), "{error}");
            let error = ours.compare_and_set(&Object::Request, None, b"").await.unwrap_err();
            ensure!(error.code() == "StoreUnreachable", "{error}");
            let error = theirs.compare_and_set(&Object::Document, Some(&first), b"").await.unwrap_err();
            ensure!(error.code() == "StoreUnreachable", "nothing was sent: {error}");

            plane.restart().await?;
            answers(&ours).await?;
            let kept = number(&ours).await?;
            ensure!(kept == acknowledged || Some(kept) == unsure, "{kept}, {acknowledged}, {unsure:?}");
            // The server has forgotten what was before: who resumes there is turned away. Nobody of ours does.
            expired(&admin, &first).await?;
            let known = get(&theirs, &Object::Document).await?.version;
            theirs.compare_and_set(&Object::Document, Some(&known), b"after").await?;
            hinted_bytes(&ours, &mut watch, &Object::Document, b"after").await?;
            let error = ours.compare_and_set(&Object::Document, Some(&first), b"stale").await.unwrap_err();
            ensure!(error.code() == "StoreConflict", "{error}");
            Ok(())
        })
        .await
}

/// Writes until it cannot: the last number that was acknowledged, and the one of which nothing is known.
async fn count(store: Arc<ConfigMapStore>, mut version: Version) -> Result<(u64, Option<u64>)> {
    for next in 1.. {
        match store.compare_and_set(&Object::Document, Some(&version), next.to_string().as_bytes()).await {
            Ok(written) => version = written,
            Err(Error::Ambiguous { .. }) => return Ok((next - 1, Some(next))),
            Err(Error::Unreachable { .. }) => return Ok((next - 1, None)),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("it wrote for ever")
}

async fn number(store: &ConfigMapStore) -> Result<u64, Error> {
    let stored = store.read(&Object::Document).await?;
    Ok(stored.and_then(|stored| String::from_utf8_lossy(&stored.bytes).parse().ok()).unwrap_or(0))
}

/// A watch from that version on is answered with 410.
async fn expired(kubeconfig: &Path, version: &Version) -> Result<()> {
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &options).await?;
    let api: Api<ConfigMap> = Api::namespaced(Client::try_from(config)?, "shop");
    let (resource_version, _) = version.as_str().split_once('-').context("a version of ours")?;
    let events = match api.watch(&WatchParams::default(), resource_version).await {
        Ok(events) => events,
        Err(kube::Error::Api(status)) if status.code == 410 => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match std::pin::pin!(events).next().await.context("the watch ended")? {
        Ok(WatchEvent::Error(status)) if status.code == 410 => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 410 => Ok(()),
        other => bail!("not expired: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_waited_for_in_vain_and_found_again() -> Result<()> {
    Scratch::new("kube-frozen")?
        .run(async |folder| {
            let mut plane = ControlPlane::start(folder).await?;
            plane.create_namespace("shop").await?;
            let admin = plane.admin();
            let (ours, theirs) = (open(&admin, "shop")?, open(&admin, "shop")?);
            let mut watch = ours.watch();
            let old = ours.compare_and_set(&Object::Document, None, b"old").await?;
            hinted_bytes(&ours, &mut watch, &Object::Document, b"old").await?;

            plane.process().context("it runs")?.freeze()?;
            let ghost = ours.compare_and_set(&Object::Document, Some(&old), b"ghost").await.unwrap_err();
            ensure!(ghost.code() == "StoreAmbiguous" && !ghost.is_transient(), "it was sent: {ghost}");
            for error in [
                ours.read(&Object::Document).await.map(drop).unwrap_err(),
                ours.reports().await.map(drop).unwrap_err(),
                theirs.read(&Object::Document).await.map(drop).unwrap_err(),
            ] {
                ensure!(error.code() == "StoreUnreachable", "{error}");
            }
            plane.process().context("it runs")?.thaw()?;
            answers(&ours).await?;
            answers(&theirs).await?;

            // The ghost may have come true, and nothing else; who expected the old version knows in either case.
            let found = get(&theirs, &Object::Document).await?;
            match theirs.compare_and_set(&Object::Document, Some(&old), b"new").await {
                Ok(_) => ensure!(found.version == old),
                Err(Error::Conflict { .. }) => {
                    let found = get(&theirs, &Object::Document).await?;
                    ensure!(found.bytes == b"ghost");
                    theirs.compare_and_set(&Object::Document, Some(&found.version), b"new").await?;
                }
                Err(error) => return Err(error.into()),
            }
            hinted_bytes(&ours, &mut watch, &Object::Document, b"new").await
        })
        .await
}

/// The server has the request, and is killed before it says anything: nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_sent_to_a_server_that_died_is_ambiguous() -> Result<()> {
    Scratch::new("kube-died")?
        .run(async |folder| {
            let mut plane = ControlPlane::start(folder).await?;
            plane.create_namespace("shop").await?;
            let store = Arc::new(open(&plane.admin(), "shop")?);
            let version = store.compare_and_set(&Object::Document, None, b"old").await?;
            plane.process().context("it runs")?.freeze()?;
            let writer = Arc::clone(&store);
            let write = tokio::spawn(async move {
                writer.compare_and_set(&Object::Document, Some(&version), b"new").await
            });
            let port = plane.url().rsplit(':').next().context("a port")?.parse()?;
            wait_until("the request is in the server's socket", DEADLINE, async || {
                let bytes = unread(port)?;
                Ok(Observed::when(bytes > 0, (), || "nothing".into()))
            })
            .await?;
            plane.kill()?;
            let error = write.await?.unwrap_err();
            ensure!(error.code() == "StoreAmbiguous", "{error}");
            Ok(())
        })
        .await
}

/// Bytes that wait in the sockets of a server on this port.
fn unread(port: u16) -> Result<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let local = format!(":{port:04X}");
    let mut sum = 0;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields[1].ends_with(&local) && fields[3] == "01" {
            let (_, received) = fields[4].split_once(':').context("two queues")?;
            sum += u64::from_str_radix(received, 16)?;
        }
    }
    Ok(sum)
}
