//! Jobs with gates: by a store without a controller, and by a resource with all that a person may ask of its controller.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::{Observed, wait_until};

use super::World;
use super::examples::Examples;
use super::typed::{DEADLINE, DONE, FENCED};

const CHECKPOINTS: &str = "--config execution.checkpointing.interval=500ms";

/// Two jobs that share a folder.
pub(crate) async fn by_store(world: &mut World, examples: &Examples) -> Result<()> {
    let store = examples.folder.join("store");
    std::fs::create_dir(&store)?;
    let store = format!("directory://{}", store.display());
    examples.replace("directory:///var/lib/tidegate", &store);
    let (url, jar) = (world.flink.rest().base().to_owned(), world.gated_jar.clone());
    let deploy = format!("deploy --url {url} --jar {jar} --parallelism 1 {CHECKPOINTS}");
    world.typed.done(&format!("{deploy} --name orders --store {store}")).await?;
    let savepoint = world.typed.done(&format!("savepoint orders --url {url}")).await?;
    let savepoint = savepoint["savepoint"].as_str().context("no savepoint")?;
    let green = format!(
        "--name next --config tidegate.store={store} --config tidegate.rollout=orders --config tidegate.color=green \
         --config tidegate.generation=1 --from {savepoint} --allow-non-restored-state"
    );
    // It says that only `update` gives a job another color, and so will not take this one.
    world.typed.text(&format!("{deploy} {green}")).await?;
    wait_until("the standby reports", DEADLINE, async || {
        let status = world.typed.done(&format!("status --store {store} --rollout orders")).await?;
        let members = status["members"].as_array().map_or(0, Vec::len);
        Ok(Observed::when(members == 2, (), || status.to_string()))
    })
    .await?;
    let active = async || {
        let status = world.typed.done(&format!("status --store {store} --rollout orders")).await?;
        anyhow::Ok(status["active"].as_str().unwrap_or_default().to_owned())
    };
    examples.run("status --store").await?;
    examples.run("doctor --store").await?;
    ensure!(examples.run("pause --store").await?.starts_with("paused: "));
    ensure!(examples.run("resume --store").await?.starts_with("the pause is over"));
    examples.run("promote --store").await?;
    ensure!(active().await? == "green-1");
    examples.run("rollback --store").await?;
    ensure!(active().await? == "blue-1");

    // No subtask can acknowledge, so nothing is committed.
    world.flink.task_manager(0).context("no TaskManager")?.freeze()?;
    world.typed.done(&format!("promote --store {store} --rollout orders --no-wait")).await?;
    examples.run("abort --store").await?;
    world.flink.task_manager(0).context("no TaskManager")?.thaw()?;
    for name in ["orders", "next"] {
        world.typed.done(&format!("terminate {name} --url {url} --cancel")).await?;
    }
    Ok(())
}

/// A resource whose job has gates; its controller runs.
pub(crate) async fn by_resource(world: &World, examples: &Examples) -> Result<()> {
    let orders = Orders { world, examples };
    orders.come_up().await.context("the first version comes up")?;
    orders.are_updated().await.context("the next one, and back to the revision before")?;
    orders.wait_for_a_person().await.context("promoted by hand")?;
    orders.are_aborted().await.context("given up before the cutover")?;
    orders.are_taken_back().await.context("taken back after the cutover")?;
    orders.are_edited_once().await.context("each attempt edits once")?;
    examples.run("replace orders -n shop").await?;
    ensure!(examples.run("terminate orders -n shop").await?.starts_with("orders has ended"));
    Ok(())
}

struct Orders<'a> {
    world: &'a World,
    examples: &'a Examples,
}

