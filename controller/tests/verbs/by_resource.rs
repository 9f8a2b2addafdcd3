//! Resources of an API server, and the controller that looks after them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, wait_until, workspace_root};

use super::World;
use super::typed::{DEADLINE, DONE, FENCED, REFUSED, TIMEOUT, USAGE};

const NAMESPACE: &str = "shop";

pub(crate) async fn all(world: &World, folder: &Path) -> Result<()> {
    let read = |path: &str| std::fs::read_to_string(workspace_root().join("controller").join(path));
    world.plane.create_namespace(NAMESPACE).await?;
    let said = world.typed.line("list -n shop").await?;
    ensure!(said.exit == REFUSED && said.err.contains("tidegate crd"), "{said:?}");
    world.plane.apply(NAMESPACE, &read("crd/flinkbluegreendeployments.tidegate.io.yaml")?).await?;
    wait_until("the definition is served", DEADLINE, async || {
        let said = world.typed.line("list -n shop").await?;
        Ok(Observed::when(said.exit == DONE, (), || format!("{said:?}")))
    })
    .await?;
    world.plane.apply(NAMESPACE, &read("deploy/rbac.yaml")?).await?;
    let manifest = manifest(world, folder)?;
    without_a_controller(world, &manifest).await.context("without a controller")?;
    let controller = controller(world, folder).await?;
    a_version_comes_up(world, &manifest).await.context("a version comes up")?;
    drop(controller);
    Ok(())
}

/// The metronome, replaced by stopping it: it has no gates.
fn manifest(world: &World, folder: &Path) -> Result<PathBuf> {
    let manifest = json!({
        "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment", "metadata": {"name": "beats"},
        "spec": {
            "job": {"url": world.flink.rest().base(), "jar": world.jar, "parallelism": 1,
                "configuration": {"execution.checkpointing.interval": "500ms"}},
            "strategy": "stop-start",
            "proof": {"settling": "0s", "window": "1s"}, "watch": "1s", "deletionDelay": "0s", "tries": 1,
        },
    });
    let path = folder.join("beats.yaml");
    std::fs::write(&path, serde_json::to_string_pretty(&manifest)?)?;
    Ok(path)
}

async fn controller(world: &World, folder: &Path) -> Result<Process> {
    let kubeconfig = world.plane.create_account(NAMESPACE, "tidegate-controller").await?;
    world.plane.grant(NAMESPACE, "tidegate-controller", "tidegate-controller").await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["controller", "--namespace", NAMESPACE]).env("KUBECONFIG", &kubeconfig);
    Process::start("the controller", command, &folder.join("controller.log"))
}

async fn without_a_controller(world: &World, manifest: &Path) -> Result<()> {
    let (typed, file) = (&world.typed, manifest.display());
    let empty = typed.line("list -n shop").await?;
    ensure!(empty.exit == DONE && empty.out.is_empty() && empty.err.contains("namespace shop"), "{empty:?}");
    for verb in ["status", "promote", "abort", "rollback", "history", "doctor", "plan", "query", "pause"] {
        let words = ["UnknownResource", "namespace shop has no FlinkBlueGreenDeployment \"beats\""];
        typed.fails(&format!("{verb} beats -n shop"), REFUSED, &words).await?;
    }
    typed.fails("status beats --context nowhere", USAGE, &["AccountMissing"]).await?;
    typed.fails("status beats --store directory:///x", USAGE, &["--store"]).await?;

    let bad = manifest.with_file_name("bad.yaml");
    std::fs::write(&bad, std::fs::read_to_string(manifest)?.replace("\"1s\"", "\"soon\""))?;
    for verb in ["deploy", "plan"] {
        let line = format!("{verb} -n shop -f {}", bad.display());
        typed.fails(&line, REFUSED, &["SpecInvalid", "spec.watch: \"soon\"", "spec.proof.window"]).await?;
    }
    let plan = typed.text(&format!("plan -n shop -f {file}")).await?;
    ensure!(
        plan.contains("\n  1. start blue-1 without state\n  2. prove it: 0s to settle, then 1s"),
        "{plan}"
    );
    typed.fails("status beats -n shop", REFUSED, &["UnknownResource"]).await?;

    typed.done(&format!("deploy -n shop -f {file} --id first --no-wait")).await?;
    let waited = format!("deploy -n shop -f {file} --id first --timeout 4s");
    typed.fails(&waited, TIMEOUT, &["goes on without this command", "no controller has looked"]).await?;
    let doctor = typed.done("doctor beats -n shop").await?;
    ensure!(doctor["findings"][0]["code"] == "NotLookedAt", "{doctor}");
    typed.fails("promote beats -n shop --timeout 4s", TIMEOUT, &["no controller has answered"]).await?;
    another_request_takes_its_place(world).await
}

async fn another_request_takes_its_place(world: &World) -> Result<()> {
    let typed = world.typed.clone();
    let first =
        tokio::spawn(async move { typed.line("promote beats -n shop --id replaced --timeout 60s").await });
    let get = ["-n", "shop", "get", "fbg", "beats", "-o", "jsonpath={.metadata.annotations}"];
    wait_until("the first request is there", DEADLINE, async || {
        let annotations = world.plane.kubectl(&get).await?;
        Ok(Observed::when(annotations.contains("replaced"), (), || annotations))
    })
    .await?;
    let other = "tidegate.io/ask=abort id=other who=bob";
    world.plane.kubectl(&["-n", "shop", "annotate", "fbg", "beats", "--overwrite", other]).await?;
    let said = first.await??;
    ensure!(said.exit == FENCED && said.err.contains("another request took the place"), "{said:?}");
    Ok(())
}

async fn a_version_comes_up(world: &World, manifest: &Path) -> Result<()> {
    let (typed, file) = (&world.typed, manifest.display());
    let told = typed.done(&format!("deploy -n shop -f {file} --id first")).await?;
    ensure!(told["outcome"] == "done" && told["active"] == "blue-1", "{told}");
    let list = typed.text("list -A").await?;
    let line = list.lines().nth(1).context("no line")?;
    ensure!(
        list.starts_with("NAMESPACE  NAME") && line.contains("beats  blue-1") && line.contains("true"),
        "{list}"
    );
    let name = typed.text("list -n shop --output name").await?;
    ensure!(name == "flinkbluegreendeployment.tidegate.io/beats\n", "{name}");
    let tree = typed.text("status beats -n shop").await?;
    ensure!(tree.starts_with("beats in shop: the wanted version is live\n  phase Idle"), "{tree}");
    ensure!(tree.contains("blue-1 has the output: deployment beats-blue-1"), "{tree}");
    ensure!(typed.text("status beats -n shop --watch --why").await? == "nothing is waited for\n");
    Ok(())
}
