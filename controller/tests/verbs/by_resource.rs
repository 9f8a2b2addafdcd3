//! Resources of an API server, and the controller that looks after them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, wait_until, workspace_root};

use super::examples::Examples;
use super::typed::{DEADLINE, DONE, FENCED, REFUSED, ROLLED_BACK, TIMEOUT, Typed, UNREACHABLE, USAGE};
use super::{World, gated, timed};

const NAMESPACE: &str = "shop";

pub(crate) async fn all(world: &mut World, examples: &Examples, folder: &Path) -> Result<()> {
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
    world.plane.apply(NAMESPACE, &read("deploy/base/roles/controller.yaml")?).await?;
    let manifest = manifest(world, folder)?;
    without_a_controller(world, &manifest).await.context("without a controller")?;
    let controller = controller(world, examples, folder).await?;
    let (one, begin) = (&manifest, Instant::now());
    a_version_comes_up(world, one).await.context("a version comes up")?;
    the_next_one_takes_its_place(world).await.context("the next one takes its place")?;
    what_fails_is_rolled_back(world).await.context("what fails is rolled back")?;
    requests_are_answered_once(world).await.context("requests are answered once")?;
    it_ends(world).await.context("it ends")?;
    println!("on a resource without gates: {:?}", begin.elapsed());
    timed("a resource with gates", gated::by_resource(world, examples)).await?;
    drop(controller);
    nobody_answers(world).await.context("nobody answers")
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

async fn controller(world: &World, examples: &Examples, folder: &Path) -> Result<Process> {
    let kubeconfig = world.plane.create_account(NAMESPACE, "tidegate-controller").await?;
    world.plane.grant(NAMESPACE, "tidegate-controller", "tidegate-controller").await?;
    examples.start("controller", &kubeconfig, &folder.join("controller.log"))
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
    ensure!(typed.text("doctor beats -n shop").await?.starts_with("nothing stands in the way"));
    ensure!(typed.text("plan beats -n shop").await?.ends_with("nothing would be done\n"));
    let job = typed.done("query beats -n shop").await?;
    ensure!(job[0]["label"] == "beats-blue-1" && job[0]["state"] == "RUNNING", "{job}");
    let savepoint = typed.done("savepoint beats -n shop --id s-1").await?;
    ensure!(savepoint["savepoint"].as_str().is_some_and(|path| path.starts_with("file:")), "{savepoint}");
    Ok(())
}

async fn generation(typed: &Typed) -> Result<Value> {
    Ok(typed.done("status beats -n shop").await?["generation"].take())
}

async fn the_next_one_takes_its_place(world: &World) -> Result<()> {
    let typed = &world.typed;
    let first = typed.done("history beats -n shop --revisions").await?;
    let first = first[0]["name"].as_str().context("no revision")?.to_owned();
    let line = "update beats -n shop --arg --rate --arg 100 --id two";
    let told = typed.done(line).await?;
    ensure!(told["active"] == "blue-1" && told["revision"] != first.as_str(), "{told}");
    let before = generation(typed).await?;
    typed.done(line).await?;
    ensure!(generation(typed).await? == before, "the same attempt has edited it again");
    let job = typed.done("query beats -n shop").await?;
    ensure!(job[0]["label"] == "beats-blue-1-2", "{job}");

    let back = typed.done(&format!("rollback beats -n shop --to {}", &first[..6])).await?;
    ensure!(back["revision"] == first.as_str(), "{back}");
    let job = typed.done("query beats -n shop").await?;
    ensure!(job[0]["label"] == "beats-blue-1-3", "{job}");
    typed.fails("rollback beats -n shop --to zz", REFUSED, &["RevisionUnknown", &first]).await
}

async fn what_fails_is_rolled_back(world: &World) -> Result<()> {
    let typed = &world.typed;
    let line = "update beats -n shop --arg --hear --arg nothing --id deaf";
    let words = ["the wanted version was given up, blue-1 has the output"];
    typed.fails(line, ROLLED_BACK, &words).await?;
    typed.fails(line, ROLLED_BACK, &words).await?;
    let watched = typed.line("status beats -n shop --watch --output name").await?;
    ensure!(watched.exit == ROLLED_BACK, "{watched:?}");
    let doctor = typed.text("doctor beats -n shop").await?;
    ensure!(doctor.contains("was given up") && doctor.contains("tidegate retry beats -n shop"), "{doctor}");
    let history = typed.text("history beats -n shop").await?;
    ensure!(history.starts_with("TIME") && history.contains("gave up blue-1-4"), "{history}");
    let why = typed.text("status beats -n shop --why").await?;
    ensure!(why.starts_with("given up ("), "{why}");
    // As it was: nothing is left of the failure.
    let revisions = typed.done("history beats -n shop --revisions").await?;
    let active = typed.done("status beats -n shop").await?["status"]["active"]["revision"].take();
    ensure!(
        revisions.as_array().is_some_and(|all| all.iter().any(|one| one["name"] == active)),
        "{revisions}"
    );
    let active = active.as_str().context("no revision")?;
    typed.done(&format!("rollback beats -n shop --to {active}")).await?;
    Ok(())
}

async fn requests_are_answered_once(world: &World) -> Result<()> {
    let typed = &world.typed;
    for verb in ["promote", "abort", "rollback"] {
        let line = format!("{verb} beats -n shop --id {verb}-1 --why none");
        typed.fails(&line, REFUSED, &["RequestRefused", &format!("{verb} is refused in phase Idle")]).await?;
        typed.fails(&line, REFUSED, &["RequestRefused"]).await?;
    }
    let history = typed.done("history beats -n shop").await?;
    let asked: Vec<&Value> =
        history.as_array().into_iter().flatten().filter(|entry| entry["who"] == "ann").collect();
    ensure!(asked.len() == 3 && asked.iter().all(|entry| entry["why"] == "none"), "{asked:?}");

    ensure!(typed.done("pause beats -n shop").await? == json!({"outcome": "paused", "changed": true}));
    ensure!(typed.text("pause beats -n shop").await? == "it was paused already\n");
    let doctor = typed.done("doctor beats -n shop").await?;
    let mut findings = doctor["findings"].as_array().into_iter().flatten();
    ensure!(findings.any(|finding| finding["command"] == "tidegate resume beats -n shop"), "{doctor}");
    let plan = typed.text("plan beats -n shop").await?;
    ensure!(plan.contains("the rollout is paused"), "{plan}");
    ensure!(typed.done("resume beats -n shop").await? == json!({"outcome": "resumed", "changed": true}));
    typed.fails("promote beats -n shop --at +30s", USAGE, &["--at"]).await
}

async fn it_ends(world: &World) -> Result<()> {
    let typed = &world.typed;
    let told = typed.done("terminate beats -n shop").await?;
    ensure!(told["changed"] == true && told["savepoint"].is_string(), "{told}");
    let jobs = typed.done(&format!("list --url {}", world.flink.rest().base())).await?;
    let is_alive =
        |job: &Value| !["FINISHED", "FAILED", "CANCELED"].iter().any(|state| job["state"] == *state);
    ensure!(!jobs.as_array().into_iter().flatten().any(is_alive), "{jobs}");
    let again = typed.done("terminate beats -n shop").await?;
    ensure!(again["changed"] == false, "{again}");
    Ok(())
}

async fn nobody_answers(world: &mut World) -> Result<()> {
    world.plane.kill()?;
    for line in ["list -n shop", "status beats -n shop", "promote beats -n shop"] {
        world.typed.fails(line, UNREACHABLE, &["ApiServer", "can be reached"]).await?;
    }
    Ok(())
}
