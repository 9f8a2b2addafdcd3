//! Agents of two members over a real API server.

use anyhow::{Context as _, Result};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::kube::{ControlPlane, Shared};
use tidegate_protocol::document::{HandOver, Outcome};
use tidegate_protocol::time::When;

use crate::cutover::blue_and_green;
use crate::job::world::{BLUE, GREEN, World, quick};

fn url(plane: &ControlPlane, namespace: &str) -> String {
    format!("configmap://{namespace}/orders?kubeconfig={}", plane.admin().display())
}

#[tokio::test]
async fn a_cutover_and_its_reverse_over_config_maps_are_exact() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("agents").await?;
    let world = World::on(url(&plane, "agents"));
    world.begin(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.cut_over(BLUE, HandOver::Overlapped).await;
    world.goes_on(BLUE).await;
    world.is_exact().await;
    Ok(())
}

/// While the server is away the output flows on under the orders that there are, and a cutover is made when it is back.
#[tokio::test]
async fn output_goes_on_while_the_server_is_dead_and_a_cutover_after_it() -> Result<()> {
    Scratch::new("agents-dead")?
        .run(async |folder| {
            let mut plane = ControlPlane::start(folder).await?;
            plane.create_namespace("agents").await?;
            let world = World::on(url(&plane, "agents"));
            world.begin(quick()).await;
            let (_blue, _green) = blue_and_green(&world).await;
            plane.kill()?;
            world.goes_on(BLUE).await;
            plane.restart().await?;
            world.is_back().await;
            world.is_ready(GREEN).await;
            let attempt = world.promote(GREEN, When::Now, None).await.ok().context("taken up")?;
            plane.process().context("it runs")?.freeze()?;
            world.goes_on(BLUE).await;
            plane.process().context("it runs")?.thaw()?;
            world.is_back().await;
            let past = world.ended(attempt).await;
            assert_eq!(past.outcome, Outcome::Done, "{past:?}");
            world.goes_on(GREEN).await;
            world.is_exact().await;
            Ok(())
        })
        .await
}
