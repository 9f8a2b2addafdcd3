//! The ways back on Apache's real operator, with Flink 1.20.3 in pods: one resource goes through a failure before a cutover, one after it
//! by which the new version is dead, a stop-start that is taken back, and the deletion of its deployment by somebody.

mod stage;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::flights::{Difference, Flights, HOUR_MS, Owners, Stream, Version};
use tidegate_integration_tests::operator::Artifacts;

use stage::{INPUT, Stage, array, condition, is_at_rest};

#[tokio::test(flavor = "multi_thread")]
async fn every_way_back() -> Result<()> {
    let Some(artifacts) = Artifacts::find("the ways back on Apache's operator")? else { return Ok(()) };
    Scratch::new("operated")?
        .run(async |folder| {
            let mut stage = Stage::start(folder, &artifacts).await?;
            let result = go_through(&mut stage).await;
            let status = stage.status().await.unwrap_or_default();
            result.with_context(|| format!("the status at the end: {status}"))
        })
        .await
}

async fn go_through(stage: &mut Stage) -> Result<()> {
    stage.apply(&stage.spec(Version::V1, 1)).await?;
    stage.wait("blue-1 is ready", |status| is_ready(status, "blue-1")).await?;
    let stream = Stream::start(stage.kafka.producer()?, INPUT, Flights::new(61));
    stage.output.wait_flow().await?;
    it_fails_in_standby(stage).await?;
    let (there, back) = it_is_dead_after_the_cutover(stage).await?;
    stop_start_is_taken_back(stage).await?;

    let account = stage.output.finish(stream).await?;
    let mut suspended = stage.spec(Version::V1, 1);
    suspended["template"]["spec"]["job"]["state"] = "suspended".into();
    stage.apply(&suspended).await?;
    stage.wait("the job is suspended", |status| status["phase"] == "Suspended").await?;
    let owners: Owners = vec![(i64::MIN, Version::V1), (there, Version::V2), (back, Version::V1)];
    let difference = stage.output.difference(&account, &owners)?;
    let repeated = difference.duplicated.len();
    let time = |key: &String| Some(key.rsplit('/').next()?.parse::<i64>().ok()? + HOUR_MS - 1);
    let below = difference.duplicated.iter().any(|key| time(key).is_none_or(|time| time < back));
    let others = Difference { duplicated: Vec::new(), ..difference };
    ensure!(others.is_none() && !below, "{others}, {repeated} repeated, below {back}: {below}");
    println!("{} rows, {repeated} repeated, all of them from {back} on", account.rows());

    a_deployment_is_deleted_by_somebody(stage).await?;
    stage.tell_history().await
}

fn is_ready(status: &Value, member: &str) -> bool {
    condition(status, "Ready")["status"] == "True"
        && is_at_rest(status)
        && status["active"]["member"] == member
}

fn given_up(status: &Value) -> bool {
    is_at_rest(status) && condition(status, "Degraded")["status"] == "True"
}

async fn it_fails_in_standby(stage: &Stage) -> Result<()> {
    let mut spec = stage.spec(Version::V2, 2);
    spec["proof"]["window"] = "10m".into();
    stage.apply(&spec).await?;
    stage.wait("green-1 is proven", |status| status["phase"] == "Proving").await?;
    stage.blow(Version::V2)?;
    let status = stage.wait("green-1 is given up", given_up).await?;
    ensure!(condition(&status, "Degraded")["reason"] == "Unstable", "{status}");
    ensure!(status["active"]["deployment"] == "flights-blue-1", "{status}");
    Ok(())
}

/// From where on the new version had the output, and from where on another one has it.
async fn it_is_dead_after_the_cutover(stage: &mut Stage) -> Result<(i64, i64)> {
    let mut spec = stage.spec(Version::V2, 2);
    spec["template"]["spec"]["flinkConfiguration"]["restart-strategy.type"] = "none".into();
    spec["watch"] = "10m".into();
    stage.apply(&spec).await?;
    let watched = |status: &Value| status["phase"] == "Watching" && status["cutover"]["state"] == "Done";
    let status = stage.wait("green-2 is watched", watched).await?;
    let there = status["cutover"]["boundaryMillis"].as_i64().context("no boundary")?;
    stage.output.wait_flow().await?;
    stage.blow(Version::V2)?;
    let status = stage.wait("blue-2 has the output", given_up).await?;
    ensure!(status["active"]["member"] == "blue-2", "{status}");
    let document = stage.document().await?;
    let since = array(&document["owners"]).last().and_then(|last| last["since"].as_i64());
    stage.output.wait_flow().await?;
    Ok((there, since.with_context(|| document.to_string())?))
}

/// The new version completes no checkpoint, so nothing of it is seen.
async fn stop_start_is_taken_back(stage: &Stage) -> Result<()> {
    let mut spec = stage.spec(Version::V2, 2);
    spec["strategy"] = "stop-start".into();
    spec["proof"] = json!({"settling": "0s", "window": "10m"});
    let arguments = spec["template"]["spec"]["job"]["args"].as_array_mut().context("no arguments")?;
    arguments.extend(["--checkpoint-interval-ms", "600000"].map(Value::from));
    stage.apply(&spec).await?;
    stage.wait("version 2 is proven", |status| status["phase"] == "Proving").await?;
    stage.blow(Version::V2)?;
    let back = |status: &Value| status["active"]["deployment"] == "flights-blue-2-3";
    stage.wait("version 1 is launched again", back).await?;
    spec["proof"]["window"] = "500ms".into();
    stage.apply(&spec).await?;
    let status = stage.wait("version 1 runs again", given_up).await?;
    ensure!(back(&status), "{status}");
    ensure!(stage.said()?.contains("ClearHighAvailability"), "its high-availability data was not cleared");
    Ok(())
}

/// Nothing is started from a guess; the resource can be deleted.
async fn a_deployment_is_deleted_by_somebody(stage: &Stage) -> Result<()> {
    stage.apply(&stage.spec(Version::V1, 1)).await?;
    let status = stage.wait("it goes on", |status| is_ready(status, "blue-2")).await?;
    let deployment = status["active"]["deployment"].as_str().context("no deployment")?;
    stage.kubectl(&["delete", "flinkdeployment", deployment, "--timeout=120s"]).await?;
    let lost = |status: &Value| condition(status, "Degraded")["reason"] == "DeploymentLost";
    stage.wait("it is said that its deployment is gone", lost).await?;
    let left = stage.kubectl(&["get", "flinkdeployments", "--output", "name"]).await?;
    ensure!(left.trim().is_empty(), "{left}");
    Ok(())
}
