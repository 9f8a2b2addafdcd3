//! A new version that restores the old one's exactly-once sink state aborts the old one's transactions. `GatedSink` gives each
//! version a sink of its own (known mistake F1); with that guard taken away the harm is there, so the guard is needed.

use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate_integration_tests::flights::{Owners, Version};
use tidegate_integration_tests::rest::Job;
use tidegate_integration_tests::stage::{Deployment, Stage, demand_undisturbed};
use tidegate_integration_tests::{Observed, Scratch, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);
const HARM_DEADLINE: Duration = Duration::from_secs(30);
/// Checkpoints of the new version beside the old one; each begins new transactions.
const CHECKPOINTS: u64 = 4;
/// What Kafka's client and Flink's committer say of a producer whose transactions another one took.
const FENCED: [&str; 4] = ["ProducerFenced", "InvalidTxnState", "InvalidProducerEpoch", "ProducerIdMapping"];
const GUARD_AWAY: (&str, &str) = ("tidegate.unsafe.inherit-sink-state", "true");

#[tokio::test(flavor = "multi_thread")]
async fn the_old_version_is_not_disturbed_on_flink_1() -> Result<()> {
    the_old_version_is_not_disturbed("1.20.3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_version_is_not_disturbed_on_flink_2() -> Result<()> {
    the_old_version_is_not_disturbed("2.3.0").await
}

async fn the_old_version_is_not_disturbed(version: &str) -> Result<()> {
    Scratch::new("guarded")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, version).await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(17)?;
            stage.wait_flow().await?;
            let green = stage.run_green(&blue).await?;
            wait_checkpoints(&green).await?;
            stage.wait_flow().await?;
            let account = stage.finish(stream).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            demand_undisturbed(&blue).await?;
            demand_undisturbed(&green).await?;
            let fenced = stage.tasks_said(&FENCED)?;
            ensure!(fenced.is_empty(), "{fenced:#?}");
            green.cancel(DEADLINE).await?;
            stage.demand_exact(&account, &blue_alone())?;
            println!(
                "Flink {version}: {} rows of blue, exact; no restart, no fenced producer",
                account.rows()
            );
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_guard_the_old_version_is_harmed_on_flink_1() -> Result<()> {
    without_the_guard_the_old_version_is_harmed("1.20.3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_guard_the_old_version_is_harmed_on_flink_2() -> Result<()> {
    without_the_guard_the_old_version_is_harmed("2.3.0").await
}

/// Harm is a failure of the old version, or a row that is lost or doubled. One that shows only in the output takes the wait below
/// to its end.
async fn without_the_guard_the_old_version_is_harmed(version: &str) -> Result<()> {
    Scratch::new("unguarded")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, version).await?;
            let blue = stage.run(Deployment::blue().with(GUARD_AWAY.0, GUARD_AWAY.1)).await?;
            let stream = stage.stream(19)?;
            stage.wait_flow().await?;
            demand_undisturbed(&blue).await?;
            let savepoint = blue.native_savepoint(DEADLINE).await?;
            let green = stage.submit(Deployment::green(savepoint).with(GUARD_AWAY.0, GUARD_AWAY.1)).await?;
            let seen = wait_until("blue is disturbed", HARM_DEADLINE, async || {
                let failures = blue.exceptions().await?.failures().len();
                let fenced = stage.tasks_said(&FENCED)?.len();
                Ok(Observed::when(failures > 0, (failures, fenced), || format!("{fenced} log lines")))
            })
            .await;
            green.cancel(DEADLINE).await?;
            let account = stage.finish(stream).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            let difference = stage.difference(&account, &blue_alone())?;
            ensure!(seen.is_ok() || !difference.is_none(), "nobody was harmed: the guard guards nothing");
            println!("Flink {version}: failures of blue and log lines of fencing: {seen:?}; {difference}");
            Ok(())
        })
        .await
}

async fn wait_checkpoints(job: &Job) -> Result<()> {
    wait_until("the new version has completed some checkpoints", DEADLINE, async || {
        let counts = job.checkpoints().await?.counts;
        Ok(Observed::when(counts.completed >= CHECKPOINTS, (), || format!("{counts:?}")))
    })
    .await
}

fn blue_alone() -> Owners {
    vec![(i64::MIN, Version::V1)]
}
