//! `tidegate controller` with the rights of its Role, on a real API server, real Flink, Kafka and a store of ConfigMaps: version 1
//! comes up, version 2 takes over by itself, and the resource is deleted. Every row is there once.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::flights::{MAX_DELAY_MINUTES, Owners, Version};
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::stage::Stage;
use tidegate_integration_tests::store::{Keeper, Kind};
use tidegate_integration_tests::{Observed, Scratch, wait_until, workspace_root};

const NAMESPACE: &str = "shop";
const FLINK: &str = "1.20.3";
const DEADLINE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_resource_goes_over_by_itself() -> Result<()> {
    Scratch::new("controller")?.run(async |folder| rehearse(folder).await).await
}

async fn rehearse(folder: &Path) -> Result<()> {
    let mut stage = Stage::start_with(folder, FLINK, Kind::ConfigMap).await?;
    let Keeper::ApiServer(plane) = stage.store.keeper() else { anyhow::bail!("no API server") };
    let mut controller = start(plane, folder).await?;
    let begin = Instant::now();
    plane.apply(NAMESPACE, &manifest(&stage, "v1", 2)?).await?;
    let first = wait(plane, "version 1 is ready", |status| is_ready(status, "blue-1")).await?;
    let up = begin.elapsed();
    let stream = stage.stream(17)?;
    stage.wait_flow().await?;
    let Keeper::ApiServer(plane) = stage.store.keeper() else { anyhow::bail!("no API server") };

    let begin = Instant::now();
    plane.apply(NAMESPACE, &manifest(&stage, "v2", 3)?).await?;
    let second = wait(plane, "version 2 is ready", |status| is_ready(status, "green-1")).await?;
    let over = begin.elapsed();
    ensure!(first["active"]["revision"] != second["active"]["revision"], "{second}");
    let boundary = second["cutover"]["boundaryMillis"].as_i64().context("no boundary")?;
    stage.wait_flow().await?;
    let account = stage.finish(stream).await?;

    let Keeper::ApiServer(plane) = stage.store.keeper() else { anyhow::bail!("no API server") };
    plane.kubectl(&["-n", NAMESPACE, "delete", "fbg", "flights", "--timeout=60s"]).await?;
    let jobs: Value = stage.flink.rest().get("/jobs").await?;
    let all_ended =
        jobs["jobs"].as_array().is_some_and(|jobs| jobs.iter().all(|job| job["status"] == "FINISHED"));
    ensure!(all_ended, "{jobs}");
    controller.terminate()?;
    wait_until("the controller ends", DEADLINE, async || {
        let ended = controller.ended()?;
        Ok(Observed::when(ended.is_some_and(|status| status.success()), (), || format!("{ended:?}")))
    })
    .await?;
    let lease =
        plane.kubectl(&["-n", NAMESPACE, "get", "lease", "tidegate-controller", "-o", "json"]).await?;
    let holder = serde_json::from_str::<Value>(&lease)?["spec"]["holderIdentity"].take();
    ensure!(holder.is_null(), "the Lease was not given back: {holder}");
    let owners: Owners = vec![(i64::MIN, Version::V1), (boundary, Version::V2)];
    stage.demand_exact(&account, &owners)?;
    println!("{} rows, exact; version 1 ready after {up:?}, version 2 after {over:?}", account.rows());
    Ok(())
}

fn is_ready(status: &Value, member: &str) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    ready && status["active"]["member"] == member
}

/// The controller, with an account that has what its Role grants.
async fn start(plane: &ControlPlane, folder: &Path) -> Result<Process> {
    let read = |path: &str| std::fs::read_to_string(workspace_root().join("controller").join(path));
    plane.apply(NAMESPACE, &read("crd/flinkbluegreendeployments.tidegate.io.yaml")?).await?;
    plane.apply(NAMESPACE, &read("deploy/rbac.yaml")?).await?;
    let kubeconfig = plane.create_account(NAMESPACE, "tidegate-controller").await?;
    plane.grant(NAMESPACE, "tidegate-controller", "tidegate-controller").await?;
    wait_until("the controller may read", DEADLINE, async || {
        let read = plane.kubectl_with(&kubeconfig, &["get", "fbg"], "").await;
        Ok(Observed::or_not_yet(read.map(|_| Observed::Reached(()))))
    })
    .await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["controller", "--namespace", NAMESPACE]).env("KUBECONFIG", &kubeconfig);
    Process::start("the controller", command, &folder.join("controller.log"))
}

/// The example of the docs, with addresses of this test.
fn manifest(stage: &Stage, version: &str, parallelism: u32) -> Result<String> {
    let docs = std::fs::read_to_string(workspace_root().join("docs/controller.md"))?;
    let (_, example) = docs.split_once("```yaml\n").context("no example")?;
    let mut text = example.split("```").next().unwrap_or_default().to_owned();
    let jar = workspace_root().join(format!("examples/flights/job/target/flink-{FLINK}/flights-job.jar"));
    for (there, here) in [
        ("http://flink:8081", stage.flink.rest().base().to_owned()),
        ("/jars/flights-job.jar", jar.display().to_string()),
        ("kafka:9092", stage.kafka.bootstrap_servers()),
        ("--version, v1", format!("--version, {version}")),
        ("\"120\"", format!("\"{MAX_DELAY_MINUTES}\"")),
        ("parallelism: 2", format!("parallelism: {parallelism}")),
        ("configmap://shop/flights", stage.store.url().to_owned()),
    ] {
        ensure!(text.contains(there), "the example has no {there:?}");
        text = text.replace(there, &here);
    }
    Ok(text)
}

async fn wait(plane: &ControlPlane, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_until(what, DEADLINE, async || {
        let told = plane.kubectl(&["-n", NAMESPACE, "get", "fbg", "flights", "-o", "json"]).await?;
        let mut status = serde_json::from_str::<Value>(&told)?["status"].take();
        status["record"].take();
        let text = format!("{}: {} {}", status["phase"], status["waiting"], status["conditions"]);
        Ok(Observed::when(is(&status), status, || text))
    })
    .await
}
