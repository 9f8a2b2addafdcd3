//! What a store leaves behind: nothing but two threads of the client library, which never end, for all stores together. A
//! library that is unloaded has to know it.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::ports::connections;
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_store::{Object, Store};
use tokio::runtime::Builder;

use crate::{DEADLINE, open};

const HOST: &str = "TIDEGATE_TEST_ZOOKEEPER";

/// Counts in a process of its own: other tests have threads, too.
#[tokio::test]
async fn two_threads_for_all_stores_outlive_them() -> Result<()> {
    Scratch::new("threads")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let mut test = Command::new(std::env::current_exe()?);
            test.args(["--exact", "threads::counts_threads_and_sockets", "--nocapture"])
                .env(HOST, server.host());
            let output = tokio::process::Command::from(test).output().await?;
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
            ensure!(said.contains("counted"), "{said}");
            Ok(())
        })
        .await
}

/// A store that is dropped in a runtime that goes on ends its session by itself.
#[tokio::test]
async fn a_dropped_store_closes_its_session() -> Result<()> {
    Scratch::new("dropped")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let store = open(&server.host())?;
            store.reports().await?;
            ensure!(connections(server.port())? > 0);
            drop(store);
            wait_until("the connection is closed", DEADLINE, async || {
                let now = connections(server.port())?;
                Ok(Observed::when(now == 0, (), || format!("{now} connections")))
            })
            .await
        })
        .await
}

/// Does nothing, except in the process that `two_threads_for_all_stores_outlive_them` starts.
#[test]
fn counts_threads_and_sockets() -> Result<()> {
    let Some(host) = std::env::var_os(HOST) else { return Ok(()) };
    let host = host.into_string().ok().context("a host")?;
    // The first runtime of a process leaves the sockets of its signals.
    drop(Builder::new_current_thread().enable_all().build()?);
    let (mut expected, sockets_before) = (threads()?, sockets()?);
    // One for all connections, and one that has looked up a name.
    expected.extend(["async-io".to_owned(), "blocking-1".to_owned()]);
    expected.sort();
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.enable_all().worker_threads(2).build()?;
        let named = host.replace("127.0.0.1", "localhost");
        runtime.block_on(async {
            for host in [&host, &named] {
                let store = open(host)?;
                let mut watch = store.watch();
                store.reports().await?;
                tokio::time::timeout(DEADLINE, watch.changed()).await.context("no hint")??;
                store.read(&Object::Document).await?;
            }
            anyhow::Ok(())
        })?;
        drop(runtime);
        Builder::new_current_thread().enable_time().build()?.block_on(wait_until(
            "only the two threads are left",
            DEADLINE,
            async || {
                let now = (threads()?, sockets()?);
                let done = now.0 == expected && now.1 == sockets_before;
                Ok(Observed::when(done, (), || format!("{now:?}, not {expected:?}, {sockets_before}")))
            },
        ))?;
    }
    println!("counted");
    Ok(())
}

/// Their names.
fn threads() -> Result<Vec<String>> {
    let tasks = std::fs::read_dir("/proc/self/task")?.flatten();
    let mut names: Vec<String> = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn sockets() -> Result<usize> {
    let links =
        std::fs::read_dir("/proc/self/fd")?.flatten().filter_map(|it| std::fs::read_link(it.path()).ok());
    Ok(links.filter(|link| link.to_string_lossy().starts_with("socket:")).count())
}
