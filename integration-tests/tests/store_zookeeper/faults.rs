//! What servers and networks do: no change is lost, nothing is written twice, and nobody waits for ever.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::proxy::{Network, Proxy};
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_store::{Error, Object, Store};

use crate::{DEADLINE, answers, get, hinted, open};

/// A call ends by itself after 4 s. Whatever ends within this does not hang, on a slow machine too.
const BOUND: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_killed_server_loses_no_change_and_no_watch() -> Result<()> {
    Scratch::new("killed")?
        .run(async |folder| {
            let mut server = ZooKeeper::start(folder).await?;
            let (ours, theirs) = (open(&server.host())?, open(&server.host())?);
            let mut watch = ours.watch();
            let mut version = theirs.compare_and_set(&Object::Request, None, b"0").await?;
            hinted(&ours, &mut watch, b"0").await;
            for round in ["1", "2"] {
                server.kill()?;
                let started = Instant::now();
                let away = theirs.read(&Object::Request).await.expect_err("killed");
                let Error::Unreachable { .. } = &away else { panic!("{away}") };
                ensure!(started.elapsed() < BOUND, "{:?}", started.elapsed());
                let lost = theirs.compare_and_set(&Object::Request, Some(&version), b"lost").await;
                ensure!(lost.as_ref().is_err_and(|error| error.code() == "StoreUnreachable"), "{lost:?}");
                ensure!(away.to_string().contains(&server.host()), "{away}");
                server.restart().await?;
                answers(&theirs).await?;
                ensure!(get(&theirs, &Object::Request).await?.version == version);
                version = theirs.compare_and_set(&Object::Request, Some(&version), round.as_bytes()).await?;
                hinted(&ours, &mut watch, round.as_bytes()).await;
            }
            Ok(())
        })
        .await
}

/// The client is cut off for longer than its session lives, and what changes meanwhile is hinted when it is back.
#[tokio::test]
async fn an_expired_session_is_replaced_and_hinted() -> Result<()> {
    Scratch::new("expired")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let proxy = Proxy::start(server.host()).await?;
            let (ours, theirs) = (open(&proxy.host())?, open(&server.host())?);
            let mut watch = ours.watch();
            let version = theirs.compare_and_set(&Object::Request, None, b"0").await?;
            hinted(&ours, &mut watch, b"0").await;
            proxy.become_so(Network::Parted);
            let version = theirs.compare_and_set(&Object::Request, Some(&version), b"1").await?;
            wait_until("the server has let the session expire", DEADLINE, async || {
                Ok(Observed::when(server.expired_sessions()? > 0, (), || "not in its log".into()))
            })
            .await?;
            let away = ours.read(&Object::Request).await.expect_err("parted");
            ensure!(away.code() == "StoreUnreachable" && away.is_transient(), "{away}");
            // What is hinted from now on is that the connection is back.
            while tokio::time::timeout(Duration::ZERO, watch.changed()).await.is_ok() {}
            proxy.become_so(Network::Whole);
            hinted(&ours, &mut watch, b"1").await;
            ours.compare_and_set(&Object::Request, Some(&version), b"2").await?;
            theirs.read(&Object::Request).await?.context("it is there")?;
            Ok(())
        })
        .await
}

/// A server that hangs: callers hear so in time, and what was in its buffers may be written later.
#[tokio::test]
async fn a_frozen_server_is_told_in_time_and_a_ghost_write_wins_or_loses() -> Result<()> {
    Scratch::new("frozen")?
        .run(async |folder| {
            let mut server = ZooKeeper::start(folder).await?;
            let (ours, theirs) = (open(&server.host())?, open(&server.host())?);
            ours.compare_and_set(&Object::Request, None, b"0").await?;
            theirs.reports().await?;
            server.process().context("it runs")?.freeze()?;
            let started = Instant::now();
            let (read, write) = tokio::join!(
                theirs.read(&Object::Request),
                ours.compare_and_set(&Object::Document, None, b"nonce 1"),
            );
            ensure!(started.elapsed() < BOUND, "{:?}", started.elapsed());
            let error = read.expect_err("frozen");
            ensure!(error.code() == "StoreUnreachable", "{error}");
            let error = write.expect_err("frozen");
            ensure!(error.code() == "StoreAmbiguous", "{error}");
            server.process().context("it runs")?.thaw()?;
            answers(&theirs).await?;
            // The ghost may have come, may come now, or never, if its session was found expired first: one of the two wins.
            let second = theirs.compare_and_set(&Object::Document, None, b"nonce 2").await;
            let expected: &[u8] = match second {
                Ok(_) => b"nonce 2",
                Err(Error::Conflict { .. }) => b"nonce 1",
                Err(error) => return Err(error.into()),
            };
            answers(&ours).await?;
            for store in [&ours, &theirs] {
                ensure!(get(store, &Object::Document).await?.bytes == expected);
            }
            Ok(())
        })
        .await
}

