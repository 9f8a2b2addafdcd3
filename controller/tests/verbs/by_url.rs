//! Jobs by Flink's REST API, without a controller.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate::flink::rest::{RestDriver, Settings};
use tidegate::flink::{Driver as _, JobSpec, Launch, StartFrom};
use tidegate_integration_tests::{Observed, wait_until};
use tidegate_protocol::identity::{Color, Member};

use super::World;
use super::typed::{DEADLINE, REFUSED, ROLLED_BACK, UNREACHABLE, USAGE};

const CHECKPOINTS: &str = "--config execution.checkpointing.interval=500ms";

pub(crate) async fn all(world: &World) -> Result<()> {
    nothing_is_there(world).await?;
    one_attempt_is_one_job(world).await?;
    savepoints(world).await?;
    a_job_ends_with_a_savepoint_and_goes_on_from_it(world).await?;
    a_version_takes_the_place_of_the_last_one_or_gives_it_back(world).await?;
    two_jobs_of_a_name_are_nobodys(world).await?;
    what_cannot_be_started_is_refused(world).await
}

async fn nothing_is_there(world: &World) -> Result<()> {
    let (typed, url) = (&world.typed, world.flink.rest().base());
    ensure!(typed.done(&format!("list --url {url}")).await? == serde_json::json!([]));
    typed.fails(&format!("query orders --url {url}"), REFUSED, &["UnknownJob", "running are: none"]).await?;
    for verb in ["list", "query orders", "savepoint orders", "terminate orders"] {
        let line = format!("{verb} --url http://127.0.0.1:1");
        typed.fails(&line, UNREACHABLE, &["FlinkUnreachable", "http://127.0.0.1:1"]).await?;
    }
    typed.fails("list --url ftp://flink", USAGE, &["FlinkAddressUnusable"]).await
}

/// A deployment line for the metronome.
fn deploy(world: &World, name: &str, more: &str) -> String {
    let (url, jar) = (world.flink.rest().base(), &world.jar);
    format!("deploy --url {url} --name {name} --jar {jar} --parallelism 1 {CHECKPOINTS} {more}")
}

async fn one_attempt_is_one_job(world: &World) -> Result<()> {
    let (typed, url) = (&world.typed, world.flink.rest().base());
    let first = typed.done(&deploy(world, "orders", "--id build-1")).await?;
    let again = typed.done(&deploy(world, "orders", "--id build-1")).await?;
    ensure!(first["changed"] == true && again["changed"] == false && first["job"] == again["job"], "{again}");
    let taken = deploy(world, "orders", "--id build-2");
    typed.fails(&taken, REFUSED, &["NameTaken", first["job"].as_str().unwrap_or("?")]).await?;
    let list = typed.text(&format!("list --url {url}")).await?;
    ensure!(list.lines().count() == 2 && list.contains("orders") && list.contains("RUNNING"), "{list}");
    let name = typed.text(&format!("list --url {url} --output name")).await?;
    ensure!(first["job"] == name.trim(), "{name}");
    let told = wait_until("watermarks and checkpoints are told", DEADLINE, async || {
        let told = typed.done(&format!("query orders --url {url}")).await?;
        let has_watermark =
            told[0]["vertices"].as_array().into_iter().flatten().any(|one| one["watermark"].is_i64());
        let is_there = has_watermark && told[0]["checkpoints"]["completed"].as_u64() > Some(0);
        Ok(Observed::when(is_there, told.clone(), || told.to_string()))
    })
    .await?;
    ensure!(told[0]["state"] == "RUNNING" && told[0]["running"] == true, "{told}");
    let text = typed.text(&format!("query orders --url {url}")).await?;
    ensure!(
        text.starts_with("orders is Running, with all its subtasks, job ") && text.contains("VERTEX"),
        "{text}"
    );
    let yaml = typed.text(&format!("query orders --url {url} --output yaml")).await?;
    ensure!(yaml.contains("state: RUNNING"), "{yaml}");
    Ok(())
}

async fn savepoints(world: &World) -> Result<()> {
    let (typed, url) = (&world.typed, world.flink.rest().base());
    let line = format!("savepoint orders --url {url} --id s-1");
    let (first, again) = (typed.done(&line).await?, typed.done(&line).await?);
    ensure!(first["savepoint"] == again["savepoint"], "{first} {again}");
    ensure!(folder(&first)?.is_dir(), "{first}");

    let line = format!("savepoint orders --url {url} --every 1s --times 3 --keep 2 --id s-2 --output name");
    let said = typed.line(&line).await?;
    let paths: Vec<&str> = said.out.lines().collect();
    ensure!(said.exit == 0 && paths.len() == 3, "{said:?}");
    ensure!(said.err.contains("deleted") && said.err.contains(paths[0]), "{said:?}");
    let is_there = |path: &str| Path::new(path.trim_start_matches("file:")).is_dir();
    ensure!(!is_there(paths[0]) && is_there(paths[1]) && is_there(paths[2]), "{said:?}");
    Ok(())
}

fn folder(told: &Value) -> Result<&Path> {
    let path = told["savepoint"].as_str().context("no savepoint")?;
    Ok(Path::new(path.trim_start_matches("file:")))
}

