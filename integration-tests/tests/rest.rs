//! The REST client against both Flink versions: a job is run, looked at, snapshotted, disturbed, stopped.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::java::job_jar;
use tidegate_integration_tests::rest::{Job, JobState, RunRequest};
use tidegate_integration_tests::{Observed, Scratch, wait_until, workspace_root};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_s_life_on_flink_1() -> Result<()> {
    Scratch::new("rest-1")?.run(async |folder| a_job_s_life(folder, "1.20.3").await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_s_life_on_flink_2() -> Result<()> {
    Scratch::new("rest-2")?.run(async |folder| a_job_s_life(folder, "2.3.0").await).await
}

async fn a_job_s_life(folder: &Path, version: &str) -> Result<()> {
    let settings = Settings::new(version)
        .task_managers(1, 3)
        .with("restart-strategy.type", "fixed-delay")
        .with("restart-strategy.fixed-delay.attempts", "100")
        .with("restart-strategy.fixed-delay.delay", "200ms");
    let mut cluster = FlinkCluster::start(folder, &settings).await?;
    let source = workspace_root().join("integration-tests/jobs/Ticker.java");
    let jar = cluster.rest().upload(&job_jar(folder, &source, cluster.libraries())?).await?;

    let first =
        cluster.rest().run(&jar, &RunRequest { parallelism: Some(2), ..RunRequest::default() }).await?;
    let status = first.wait_running(DEADLINE).await?;
    ensure!(status.vertices.iter().all(|vertex| vertex.parallelism == 2), "{}", status.summary());
    ensure!(first.checkpoint(DEADLINE).await? > 0);
    ensure!(metric_of(&first, &status.vertices[0].id).await?.parse::<u64>().is_ok());

    let savepoint = first.native_savepoint(DEADLINE).await?;
    ensure!(Path::new(savepoint.trim_start_matches("file:")).exists(), "{savepoint} is not there");
    start_from(&cluster, &jar, savepoint).await?;

    wait_until_restarts(&first, 0).await?;
    cluster.kill_task_manager(0)?;
    cluster.start_task_manager(0)?;
    wait_until_restarts(&first, 1).await?;
    first.wait_running(DEADLINE).await?;
    let exceptions = first.exceptions().await?;
    ensure!(!exceptions.failures().is_empty(), "a TaskManager was killed, but there is no exception");

    let end = first.stop_with_savepoint(DEADLINE).await?;
    ensure!(Path::new(end.trim_start_matches("file:")).exists(), "{end} is not there");
    ensure!(first.status().await?.state == JobState::Finished);
    Ok(())
}

/// A second job, smaller than the first one, from its savepoint.
async fn start_from(cluster: &FlinkCluster, jar: &str, savepoint: String) -> Result<()> {
    let from = RunRequest {
        parallelism: Some(1),
        savepoint: Some(savepoint),
        allow_non_restored_state: true,
        ..RunRequest::default()
    };
    let second = cluster.rest().run(jar, &from).await?;
    second.wait_running(DEADLINE).await?;
    wait_until("the job is seen to be restored", DEADLINE, async || {
        let counts = second.checkpoints().await?.counts;
        Ok(Observed::when(counts.restored == 1, (), || format!("{counts:?}")))
    })
    .await?;
    wait_until("the job has counted", DEADLINE, async || {
        let seen = second.accumulators().await?.to_string();
        Ok(Observed::when(seen.contains("ticks"), (), || seen.clone()))
    })
    .await?;
    second.cancel(DEADLINE).await
}

async fn wait_until_restarts(job: &Job, at_least: u64) -> Result<()> {
    wait_until(&format!("the job has restarted {at_least} times"), DEADLINE, async || {
        let seen = job.restarts().await.map(|seen| {
            Observed::when(if at_least == 0 { seen == 0 } else { seen >= at_least }, (), || seen.to_string())
        });
        Ok(Observed::or_not_yet(seen))
    })
    .await
}

async fn metric_of(job: &Job, vertex: &str) -> Result<String> {
    wait_until("the source has metrics", DEADLINE, async || {
        let names = job.vertex_metric_names(vertex).await?;
        let Some(name) = names.iter().find(|name| name.starts_with("0.") && name.ends_with("numRecordsOut"))
        else {
            return Ok(Observed::NotYet(format!("{} metrics", names.len())));
        };
        let mut values = job.vertex_metrics(vertex, &[name.as_str()]).await?;
        Ok(Observed::Reached(values.remove(name).with_context(|| format!("{name} has no value"))?))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_tells_why() -> Result<()> {
    Scratch::new("rest-fails")?
        .run(async |folder| {
            let settings = Settings::new("1.20.3").task_managers(1, 1).with("restart-strategy.type", "none");
            let cluster = FlinkCluster::start(folder, &settings).await?;
            let source = workspace_root().join("integration-tests/jobs/Ticker.java");
            let jar = cluster.rest().upload(&job_jar(folder, &source, cluster.libraries())?).await?;
            let request = RunRequest { arguments: vec!["fail".into()], ..RunRequest::default() };
            let job = cluster.rest().run(&jar, &request).await?;
            let error = format!("{:#}", job.wait_state(JobState::Finished, DEADLINE).await.unwrap_err());
            ensure!(error.contains("Failed") && error.contains("asked to fail"), "{error}");

            let missing =
                RunRequest { savepoint: Some("/no/such/savepoint".into()), ..RunRequest::default() };
            let error = match cluster.rest().run(&jar, &missing).await {
                Ok(job) => job.wait_running(DEADLINE).await.unwrap_err(),
                Err(refused) => refused,
            };
            ensure!(format!("{error:#}").contains("/no/such/savepoint"), "{error:#}");
            let error = cluster.rest().run("no.jar", &RunRequest::default()).await.unwrap_err();
            ensure!(format!("{error:#}").contains("POST http://"), "{error:#}");
            Ok(())
        })
        .await
}
