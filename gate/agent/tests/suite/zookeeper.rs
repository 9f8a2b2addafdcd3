//! Agents of two members over a real ZooKeeper server, and people with its command line client.

use std::path::Path;

use anyhow::{Context as _, Result};
use tidegate_agent::Rollout;
use tidegate_integration_tests::proxy::{Network, Proxy};
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_protocol::document::{Document, HandOver, Outcome};
use tidegate_protocol::identity::Attempt;
use tidegate_protocol::request::Request;
use tidegate_protocol::time::When;

use crate::cutover::{blue_and_green, both_are_well_again, is_made_over_a_freeze};
use crate::job::world::{BLUE, GREEN, PATIENCE, ROLLOUT, World, quick};
use crate::job::{Job, Spec};

#[tokio::test]
async fn a_cutover_and_its_reverse_over_zookeeper_are_exact() -> Result<()> {
    Scratch::new("agents")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let world = World::on(format!("zookeeper://{}/", server.host()));
            world.begin(quick()).await;
            let (_blue, _green) = blue_and_green(&world).await;
            world.cut_over(GREEN, HandOver::Ordered).await;
            world.goes_on(GREEN).await;
            world.cut_over(BLUE, HandOver::Overlapped).await;
            world.goes_on(BLUE).await;
            world.is_exact().await;
            Ok(())
        })
        .await
}

/// Both agents are cut off from the server for longer than their sessions live, and a person asks for a cutover meanwhile.
#[tokio::test]
async fn a_cutover_that_is_asked_for_during_a_partition_is_made_after_it() -> Result<()> {
    Scratch::new("parted")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let world = World::on(format!("zookeeper://{}/", server.host()));
            world.begin(quick()).await;
            let network = Proxy::start(server.host()).await?;
            let through = || Rollout::open(&format!("zookeeper://{}/", network.host()), ROLLOUT);
            let blue = Job::start_on(&world, Spec::new(BLUE, 2), None, through()?);
            world.goes_on(BLUE).await;
            let from = blue.snapshot().await;
            let green = Job::start_on(&world, Spec::new(GREEN, 3), Some(&from), through()?);
            world.is_ready(GREEN).await;

            network.become_so(Network::Parted);
            let ask = Request::Promote { at: When::Now, to: Some(GREEN), hand_over: None };
            let asked = world.rollout().ask(&ask).await?;
            blue.logs("StoreUnreachable").await;
            green.logs("StoreUnreachable").await;
            world.goes_on(BLUE).await;
            wait_until("both sessions have expired", PATIENCE, async || {
                let expired = server.expired_sessions()?;
                Ok(Observed::when(expired >= 2, (), || format!("{expired} have")))
            })
            .await?;
            let before = world.document().await;
            assert_eq!((before.answered, before.cutover), (None, None));

            network.become_so(Network::Whole);
            let answered = |document: &Document| {
                document.answered.as_ref().is_some_and(|answer| answer.request == asked)
            };
            let document = world.says("the answer to what was asked meanwhile", answered).await;
            let attempt = document.answered.and_then(|answer| answer.attempt).context("it was refused")?;
            let past = world.ended(attempt).await;
            assert_eq!(past.outcome, Outcome::Done, "{past:?}");
            world.goes_on(GREEN).await;
            world.is_exact().await;
            world.is_cut(&past);
            Ok(())
        })
        .await
}

/// While the server is away the output flows on under the orders that there are, and a cutover is made when it is back.
#[tokio::test]
async fn output_goes_on_while_the_server_is_dead_and_a_cutover_after_it() -> Result<()> {
    Scratch::new("dead")?
        .run(async |folder| {
            let mut server = ZooKeeper::start(folder).await?;
            let world = World::on(format!("zookeeper://{}/", server.host()));
            world.begin(quick()).await;
            let (_blue, _green) = blue_and_green(&world).await;
            server.kill()?;
            world.goes_on(BLUE).await;
            server.restart().await?;
            both_are_well_again(&world).await;
            is_made_over_a_freeze(&world, server.process()).await
        })
        .await
}

/// What people type: `zkCli.sh set /tidegate/orders/request 'promote: now'`, and the same in its own shell.
#[tokio::test]
async fn what_is_set_with_zkcli_is_taken_once_and_answered_there() -> Result<()> {
    Scratch::new("zkcli")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            server.cli(&["create", "/tidegate"]).await?;
            let world = World::on(format!("zookeeper://{}/tidegate", server.host()));
            world.begin(quick()).await;
            let (_blue, _green) = blue_and_green(&world).await;
            server.cli(&["set", REQUEST, "promote: now"]).await?;
            let first = world.ended(Attempt(1)).await;
            assert_eq!((first.outcome, first.terms.to), (Outcome::Done, GREEN));
            // A proposal that came too late is replaced by another attempt of the same request.
            let Attempt(first) = first.terms.attempt;
            let told = shows(&server, &format!("status: attempt {first} is done. green-1 is active")).await?;
            assert!(told.contains("\ntaken: ") && !told.contains("\npromote"), "{told}");
            let before = world.document().await;
            for (edit, answer) in [
                ("promote: soon", "write now, +30s, an RFC 3339 time"),
                ("promot: now", "is not known; keys are promote, to,"),
                ("promote now [", "#! status: RequestUnreadable: "),
            ] {
                server.cli(&["set", REQUEST, edit]).await?;
                let told = shows(&server, "RequestUnreadable: ").await?;
                assert!(told.contains(answer) && told.contains(edit), "it stays to be mended: {told}");
            }
            assert_eq!(world.document().await, before);
            in_the_shell(&server, folder, "set /tidegate/orders/request 'promote: now'").await?;
            let second = world.ended(Attempt(first + 1)).await;
            let told = "the same value is a new request";
            assert_eq!((second.outcome, second.terms.to), (Outcome::Done, BLUE), "{told}");
            let Attempt(last) = second.terms.attempt;
            shows(&server, &format!("status: attempt {last} is done. blue-1 is active")).await?;
            world.goes_on(BLUE).await;
            world.is_exact().await;
            assert_eq!(world.document().await.attempts, Attempt(last), "each was taken once");
            Ok(())
        })
        .await
}

const REQUEST: &str = "/tidegate/orders/request";

/// Waits until the node says so; what it said then.
async fn shows(server: &ZooKeeper, part: &str) -> Result<String> {
    wait_until(&format!("{part:?} in the node"), PATIENCE, async || {
        let told = server.cli(&["get", REQUEST]).await?;
        Ok(if told.contains(part) { Observed::Reached(told) } else { Observed::NotYet(told) })
    })
    .await
}

async fn in_the_shell(server: &ZooKeeper, folder: &Path, command: &str) -> Result<()> {
    let commands = folder.join("commands");
    std::fs::write(&commands, format!("{command}\nquit\n"))?;
    server.cli_from(&commands).await?;
    Ok(())
}
