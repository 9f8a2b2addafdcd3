//! The verbs of the command line on real parts: a session cluster by `--url`, then resources of a real API server, whose controller runs
//! jobs on that cluster. One cluster for both: it takes longer to start than all of it.

mod by_resource;
mod by_url;
mod typed;

use std::path::Path;

use anyhow::{Context as _, Result};
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::java::job_jar;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::{Scratch, workspace_root};
use typed::Typed;

/// What the verbs are tried on.
pub(crate) struct World {
    pub(crate) flink: FlinkCluster,
    pub(crate) plane: ControlPlane,
    /// The metronome.
    pub(crate) jar: String,
    pub(crate) typed: Typed,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_done() -> Result<()> {
    Scratch::new("verbs")?.run(async |folder| type_all(folder).await).await
}

async fn type_all(folder: &Path) -> Result<()> {
    let settings = Settings::new("1.20.3")
        .task_managers(1, 6)
        // What is cached is told sooner: most of the time would be spent on waiting for it.
        .with("web.refresh-interval", "500")
        .with("metrics.fetcher.update-interval", "500")
        // A job that fails has failed.
        .with("restart-strategy.type", "none");
    let (flink, plane) =
        tokio::try_join!(FlinkCluster::start(folder, &settings), ControlPlane::start(folder))?;
    let source = workspace_root().join("integration-tests/jobs/Metronome.java");
    let jar = job_jar(folder, &source, flink.libraries())?.display().to_string();
    let typed = Typed::new(&plane.admin(), &folder.join("state"));
    let mut world = World { flink, plane, jar, typed };
    by_url::all(&world).await.context("by --url")?;
    by_resource::all(&mut world, folder).await.context("by a resource")
}
