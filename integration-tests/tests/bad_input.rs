//! What people and machines do wrong, on real Flink and Kafka: each time it is said, and what is emitted stays exact.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::command::member;
use tidegate_integration_tests::flights::{Owners, Version};
use tidegate_integration_tests::rest::{Job, JobState};
use tidegate_integration_tests::stage::{Deployment, Stage, demand_undisturbed};
use tidegate_integration_tests::{Observed, Scratch, wait_until};

const FLINK: &str = "1.20.3";
const DEADLINE: Duration = Duration::from_secs(60);
/// About nine seconds ahead at the stream's pace.
const AHEAD: &str = "+150h";

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_and_wrong_jobs_change_nothing() -> Result<()> {
    Scratch::new("wrong")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, FLINK).await?;
            stage.tidegate.demand(&["status"], 5, "UnknownRollout").await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(23)?;
            stage.wait_flow().await?;
            let before = stage.tidegate.done(&["status"]).await?;

            wrong_requests_are_refused(&stage, folder).await?;
            a_missing_store_fails_the_job(&stage, folder).await?;
            a_mistyped_rollout_opens_no_gate(&stage, &blue).await?;
            a_color_that_is_taken_fails_the_job(&mut stage, &blue).await?;

            let after = stage.tidegate.done(&["status"]).await?;
            ensure!(after["active"] == "blue-1" && after["history"] == before["history"], "{after}");
            let same = ["incarnation", "job"]
                .map(|field| member(&after, "blue-1")[field] == member(&before, "blue-1")[field]);
            ensure!(same == [true; 2], "another job speaks for blue: {before} {after}");
            demand_undisturbed(&blue).await?;
            let account = stage.finish(stream).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            stage.demand_exact(&account, &vec![(i64::MIN, Version::V1)])?;
            println!("{} rows of blue, exact, beside wrong requests and wrong jobs", account.rows());
            Ok(())
        })
        .await
}

async fn wrong_requests_are_refused(stage: &Stage, folder: &Path) -> Result<()> {
    stage.tidegate.demand(&["promote"], 5, "NoStandby").await?;
    stage.tidegate.demand(&["abort"], 5, "NothingToAbort").await?;
    stage.tidegate.demand(&["rollback"], 5, "NothingToRollBack").await?;
    let unknown = stage.tidegate_on(stage.store.people(), "flihgts").await?;
    unknown.demand(&["status"], 5, "UnknownRollout").await?;
    unknown.demand(&["promote"], 5, "UnknownRollout").await?;
    let nowhere = format!("directory://{}", folder.join("nowhere").display());
    let nowhere = stage.tidegate_on(&nowhere, "flights").await?;
    nowhere.demand(&["status"], 7, "StoreMissing").await?;
    Ok(())
}

async fn a_missing_store_fails_the_job(stage: &Stage, folder: &Path) -> Result<()> {
    let store = format!("directory://{}", folder.join("nowhere").display());
    let job = stage.submit(Deployment::blue().with("tidegate.store", &store)).await?;
    wait_until("the job's exceptions name StoreMissing", DEADLINE, async || {
        let failures = job.exceptions().await?;
        let named = failures.failures().iter().any(|failure| failure.stacktrace.contains("StoreMissing"));
        Ok(Observed::when(named, (), || format!("{failures:?}")))
    })
    .await?;
    job.cancel(DEADLINE).await
}

async fn a_mistyped_rollout_opens_no_gate(stage: &Stage, blue: &Job) -> Result<()> {
    let since = stage.said_so_far()?;
    let savepoint = blue.native_savepoint(DEADLINE).await?;
    let green = stage.run(Deployment::green(savepoint).with("tidegate.rollout", "flihgts")).await?;
    stage.wait_said(since, &["UnknownRollout", "flihgts"]).await?;
    green.checkpoint(DEADLINE).await?;
    green.cancel(DEADLINE).await
}