impl Orders<'_> {
    /// As `orders.yaml` in the folder of the examples.
    fn manifest(&self) -> Result<PathBuf> {
        let folder = &self.examples.folder;
        let store = folder.join("resource-store");
        std::fs::create_dir(&store)?;
        let manifest = json!({
            "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment", "metadata": {"name": "orders"},
            "spec": {
                "job": {"url": self.world.flink.rest().base(), "jar": self.world.gated_jar, "parallelism": 1,
                    "configuration": {
                        "execution.checkpointing.interval": "500ms",
                        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
                    }},
                "store": format!("directory://{}", store.display()),
                "proof": {"settling": "0s", "window": "500ms", "lag": {"allowed": "8000h", "hold": "0s"}},
                "watch": "500ms", "deletionDelay": "0s",
            },
        });
        let path = folder.join("orders.yaml");
        std::fs::write(&path, serde_json::to_string_pretty(&manifest)?)?;
        Ok(path)
    }

    async fn status(&self) -> Result<Value> {
        Ok(self.world.typed.done("status orders -n shop").await?["status"].take())
    }

    async fn is_active(&self, member: &str) -> Result<()> {
        let status = self.status().await?;
        ensure!(status["active"]["member"] == member, "{status}");
        Ok(())
    }

    async fn wait(&self, phase: &str) -> Result<()> {
        wait_until(&format!("the phase is {phase}"), DEADLINE, async || {
            let status = self.status().await?;
            Ok(Observed::when(status["phase"] == phase, (), || status.to_string()))
        })
        .await
    }

    async fn patch(&self, spec: Value) -> Result<()> {
        let patch = json!({"spec": spec}).to_string();
        let line = ["-n", "shop", "patch", "fbg", "orders", "--type", "merge", "--patch", &patch];
        self.world.plane.kubectl(&line).await.map(drop)
    }

    /// A version whose arguments are another rate, until it is ready.
    async fn another(&self, rate: u32) -> Result<()> {
        let line = format!("update orders -n shop --arg --rate --arg {rate} --no-wait");
        self.world.typed.done(&line).await?;
        self.wait("Ready").await
    }

    async fn come_up(&self) -> Result<()> {
        let examples = self.examples;
        self.manifest()?;
        ensure!(examples.run("plan -n shop").await?.contains("1. start blue-1 without state"));
        ensure!(examples.run("deploy -n shop").await?.contains("is live as blue-1"));
        ensure!(examples.run("list -n shop").await?.contains("orders"));
        ensure!(examples.run("status orders -n shop").await?.contains("blue-1 has the output"));
        ensure!(examples.run("query orders -n shop").await?.starts_with("orders-blue-1 is Running"));
        // What both tell depends on the moment: something may be waited for that passes by itself.
        ensure!(examples.run("plan orders -n shop").await?.starts_with("orders, revision "));
        ensure!(!examples.run("doctor orders -n shop").await?.is_empty());
        let revisions = examples.run("history orders -n shop").await?;
        let first = revisions.lines().nth(1).and_then(|line| line.get(..6)).context("no revision")?;
        examples.replace("--to 3f2a", &format!("--to {first}"));

        let log = examples.folder.join("savepoints.log");
        let mut schedule = examples.start("savepoint orders -n shop", &self.world.plane.admin(), &log)?;
        wait_until("the first savepoint is there", DEADLINE, async || {
            schedule.check_alive()?;
            let said = std::fs::read_to_string(&log)?;
            Ok(Observed::when(said.contains("orders-blue-1: file:"), (), || said))
        })
        .await?;
        schedule.terminate()?;
        wait_until("the schedule ends", DEADLINE, async || {
            let ended = schedule.ended()?;
            Ok(Observed::when(ended.is_some_and(|ended| ended.success()), (), || format!("{ended:?}")))
        })
        .await
    }

    async fn are_updated(&self) -> Result<()> {
        ensure!(self.examples.run("update orders -n shop").await?.contains("is live as green-1"));
        let back = self.examples.run("rollback orders -n shop --to").await?;
        ensure!(back.contains("is live as blue-2"), "{back}");
        // The file is applied over what the update and the rollback have edited.
        let line =
            format!("deploy -n shop -f {} --id file-2", self.examples.folder.join("orders.yaml").display());
        for _ in 0..2 {
            let told = self.world.typed.text(&line).await?;
            ensure!(told.contains("is live as blue-2"), "{told}");
        }
        // That attempt is over, and what came after it stays.
        let line = "update orders -n shop --jar /jars/other.jar --id build-1234";
        self.world.typed.fails(line, FENCED, &["attempt build-1234 was carried out"]).await?;
        self.is_active("blue-2").await
    }

    async fn wait_for_a_person(&self) -> Result<()> {
        self.patch(json!({"promotion": {"mode": "manual"}})).await?;
        self.another(21).await?;
        self.is_active("blue-2").await?;
        let told = self.examples.run("promote orders -n shop").await?;
        ensure!(told.contains("is live as green-2"), "{told}");
        let history = self.world.typed.done("history orders -n shop").await?;
        let mut lines = history.as_array().into_iter().flatten();
        ensure!(
            lines.any(|line| line["who"] == "ann" && line["why"] == "looked at it"),
            "nobody has asked: {history}"
        );
        Ok(())
    }

    async fn are_aborted(&self) -> Result<()> {
        self.another(22).await?;
        let told = self.examples.run("abort orders -n shop").await?;
        ensure!(told.starts_with("green-2 has the output; the wanted version is given up"), "{told}");
        self.is_active("green-2").await
    }

    async fn are_taken_back(&self) -> Result<()> {
        let typed = &self.world.typed;
        self.patch(json!({"watch": "10m"})).await?;
        self.another(23).await?;
        let promote = "promote orders -n shop --id over --no-wait";
        ensure!(typed.done(promote).await? == typed.done(promote).await?);
        self.wait("Watching").await?;
        self.is_active("blue-4").await?;
        let told = self.examples.run("rollback orders -n shop --why").await?;
        ensure!(told.starts_with("green-2 has the output; the wanted version is given up"), "{told}");
        self.is_active("green-2").await?;
        self.patch(json!({"watch": "500ms", "promotion": {"mode": "automatic"}})).await?;
        let told = self.examples.run("retry orders -n shop").await?;
        ensure!(told.contains("is live as blue-5"), "{told}");
        Ok(())
    }

    async fn are_edited_once(&self) -> Result<()> {
        let (typed, examples) = (&self.world.typed, self.examples);
        ensure!(examples.run("pause orders -n shop").await?.starts_with("paused: "));
        ensure!(examples.run("resume orders -n shop").await? == "the pause is over\n");
        let pause = "pause orders -n shop --id p-1";
        ensure!(typed.done(pause).await? == json!({"outcome": "paused", "changed": true}));
        ensure!(typed.done(pause).await? == json!({"outcome": "paused", "changed": false}));
        typed.done("resume orders -n shop --id r-1").await?;
        typed.fails(pause, FENCED, &["attempt p-1 was carried out, and the pause has ended since"]).await?;
        ensure!(typed.done("resume orders -n shop --id r-1").await?["changed"] == false);
        let history = "history orders -n shop --id h-1";
        ensure!(typed.done(history).await? == typed.done(history).await?);
        Ok(())
    }
}

