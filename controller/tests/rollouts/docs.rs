//! The example of the docs, as it stands there, applied with kubectl: version 1 comes up, version 2 takes over by itself, and the
//! resource is deleted. Whoever is to be told hears nothing at first, and in the end all of it once, although the controller was killed
//! meanwhile. Savepoints are taken on a schedule. The controller ends when it is told to, and gives the Lease back.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::flights::{MAX_DELAY_MINUTES, Owners, Version};
use tidegate_integration_tests::rest::JobState;
use tidegate_integration_tests::workspace_root;

use super::case::{Case, array, boundary, condition};
use super::faults::holder;
use super::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_goes_over_by_itself() -> Result<()> {
    Case::run("flights", async |case| {
        let receiver = Receiver::start().await?;
        let key = json!({"metadata": {"name": "tidegate-notifications"}, "stringData": {"signing-key": "k".repeat(32)}});
        case.api.post(&format!("/api/v1/namespaces/{}/secrets", case.name), &key).await?;
        case.controller.start()?;
        apply(case, &receiver, "v1", 2).await?;
        let first = case.wait("version 1 is there, and nobody hears of it", nobody_hears).await?;
        ensure!(receiver.refused() > 0 && pending(&first) > 0, "{first}");
        case.wait("savepoints come and go", has_later_savepoint).await?;
        case.controller.kill()?;
        receiver.be_up();
        case.controller.start()?;
        let stream = case.stream(17)?;
        case.output.wait_flow().await?;
        apply(case, &receiver, "v2", 3).await?;
        let second = case.wait("version 2 is ready", |status| is_ready(status, "green-1")).await?;
        ensure!(first["active"]["revision"] != second["active"]["revision"], "{second}");
        case.wait("all was told", |status| pending(status) == 0).await?;
        demand_told(&receiver)?;
        case.output.wait_flow().await?;
        let account = case.output.finish(stream).await?;

        let plane = &case.world.plane;
        plane.kubectl(&["-n", case.name, "delete", "fbg", case.name, "--timeout=120s"]).await?;
        for member in ["blue-1", "green-1"] {
            let state = case.job_of(member)?.status().await?.state;
            ensure!(state == JobState::Finished, "{member} was not stopped with a savepoint: {state:?}");
        }
        case.controller.end().await?;
        ensure!(holder(case).await?.is_empty(), "the Lease was not given back");
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&second)?, Version::V2)];
        case.output.demand_exact(&account, &owners)?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

fn is_ready(status: &Value, member: &str) -> bool {
    condition(status, "Ready")["status"] == "True" && status["active"]["member"] == member
}

fn nobody_hears(status: &Value) -> bool {
    let waiting = status["waiting"].to_string();
    let is_told =
        ["NotificationFailing", "channel pipeline", "503"].iter().all(|word| waiting.contains(word));
    is_told && is_ready(status, "blue-1")
}

/// One on the schedule is complete, and the first one is disposed of.
fn has_later_savepoint(status: &Value) -> bool {
    let on_schedule = |savepoint: &&Value| savepoint["purpose"] == "Scheduled";
    let scheduled: Vec<&Value> = array(&status["savepoints"]).iter().filter(on_schedule).collect();
    let is_first = |savepoint: &&Value| savepoint["name"] == "1-scheduled-blue-1-1-1";
    let is_complete = |savepoint: &&Value| savepoint["path"].is_string() && savepoint["time"].is_string();
    !scheduled.iter().any(is_first) && scheduled.iter().any(is_complete)
}

/// How many messages are in the outbox for the webhook.
fn pending(status: &Value) -> usize {
    let pending = array(&status["notifications"]["pending"]).iter();
    pending.filter(|message| message["to"].to_string().contains("pipeline")).count()
}

/// From the very first line on, each once, in their order, and signed.
fn demand_told(receiver: &Receiver) -> Result<()> {
    let taken = receiver.taken();
    println!("{}", taken.iter().map(|taken| format!("{:#}\n", taken.body)).collect::<String>());
    let ids: BTreeSet<&str> = taken.iter().map(|taken| taken.id.as_str()).collect();
    ensure!(ids.len() == taken.len() && taken.iter().all(|taken| taken.is_signed), "{taken:#?}");
    let what: Vec<&str> = taken.iter().filter_map(|taken| taken.body["data"]["what"].as_str()).collect();
    let mut rest = what.iter();
    for line in [
        "began the first rollout",
        "blue-1 is accepted",
        "began a rollout",
        "green-1 is ready",
        "green-1 has the output",
    ] {
        ensure!(rest.any(|told| told.starts_with(line)), "{line:?} is not where it belongs: {what:?}");
    }
    Ok(())
}

/// The example, which the docs show as it stands, and the channels of the docs, with addresses of this test.
async fn apply(case: &Case, receiver: &Receiver, version: &str, parallelism: u32) -> Result<()> {
    let read = |path: &str| std::fs::read_to_string(workspace_root().join(path));
    let mut text = read("examples/operator-managed/flights.yaml")?;
    ensure!(read("docs/controller.md")?.contains(&text), "the docs show another example");
    let docs = read("docs/notifications.md")?;
    let (_, channels) = docs.split_once("```yaml\n").context("no channels")?;
    let channels = channels.split("```").next().unwrap_or_default();
    text += "  savepoints: { every: 5s, keep: 1 }\n";
    text += &channels.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let job = case.job(Version::V1, parallelism);
    let words = job["args"].as_array().context("no arguments")?;
    let argument = |key: &str| {
        let at = words.iter().position(|word| word == key).map(|at| &words[at + 1]);
        at.and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {key}"))
    };
    let own = |key: &str| job[key].as_str().map(str::to_owned).with_context(|| format!("no {key}"));
    for (there, here) in [
        ("https://ci.example/hooks/tidegate", receiver.url().to_owned()),
        ("http://flink:8081", own("url")?),
        ("/jars/flights-job.jar", own("jar")?),
        ("kafka:9092", argument("--bootstrap-servers")?),
        ("--input, flights", format!("--input, {}", argument("--input")?)),
        ("--output, departures", format!("--output, {}", argument("--output")?)),
        ("--version, v1", format!("--version, {version}")),
        ("\"120\"", format!("\"{MAX_DELAY_MINUTES}\"")),
        ("parallelism: 2", format!("parallelism: {parallelism}")),
        ("configmap://shop/flights", format!("configmap://{0}/{0}", case.name)),
    ] {
        ensure!(text.contains(there), "the example has no {there:?}");
        text = text.replace(there, &here);
    }
    let arguments = ["-n", case.name, "apply", "--filename", "-"];
    let plane = &case.world.plane;
    plane.kubectl_with(&plane.admin(), &arguments, &text).await.map(drop)
}
