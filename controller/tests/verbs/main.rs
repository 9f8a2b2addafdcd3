//! The verbs of the command line on real parts: a session cluster by `--url`, then resources of a real API server, whose controller runs
//! jobs on that cluster. One cluster for both: it takes longer to start than all of it.

mod by_resource;
mod by_url;
mod examples;
mod gated;
mod secured;
mod typed;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use examples::Examples;
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::java::job_jar;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::{Observed, Scratch, wait_until, workspace_root};
use tokio::net::UnixStream;
use typed::{DEADLINE, Typed};

/// What the verbs are tried on.
pub(crate) struct World {
    pub(crate) flink: FlinkCluster,
    pub(crate) plane: ControlPlane,
    /// The metronome.
    pub(crate) jar: String,
    /// The metronome with a gate.
    pub(crate) gated_jar: String,
    pub(crate) typed: Typed,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_done() -> Result<()> {
    Scratch::new("verbs")?.run(async |folder| type_all(folder).await).await
}

async fn type_all(folder: &Path) -> Result<()> {
    let settings = Settings::new("1.20.3")
        .task_managers(1, 8)
        .java_flag("-Xmx512m")
        .java_flag("-XX:MaxDirectMemorySize=192m")
        .java_flag("-XX:MaxMetaspaceSize=512m")
        // A TaskManager that is frozen is not given up.
        .with("heartbeat.timeout", "60000")
        // For jobs that say nothing of it.
        .with("execution.checkpointing.interval", "500ms")
        // What is cached is told sooner: most of the time would be spent on waiting for it.
        .with("web.refresh-interval", "500")
        .with("metrics.fetcher.update-interval", "500")
        // A job that fails has failed.
        .with("restart-strategy.type", "none");
    let (flink, plane) =
        tokio::try_join!(FlinkCluster::start(folder, &settings), ControlPlane::start(folder))?;
    let source = workspace_root().join("integration-tests/jobs/Metronome.java");
    let jar = job_jar(folder, &source, flink.libraries())?.display().to_string();
    let gated_jar = gated::jar(folder, flink.libraries())?;
    let typed = Typed::new(&plane.admin(), &folder.join("state"));
    let mut world = World { flink, plane, jar, gated_jar, typed };
    let place = folder.join("examples");
    std::fs::create_dir(&place)?;
    let examples = Examples::read(&world.typed, &place).await?;
    by_url::all(&world).await.context("by --url")?;
    timed("the examples by --url", gated::by_url(&world, &examples)).await?;
    timed("by a token", secured::by_token(&world, folder)).await?;
    timed("by certificates", secured::by_certificates(&world, folder)).await?;
    timed("a sidecar", a_sidecar(&world, &examples)).await?;
    timed("the examples by a store", gated::by_store(&mut world, &examples)).await?;
    by_resource::all(&mut world, &examples, folder).await.context("by a resource")?;
    examples.finish().await
}

/// It listens until a signal ends it.
async fn a_sidecar(world: &World, examples: &Examples) -> Result<()> {
    let socket = examples.folder.join("sidecar.sock");
    examples.replace("/run/tidegate/sidecar.sock", &socket.display().to_string());
    let log = examples.folder.join("sidecar.log");
    let mut sidecar = examples.start("sidecar", &world.plane.admin(), &log)?;
    wait_until("the sidecar listens", DEADLINE, async || {
        sidecar.check_alive()?;
        let tried = UnixStream::connect(&socket).await;
        Ok(Observed::when(tried.is_ok(), (), || format!("{tried:?}")))
    })
    .await?;
    sidecar.terminate()?;
    wait_until("the sidecar ends", DEADLINE, async || {
        let ended = sidecar.ended()?;
        Ok(Observed::when(ended.is_some_and(|ended| ended.success()), (), || format!("{ended:?}")))
    })
    .await
}

async fn timed(what: &str, part: impl Future<Output = Result<()>>) -> Result<()> {
    let begin = Instant::now();
    part.await.with_context(|| what.to_owned())?;
    println!("{what}: {:?}", begin.elapsed());
    Ok(())
}