async fn a_job_ends_with_a_savepoint_and_goes_on_from_it(world: &World) -> Result<()> {
    let (typed, url) = (&world.typed, world.flink.rest().base());
    let line = format!("terminate orders --url {url} --id end-1");
    let first = typed.done(&line).await?;
    let path = first["savepoint"].as_str().context("no savepoint")?;
    ensure!(typed.done(&line).await?["savepoint"] == path, "the same attempt again tells something else");
    typed.done(&deploy(world, "orders", &format!("--from {path}"))).await?;
    let told = typed.done(&format!("query orders --url {url}")).await?;
    let from = told[0]["checkpoints"]["restoredFrom"].as_str().unwrap_or_default();
    ensure!(from.ends_with(path.rsplit('/').next().unwrap_or("?")), "{path}: {told}");
    Ok(())
}

/// The controller's planner, without a controller.
async fn a_version_takes_the_place_of_the_last_one_or_gives_it_back(world: &World) -> Result<()> {
    let (typed, url) = (&world.typed, world.flink.rest().base());
    let before = typed.done(&format!("query orders --url {url}")).await?[0]["job"].take();
    let line = format!("update orders --url {url} --strategy stop-start --settling 0s --window 1s");
    let two = format!("{line} --arg --rate --arg 100 --id two");
    let told = typed.done(&two).await?;
    ensure!(told["active"] == "blue-1-2", "{told}");
    let job = typed.done(&format!("query orders --url {url}")).await?[0].take();
    ensure!(job["name"] == "orders-blue-1-2" && job["job"] != before, "{job}");
    ensure!(job["checkpoints"]["restoredFrom"].is_string(), "{job}");
    ensure!(typed.done(&two).await? == told, "the same attempt again tells something else");
    let same = typed.done(&format!("query orders --url {url}")).await?[0]["job"].take();
    ensure!(same == job["job"], "the same attempt has started another job");

    let deaf = format!("{line} --arg --hear --arg nothing --id deaf");
    typed.fails(&deaf, ROLLED_BACK, &["blue-1-4 has the output", "blue-1-3 has failed"]).await?;
    typed.fails(&deaf, ROLLED_BACK, &["blue-1-4 has the output"]).await?;
    let job = typed.done(&format!("query orders --url {url}")).await?[0].take();
    ensure!(job["name"] == "orders-blue-1-4" && job["running"] == true, "{job}");

    let gates = format!("update orders --url {url} --parallelism 1");
    typed.fails(&gates, REFUSED, &["StoreMissing", "--strategy stop-start"]).await?;
    let unknown =
        format!("{line} --parallelism 1 --state {}", world.jar.replace("Metronome.jar", "unknown.json"));
    typed.fails(&unknown, REFUSED, &["NoWayBack", "--running FILE"]).await?;
    typed.done(&format!("terminate orders --url {url} --cancel")).await?;
    typed.done(&deploy(world, "orders", "")).await.map(drop)
}

async fn two_jobs_of_a_name_are_nobodys(world: &World) -> Result<()> {
    let (typed, url) = (&world.typed, world.flink.rest().base());
    let driver = RestDriver::new(Settings::new(url))?;
    let member = Member::new(Color::Blue, 1);
    let launch = Launch { owner: "another".into(), rollout: "orders".into(), member, attempt: 1 };
    let spec = JobSpec { name: Some("orders".into()), parallelism: Some(1), ..JobSpec::new(&world.jar) };
    driver.start(&launch, &spec, &StartFrom::Nothing).await?;
    let ids = typed.text(&format!("list --url {url} --output json")).await?;
    let ids: Vec<Value> = serde_json::from_str(&ids)?;
    let ended = |job: &&Value| ["FINISHED", "FAILED", "CANCELED"].iter().any(|state| job["state"] == *state);
    let alive = ids.iter().filter(|job| !ended(job)).filter_map(|job| job["id"].as_str());
    let alive: Vec<&str> = alive.collect();
    ensure!(alive.len() == 2, "{ids:?}");
    for verb in ["query", "savepoint", "terminate"] {
        let line = format!("{verb} orders --url {url}");
        typed.fails(&line, REFUSED, &["JobNameAmbiguous", alive[0], alive[1]]).await?;
    }
    for id in alive {
        let told = typed.done(&format!("terminate {id} --url {url} --cancel")).await?;
        ensure!(told["savepoint"].is_null(), "{told}");
    }
    typed.fails(&format!("query orders --url {url}"), REFUSED, &["UnknownJob"]).await
}

async fn what_cannot_be_started_is_refused(world: &World) -> Result<()> {
    let typed = &world.typed;
    let missing = deploy(world, "late", "").replace(&world.jar, "/nowhere/late.jar");
    typed.fails(&missing, REFUSED, &["JarUnreadable", "/nowhere/late.jar"]).await?;
    typed
        .fails(&deploy(world, "late", "--from file:///nowhere/s-1"), REFUSED, &["SnapshotUnreadable"])
        .await?;
    let many = deploy(world, "late", "").replace("--parallelism 1", "--parallelism 60");
    typed.fails(&format!("{many} --timeout 1s"), REFUSED, &["TooFewSlots", "needs 60 slots"]).await?;
    let refusing = deploy(world, "late", "--arg --refuse --arg no");
    typed.fails(&refusing, REFUSED, &["ProgramFailed", "asked to refuse: no"]).await
}
