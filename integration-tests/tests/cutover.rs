//! A cutover of a real job on real Flink and Kafka, over each kind of store, and all that may become of it: done, refused, aborted, taken back. After
//! each the whole output is compared with a batch computation of the truth.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::command::member;
use tidegate_integration_tests::flights::{Owners, Version};
use tidegate_integration_tests::rest::Job;
use tidegate_integration_tests::stage::{Deployment, Stage, demand_undisturbed};
use tidegate_integration_tests::store::Kind;
use tidegate_integration_tests::{Observed, Scratch, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_cutover_is_exact_on_flink_1() -> Result<()> {
    a_cutover_is_exact("1.20.3", Kind::Directory).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cutover_is_exact_on_flink_2() -> Result<()> {
    a_cutover_is_exact("2.3.0", Kind::Directory).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cutover_over_zookeeper_is_exact_on_flink_2() -> Result<()> {
    a_cutover_is_exact("2.3.0", Kind::ZooKeeper).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cutover_over_config_maps_is_exact_on_flink_1() -> Result<()> {
    a_cutover_is_exact("1.20.3", Kind::ConfigMap).await
}

/// Other code, another parallelism, while data flows; the old job is stopped with a savepoint as soon as it may be.
async fn a_cutover_is_exact(version: &str, store: Kind) -> Result<()> {
    Scratch::new("cutover")?
        .run(async |folder| {
            let mut stage = Stage::start_with(folder, version, store).await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(11)?;
            stage.wait_flow().await?;
            let green = stage.run_green(&blue).await?;
            let boundary = boundary(&stage.tidegate.done(&["promote", "--at", "now"]).await?)?;
            let may_retire = |status: &Value| member(status, "blue-1")["retirable"] == true;
            stage.tidegate.wait_status("blue may be retired", may_retire).await?;
            demand_undisturbed(&blue).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            stage.wait_flow().await?;
            its_metrics_tell_of_the_boundary(&green, boundary).await?;
            let account = stage.finish(stream).await?;
            stage.demand_quiet_store().await?;
            demand_undisturbed(&green).await?;
            green.stop_with_savepoint(DEADLINE).await?;
            let owners: Owners = vec![(i64::MIN, Version::V1), (boundary, Version::V2)];
            stage.demand_exact(&account, &owners)?;
            let blue_alone = stage.difference(&account, &owners[..1].to_vec())?;
            ensure!(!blue_alone.wrong.is_empty(), "the rows of the two versions cannot be told apart");
            println!(
                "Flink {version}, {store}: {} rows, exact, {} flights late, boundary {boundary}",
                account.rows(),
                account.late
            );
            Ok(())
        })
        .await
}

/// In the group of the gate's operator, of every subtask, as Flink's REST API gives them.
async fn its_metrics_tell_of_the_boundary(job: &Job, boundary: i64) -> Result<()> {
    let status = job.status().await?;
    let gate = status.vertices.last().context("the job has no vertices")?;
    wait_until("the gate's metrics tell of the boundary", DEADLINE, async || {
        let names = job.vertex_metric_names(&gate.id).await?;
        let ours: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| name.contains(".tidegate.")).collect();
        let values = job.vertex_metrics(&gate.id, &ours).await?;
        let of = |kind: &str| {
            values.iter().filter(|(name, _)| name.ends_with(kind)).map(|(_, value)| value).collect::<Vec<_>>()
        };
        let boundaries = of(".tidegate.boundary");
        let told = boundaries.len() == gate.parallelism as usize
            && boundaries.iter().all(|told| **told == boundary.to_string())
            && of(".tidegate.emitted").iter().any(|emitted| *emitted != "0");
        Ok(Observed::when(told, (), || format!("{values:?}")))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_aborted_overlapped_and_taken_back_on_one_stream() -> Result<()> {
    Scratch::new("ways")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, "1.20.3").await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(13)?;
            stage.wait_flow().await?;
            let green = stage.run_green(&blue).await?;
            a_boundary_in_the_past_changes_nothing(&stage).await?;
            an_aborted_cutover_changes_nothing(&mut stage).await?;

            let promote = ["promote", "--at", "now", "--hand-over", "overlapped"];
            let there = boundary(&stage.tidegate.done(&promote).await?)?;
            stage.wait_flow().await?;
            let taken_back = stage.tidegate.done(&["rollback"]).await?;
            ensure!(taken_back["from"] == "green-1" && taken_back["to"] == "blue-1", "{taken_back}");
            let back = boundary(&taken_back)?;
            ensure!(back > there, "{back} is not above {there}");

            let account = stage.finish(stream).await?;
            demand_undisturbed(&blue).await?;
            demand_undisturbed(&green).await?;
            green.stop_with_savepoint(DEADLINE).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            let owners: Owners = vec![(i64::MIN, Version::V1), (there, Version::V2), (back, Version::V1)];
            stage.demand_exact(&account, &owners)?;
            println!("{} rows, exact; green had the output from {there} to {back}", account.rows());
            Ok(())
        })
        .await
}

async fn a_boundary_in_the_past_changes_nothing(stage: &Stage) -> Result<()> {
    let past = ["promote", "--at", "2026-01-01T00:00:01Z"];
    stage.tidegate.demand(&past, 5, "BoundaryInPast").await?;
    ensure!(stage.tidegate.run(&["promote", "--at", "soon"]).await?.exit == 2);
    let status = stage.tidegate.done(&["status"]).await?;
    demand_blue_alone(&status)?;
    ensure!(status["history"] == Value::Array(vec![]), "{status}");
    Ok(())
}

/// While a TaskManager is frozen its subtasks do not acknowledge, so there is time to abort.
async fn an_aborted_cutover_changes_nothing(stage: &mut Stage) -> Result<()> {
    stage.flink.task_manager(1).context("there is no second TaskManager")?.freeze()?;
    let tidegate = stage.tidegate.clone();
    let abort = async {
        let proposed = |status: &Value| status["cutover"]["state"] == "proposed";
        tidegate.wait_status("a cutover is proposed", proposed).await?;
        tidegate.done(&["abort"]).await
    };
    // Exit code 4: whoever waits for the cutover is told.
    let promote = tidegate.demand(&["promote", "--at", "+500h"], 4, "Asked");
    tokio::try_join!(promote, abort)?;
    stage.flink.task_manager(1).context("there is no second TaskManager")?.thaw()?;
    stage.wait_flow().await?;
    let status = stage.tidegate.done(&["status"]).await?;
    demand_blue_alone(&status)?;
    ensure!(status["history"][0]["outcome"] == "aborted (Asked)", "{status}");
    Ok(())
}

fn demand_blue_alone(status: &Value) -> Result<()> {
    ensure!(status["active"] == "blue-1" && status["cutover"].is_null(), "{status}");
    ensure!(member(status, "green-1")["role"] == "standby", "{status}");
    Ok(())
}

fn boundary(promoted: &Value) -> Result<i64> {
    ensure!(promoted["outcome"] == "done", "{promoted}");
    promoted["boundary"].as_i64().with_context(|| promoted.to_string())
}