/// Its sink would abort the transactions of the job that has the color: it must not even be opened.
async fn a_color_that_is_taken_fails_the_job(stage: &mut Stage, blue: &Job) -> Result<()> {
    let savepoint = blue.native_savepoint(DEADLINE).await?;
    let forgotten = Deployment::green(savepoint).with("tidegate.color", "blue");
    for deployment in [Deployment::blue(), forgotten] {
        let second = stage.submit(deployment).await?;
        second.wait_state(JobState::Failed, DEADLINE).await?;
        let failures = second.exceptions().await?;
        let named = failures.failures().iter().any(|failure| failure.stacktrace.contains("ColorTaken"));
        ensure!(named, "the job does not say why it has failed: {failures:?}");
        stage.wait_flow().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_disappears_mid_cutover_stops_nothing() -> Result<()> {
    Scratch::new("away")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, FLINK).await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(29)?;
            stage.wait_flow().await?;
            let green = stage.run_green(&blue).await?;

            // Proposed: while a TaskManager is frozen its subtasks do not acknowledge.
            freeze(&mut stage, 1)?;
            propose(&stage).await?;
            take_the_store_away(&mut stage, true).await?;
            let there = wait_done(&stage, "green-1").await?;

            // Committed: the boundary is some seconds ahead.
            stage.tidegate.done(&["promote", "--at", AHEAD, "--no-wait"]).await?;
            let committed = |status: &Value| status["cutover"]["state"] == "committed";
            stage.tidegate.wait_status("the way back is committed", committed).await?;
            take_the_store_away(&mut stage, false).await?;
            let back = wait_done(&stage, "blue-1").await?;

            let account = stage.finish(stream).await?;
            demand_undisturbed(&blue).await?;
            demand_undisturbed(&green).await?;
            green.stop_with_savepoint(DEADLINE).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            let owners: Owners = vec![(i64::MIN, Version::V1), (there, Version::V2), (back, Version::V1)];
            stage.demand_exact(&account, &owners)?;
            println!("{} rows, exact; the store was away while proposed and while committed", account.rows());
            Ok(())
        })
        .await
}

/// The jobs say so, rows go on to be committed, and the jobs say when it is over.
async fn take_the_store_away(stage: &mut Stage, thaw: bool) -> Result<()> {
    let since = stage.said_so_far()?;
    let store = stage.store.folder()?.to_owned();
    let away = store.with_extension("away");
    std::fs::rename(&store, &away)?;
    if thaw {
        stage.flink.task_manager(1).context("no TaskManager 1")?.thaw()?;
    }
    stage.wait_said(since, &["WARN", "StoreMissing"]).await?;
    stage.wait_flow().await?;
    std::fs::rename(&away, &store)?;
    stage.wait_said(since, &["StoreMissing is over"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_job_s_task_manager_is_killed_while_a_cutover_is_proposed() -> Result<()> {
    Scratch::new("killed")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, FLINK).await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(31)?;
            stage.wait_flow().await?;
            let green = stage.run_green(&blue).await?;
            let index = stage.task_manager_of(&blue).await?;
            freeze(&mut stage, index)?;
            propose(&stage).await?;
            stage.flink.kill_task_manager(index)?;
            stage.flink.start_task_manager(index)?;
            let ended = |status: &Value| status["cutover"].is_null() && status["history"][0]["at"].is_i64();
            let status = stage.tidegate.wait_status("the cutover has ended", ended).await?;
            let past = &status["history"][0];
            let mut owners: Owners = vec![(i64::MIN, Version::V1)];
            if past["outcome"] == "done" {
                owners.push((past["at"].as_i64().context("no boundary")?, Version::V2));
            }
            blue.wait_running(DEADLINE).await?;
            green.wait_running(DEADLINE).await?;
            stage.wait_flow().await?;
            let account = stage.finish(stream).await?;
            let failures = blue.exceptions().await?;
            ensure!(!failures.failures().is_empty(), "its TaskManager was killed, and blue has not noticed");
            blue.stop_with_savepoint(DEADLINE).await?;
            green.stop_with_savepoint(DEADLINE).await?;
            stage.demand_exact(&account, &owners)?;
            println!("{} rows, exact; the cutover ended: {}", account.rows(), past["outcome"]);
            Ok(())
        })
        .await
}

fn freeze(stage: &mut Stage, index: usize) -> Result<()> {
    stage.flink.task_manager(index).with_context(|| format!("no TaskManager {index}"))?.freeze()
}

async fn propose(stage: &Stage) -> Result<()> {
    stage.tidegate.done(&["promote", "--at", AHEAD, "--no-wait"]).await?;
    let status = stage.tidegate.done(&["status"]).await?;
    ensure!(status["cutover"]["state"] == "proposed", "{status}");
    Ok(())
}

async fn wait_done(stage: &Stage, member: &str) -> Result<i64> {
    let done = |status: &Value| status["active"] == member && status["cutover"].is_null();
    let status = stage.tidegate.wait_status(&format!("{member} has taken over"), done).await?;
    let past = status["history"].as_array().and_then(|history| history.last());
    let past = past.filter(|past| past["outcome"] == "done").with_context(|| status.to_string())?;
    past["at"].as_i64().with_context(|| status.to_string())
}