/// The verbs on nothing but this machine, and on jobs without gates.
pub(crate) async fn by_url(world: &World, examples: &Examples) -> Result<()> {
    let folder = &examples.folder;
    for name in ["orders.jar", "orders-2.jar"] {
        std::fs::copy(&world.jar, folder.join(name))?;
    }
    std::fs::create_dir(folder.join("jars"))?;
    std::fs::copy(&world.gated_jar, folder.join("jars/orders-2.jar"))?;
    examples.replace("/jars/", &format!("{}/jars/", folder.display()));
    examples.replace("http://flink:8081", world.flink.rest().base());
    examples.replace("/usr/local/share/man/man1", &folder.join("man1").display().to_string());

    ensure!(examples.run("crd").await?.contains("kind: CustomResourceDefinition"));
    ensure!(examples.run("completions").await?.contains("complete -F"));
    examples.run("man").await?;
    ensure!(folder.join("man1/tidegate-promote.1").is_file());

    ensure!(examples.run("deploy --url").await?.starts_with("orders runs as "));
    ensure!(examples.run("list --url").await?.contains("RUNNING"));
    ensure!(examples.run("query orders --url").await?.starts_with("orders is Running"));
    ensure!(examples.run("savepoint orders --url").await?.starts_with("orders: file:"));
    examples.run("update orders --url").await?;
    ensure!(examples.run("terminate orders --url").await?.starts_with("orders ends"));
    let left = world.typed.line(&format!("query orders --url {}", world.flink.rest().base())).await?;
    ensure!(left.exit != DONE, "{left:?}");
    Ok(())
}

/// Compiled into the jar of the flights, which has all that a gate needs.
pub(crate) fn jar(folder: &Path, libraries: &tidegate_integration_tests::maven::Libraries) -> Result<String> {
    use tidegate_integration_tests::java::extended_jar;
    use tidegate_integration_tests::workspace_root;
    let base = workspace_root().join("examples/flights/job/target/flink-1.20.3/flights-job.jar");
    ensure!(base.is_file(), "{} is missing: build it with `make jars`", base.display());
    let source = workspace_root().join("integration-tests/jobs/GatedMetronome.java");
    Ok(extended_jar(folder, &base, &source, "GatedMetronome", libraries)?.display().to_string())
}
