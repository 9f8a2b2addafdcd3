//! Agents of two members over a real ZooKeeper server.

use anyhow::{Context as _, Result};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_protocol::document::{HandOver, Outcome};
use tidegate_protocol::report::Report;
use tidegate_protocol::time::When;

use crate::cutover::blue_and_green;
use crate::job::world::{BLUE, GREEN, World, quick};

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
            world.is_back().await;
            // Who was silent for long counts as gone, and who could not use the store as closed, until it says otherwise.
            let back = tidegate_agent::now();
            for member in [BLUE, GREEN] {
                let well = |report: &Report| report.written >= back && report.trouble.is_empty();
                world.reports(member, "is well again", well).await;
            }
            let attempt = world.promote(GREEN, When::Now, None).await.map_err(anyhow::Error::msg)?;
            server.process().context("it runs")?.freeze()?;
            world.goes_on(BLUE).await;
            server.process().context("it runs")?.thaw()?;
            world.is_back().await;
            let past = world.ended(attempt).await;
            assert_eq!(past.outcome, Outcome::Done, "{past:?}");
            world.goes_on(GREEN).await;
            world.is_exact().await;
            Ok(())
        })
        .await
}
