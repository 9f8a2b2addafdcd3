//! What only shows in a process of its own: other tests have threads, sockets and an environment, too.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::kube::Shared;
use tidegate_integration_tests::{Observed, wait_until};
use tidegate_store::{Object, Store};
use tidegate_store_configmap::{ConfigMapStore, Location};
use tokio::runtime::Builder;

use crate::{DEADLINE, report};

const LET: &str = "TIDEGATE_TEST_KUBE";

/// The library that holds a store may be unloaded as soon as the store and its runtime are gone: nothing may be left running.
#[tokio::test]
async fn nothing_outlives_the_store_and_its_runtime() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("process").await?;
    let mut test = Command::new(std::env::current_exe()?);
    test.args(["--exact", "process::opens_by_the_environment_and_counts", "--nocapture"])
        .env("KUBECONFIG", plane.admin())
        .env(LET, "process");
    let output = tokio::process::Command::from(test).output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(said.contains("counted"), "{said}");
    Ok(())
}

/// Does nothing, except in the process that `nothing_outlives_the_store_and_its_runtime` starts.
#[test]
fn opens_by_the_environment_and_counts() -> Result<()> {
    let Some(namespace) = std::env::var_os(LET) else { return Ok(()) };
    let location = Location::parse(&format!("configmap://{}/orders", namespace.display()))?;
    // The first runtime of a process leaves the sockets of its signals.
    drop(Builder::new_current_thread().enable_all().build()?);
    let before = (threads()?, sockets()?);
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.enable_all().worker_threads(2).build()?;
        runtime.block_on(async {
            let store = ConfigMapStore::open(&location, "orders")?;
            let mut watch = store.watch();
            store.reports().await?;
            tokio::time::timeout(DEADLINE, watch.changed()).await.context("no hint")??;
            let known = store.read(&Object::Document).await?.map(|stored| stored.version);
            store.compare_and_set(&Object::Document, known.as_ref(), b"{}").await?;
            ensure!(store.read(&report()).await?.is_none());
            ensure!(sockets()? > before.1, "the connections are counted");
            Ok(())
        })?;
        drop(runtime);
        ensure!(sockets()? == before.1, "{} sockets, {} before", sockets()?, before.1);
        // A thread that has ended, and was waited for, is listed until the system has cleared it away.
        Builder::new_current_thread().enable_time().build()?.block_on(wait_until(
            "no thread is left",
            Duration::from_secs(5),
            async || {
                let now = threads()?;
                Ok(Observed::when(now == before.0, (), || format!("{now} threads, {} before", before.0)))
            },
        ))?;
    }
    let outside = ConfigMapStore::open(&location, "orders").unwrap_err();
    ensure!(outside.code() == "StoreNotAStore", "{outside}");
    println!("counted");
    Ok(())
}

fn threads() -> Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

fn sockets() -> Result<usize> {
    let links =
        std::fs::read_dir("/proc/self/fd")?.flatten().filter_map(|it| std::fs::read_link(it.path()).ok());
    Ok(links.filter(|link| link.to_string_lossy().starts_with("socket:")).count())
}
