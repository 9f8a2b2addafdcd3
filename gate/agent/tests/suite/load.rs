//! What two jobs ask of a real server: as much with two subtasks as with many.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::ports::connections;
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_protocol::document::HandOver;

use crate::job::world::{BLUE, GREEN, ROLLOUT, World, quick, until};
use crate::job::{Job, Spec};

/// Over so long the writes of jobs are counted that have nothing but their lives to tell.
const QUIET: Duration = Duration::from_secs(6);
const PARALLELISMS: [u32; 2] = [2, 64];
const ROOT: &str = "/tidegate";
const NAMESPACE: &str = "shop";

enum Server {
    ZooKeeper(ZooKeeper),
    ApiServer(ControlPlane),
}

/// What was counted at the server.
#[derive(Debug)]
struct Load {
    connections: usize,
    quiet: u64,
    /// Over so many seconds.
    seconds: u64,
    cutover: u64,
}

impl Server {
    /// Writes so far.
    async fn writes(&self) -> Result<u64> {
        match self {
            Server::ZooKeeper(server) => {
                let nodes = ["document", "request", "reports/blue-1", "reports/green-1"];
                server.writes(&nodes.map(|node| format!("{ROOT}/{ROLLOUT}/{node}"))).await
            }
            Server::ApiServer(plane) => plane.changes().await,
        }
    }

    fn connections(&self) -> Result<usize> {
        match self {
            Server::ZooKeeper(server) => connections(server.port()),
            Server::ApiServer(plane) => connections(plane.port()),
        }
    }

    /// Two jobs of this many subtasks each, quiet and through a cutover. They are the first that the server sees: connections of
    /// others would close while theirs are counted.
    async fn load(&self, url: String, parallelism: u32) -> Result<Load> {
        let others = self.connections()?;
        let world = World::on(url);
        world.begin(quick()).await;
        let blue = Job::start(&world, Spec::large(BLUE, parallelism), None);
        world.goes_on(BLUE).await;
        let _green = Job::start(&world, Spec::large(GREEN, parallelism), Some(&blue.snapshot().await));
        world.is_ready(GREEN).await;
        let (begin, before) = (Instant::now(), self.writes().await?);
        until("the end of the quiet time", async || (begin.elapsed() >= QUIET).then_some(())).await;
        let after = self.writes().await?;
        let seconds = begin.elapsed().as_secs() + 1; // The counting itself takes time.
        let (connections, quiet) = (self.connections()?.saturating_sub(others), after - before);
        world.cut_over(GREEN, HandOver::Ordered).await;
        world.says("blue's part is settled", |document| document.may_retire(BLUE)).await;
        let cutover = self.writes().await? - after;
        world.goes_on(GREEN).await;
        world.is_exact().await;
        println!(
            "2 x {parallelism} subtasks: {connections} connections, {quiet} writes in {seconds} s, {cutover} in a cutover"
        );
        Ok(Load { connections, quiet, seconds, cutover })
    }
}

/// The same bounds for few subtasks and for many.
fn is_bounded(load: &Load, connections: usize) -> Result<()> {
    ensure!((1..=connections).contains(&load.connections), "{load:?}");
    // One a second of each job, and a few more: a sentence for people, a report that had something to tell.
    ensure!((1..=4 + 2 * load.seconds).contains(&load.quiet), "{load:?}");
    // Fewer than there are subtasks: none of them speaks for itself.
    ensure!((5..=100).contains(&load.cutover), "{load:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_of_zookeeper_does_not_grow_with_subtasks() -> Result<()> {
    Scratch::new("load")?
        .run(async |folder| {
            for parallelism in PARALLELISMS {
                let zookeeper = ZooKeeper::start(&folder.join(parallelism.to_string())).await?;
                zookeeper.cli(&["create", ROOT]).await?;
                let url = format!("zookeeper://{}{ROOT}", zookeeper.host());
                let server = Server::ZooKeeper(zookeeper);
                // One each for blue, green, and a person's tool.
                is_bounded(&server.load(url, parallelism).await?, 3)?;
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_of_an_api_server_does_not_grow_with_subtasks() -> Result<()> {
    Scratch::new("load-kube")?
        .run(async |folder| {
            for parallelism in PARALLELISMS {
                let plane = ControlPlane::start(&folder.join(parallelism.to_string())).await?;
                plane.create_namespace(NAMESPACE).await?;
                let url = format!("configmap://{NAMESPACE}/orders?kubeconfig={}", plane.admin().display());
                let server = Server::ApiServer(plane);
                // A watch and the requests of blue, green, and a person's tool; a few more while they are renewed.
                is_bounded(&server.load(url, parallelism).await?, 12)?;
            }
            Ok(())
        })
        .await
}