/// The write is done, the answer is lost: the writer is told that it does not know, and finds its nonce.
#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_the_nonce_is_there_once() -> Result<()> {
    Scratch::new("lost-answer")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let proxy = Proxy::start(server.host()).await?;
            let (ours, theirs) = (open(&proxy.host())?, open(&server.host())?);
            let first = ours.compare_and_set(&Object::Document, None, b"nonce 1").await?;
            proxy.become_so(Network::LosesAnswerToWrite);
            let write = ours.compare_and_set(&Object::Document, Some(&first), b"nonce 2").await;
            let error = write.expect_err("the answer is lost");
            ensure!(error.code() == "StoreAmbiguous" && !error.is_transient(), "{error}");
            let ghost = wait_until("the write is there", DEADLINE, async || {
                let stored = get(&theirs, &Object::Document).await?;
                Ok(Observed::when(stored.version != first, stored, || "the old one is there".into()))
            })
            .await?;
            ensure!(ghost.bytes == b"nonce 2", "{ghost:?}");
            answers(&ours).await?;
            ensure!(get(&ours, &Object::Document).await? == ghost, "written once only");
            let stale = ours.compare_and_set(&Object::Document, Some(&first), b"nonce 2").await;
            ensure!(stale.is_err_and(|error| error.code() == "StoreConflict"));
            ours.compare_and_set(&Object::Document, Some(&ghost.version), b"nonce 3").await?;
            Ok(())
        })
        .await
}

/// Two writers over networks that lose answers: each version has one successor, and every increment is there once.
#[tokio::test]
async fn racing_writers_over_a_bad_network_count_right() -> Result<()> {
    Scratch::new("bad-network")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let proxies = [Proxy::start(server.host()).await?, Proxy::start(server.host()).await?];
            let calm = open(&server.host())?;
            calm.compare_and_set(&Object::Document, None, b"").await?;
            let writers = ["a", "b"].into_iter().zip(&proxies).map(|(name, proxy)| append(name, proxy));
            let mut writers = writers.collect::<Vec<_>>();
            let (second, first) = (writers.pop().context("two")?, writers.pop().context("two")?);
            tokio::try_join!(first, second)?;
            let text = String::from_utf8(get(&calm, &Object::Document).await?.bytes)?;
            for name in ["a", "b"] {
                let mine: Vec<&str> = text.split(' ').filter(|word| word.starts_with(name)).collect();
                let expected: Vec<String> = (0..WRITES).map(|number| format!("{name}{number}")).collect();
                ensure!(mine == expected, "{text}");
            }
            Ok(())
        })
        .await
}

const WRITES: usize = 12;

/// Appends words to the document; every third answer is lost. A word that is there already is not written again.
async fn append(name: &str, proxy: &Proxy) -> Result<()> {
    let store = open(&proxy.host())?;
    for number in 0..WRITES {
        if number % 3 == 1 {
            proxy.become_so(Network::LosesAnswerToWrite);
        }
        let word = format!("{name}{number}");
        wait_until(&format!("{word} is written"), DEADLINE, async || {
            let stored = match store.read(&Object::Document).await {
                Ok(stored) => stored.context("the document is there")?,
                Err(error) if error.is_transient() => return Ok(Observed::NotYet(error.to_string())),
                Err(error) => return Err(error.into()),
            };
            let text = String::from_utf8(stored.bytes)?;
            if text.split(' ').any(|there| there == word) {
                return Ok(Observed::Reached(()));
            }
            let longer = format!("{text} {word}");
            match store.compare_and_set(&Object::Document, Some(&stored.version), longer.as_bytes()).await {
                Ok(_) => Ok(Observed::Reached(())),
                Err(
                    error @ (Error::Conflict { .. } | Error::Ambiguous { .. } | Error::Unreachable { .. }),
                ) => Ok(Observed::NotYet(error.to_string())),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
    }
    Ok(())
}

/// Nobody listens, or somebody who speaks another protocol, or a server before which another one has been lost.
#[tokio::test]
async fn a_wrong_address_is_told_with_its_reason() -> Result<()> {
    is_told("127.0.0.1:1", "127.0.0.1:1: Connection refused").await?;
    is_told("no-such-host.invalid", "no-such-host.invalid:2181: ").await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let other = listener.local_addr()?.to_string();
    let answering = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut client, b"HTTP/1.1 400 Bad Request\r\n").await;
        }
    });
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    for host in [other, silent.local_addr()?.to_string()] {
        is_told(&host, &format!("{host}: it accepts connections, but opens no session")).await?;
    }
    answering.abort();
    Ok(())
}

/// A call ends in time, and tells that reason as soon as it is known.
async fn is_told(host: &str, reason: &str) -> Result<()> {
    let store = open(host)?;
    wait_until(&format!("{reason:?} is told"), DEADLINE, async || {
        let read = tokio::time::timeout(BOUND, store.read(&Object::Document)).await?;
        let error = read.expect_err("no ZooKeeper");
        ensure!(error.code() == "StoreUnreachable", "{error}");
        Ok(Observed::when(error.to_string().contains(reason), (), || error.to_string()))
    })
    .await
}

/// Any server of the list serves: the store finds the one that is up.
#[tokio::test]
async fn a_server_that_is_down_is_passed_over() -> Result<()> {
    Scratch::new("list")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            for _ in 0..4 {
                let store = open(&format!("127.0.0.1:1,{}", server.host()))?;
                store.reports().await?;
            }
            Ok(())
        })
        .await
}
