//! The example of the docs, as it stands there, applied with kubectl: version 1 comes up, version 2 takes over by itself, and the
//! resource is deleted. The controller ends when it is told to, and gives the Lease back.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::flights::{MAX_DELAY_MINUTES, Owners, Version};
use tidegate_integration_tests::rest::JobState;
use tidegate_integration_tests::workspace_root;

use super::case::{Case, boundary};
use super::faults::holder;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_goes_over_by_itself() -> Result<()> {
    Case::run("flights", async |case| {
        case.controller.start()?;
        apply(case, "v1", 2).await?;
        let first = case.wait_ready("blue-1").await?;
        let stream = case.stream(17)?;
        case.output.wait_flow().await?;
        apply(case, "v2", 3).await?;
        let second = case.wait_ready("green-1").await?;
        ensure!(first["active"]["revision"] != second["active"]["revision"], "{second}");
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

/// The example, which the docs show as it stands, with addresses of this test.
async fn apply(case: &Case, version: &str, parallelism: u32) -> Result<()> {
    let read = |path: &str| std::fs::read_to_string(workspace_root().join(path));
    let mut text = read("examples/operator-managed/flights.yaml")?;
    ensure!(read("docs/controller.md")?.contains(&text), "the docs show another example");
    let job = case.job(Version::V1, parallelism);
    let words = job["args"].as_array().context("no arguments")?;
    let argument = |key: &str| {
        let at = words.iter().position(|word| word == key).map(|at| &words[at + 1]);
        at.and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {key}"))
    };
    let own = |key: &str| job[key].as_str().map(str::to_owned).with_context(|| format!("no {key}"));
    for (there, here) in [
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
