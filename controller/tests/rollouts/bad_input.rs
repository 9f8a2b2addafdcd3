//! Bad input: a clear error that names the field, the value and the way out; nothing is started.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::flights::Version;
use tidegate_integration_tests::{Observed, wait_until};

use super::case::{Case, DEADLINE, condition};
use super::faults::tells;

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_and_nothing_is_started() -> Result<()> {
    Case::run("bad-input", async |case| {
        the_server_refuses_what_cannot_be(case).await?;
        what_is_missing_in_the_rights_is_named(case).await?;
        a_jar_that_is_not_there(case).await?;
        a_resource_made_anew_starts_nothing_from_a_guess(case).await?;
        a_savepoint_that_cannot_be_read(case).await?;
        Ok(())
    })
    .await
}

/// By real kubectl, as a user sees it.
async fn the_server_refuses_what_cannot_be(case: &Case) -> Result<()> {
    let changed = |change: fn(&mut Value)| {
        let mut spec = case.spec(case.job(Version::V1, 1));
        change(&mut spec);
        json!({
            "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment",
            "metadata": {"name": case.name, "namespace": case.name}, "spec": spec,
        })
    };
    let stop_start = |spec: &mut Value| {
        spec["strategy"] = "stop-start".into();
        spec["proof"] = Value::Null;
        spec["handOver"] = "ordered".into();
    };
    for (resource, words) in [
        (changed(|spec| spec["hand_over"] = "ordered".into()), ["unknown field", "spec.hand_over"]),
        (changed(stop_start), ["spec.handOver", "leave it out"]),
        (changed(|spec| spec["store"] = "zookeeper:///x".into()), ["spec.store", "host:port"]),
        (changed(|spec| spec["store"] = Value::Null), ["spec.store", "name it"]),
        (
            changed(|spec| spec["notifications"] = json!([{"name": "a"}])),
            ["spec.notifications", "exactly one"],
        ),
        (changed(|spec| spec["notifications"] = channel("ftp://x", "k")), ["spec.notifications", "http://"]),
        (changed(|spec| spec["notifications"] = channel("http://x", "../k")), ["secret.key", "should match"]),
    ] {
        let arguments = ["create", "--filename", "-"];
        let plane = &case.world.plane;
        let refused = plane.kubectl_with(&plane.admin(), &arguments, &resource.to_string()).await;
        let error = refused.err().context("it was taken")?.to_string();
        ensure!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
    }
    Ok(())
}

fn channel(url: &str, key: &str) -> Value {
    json!([{"name": "a", "webhook": {"url": url, "secret": {"name": "s", "key": key}}}])
}

/// The verb and the resource.
async fn what_is_missing_in_the_rights_is_named(case: &Case) -> Result<()> {
    let path =
        format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{0}/roles/tidegate-controller", case.name);
    let role = case.api.get(&path).await?.context("there is no Role")?;
    let rules = role["rules"].as_array().context("no rules")?;
    let without = |resource: &str| -> Vec<Value> {
        let has = |rule: &&Value| rule["resources"].to_string().contains(resource);
        rules.iter().filter(|rule| !has(rule)).cloned().collect()
    };
    let mut spec = case.spec(case.job(Version::V1, 1));
    spec["job"]["jar"] = "/nowhere/flights.jar".into();
    case.apply(&spec).await?;
    for (resource, words) in [
        ("leases", ["leases", "tidegate-controller"]),
        ("flinkbluegreendeployments/status", ["flinkbluegreendeployments/status", "update"]),
    ] {
        case.api.merge(&path, &json!({"rules": without(resource)})).await?;
        let before = case.controller.said().unwrap_or_default().len();
        case.controller.start()?;
        wait_until(&format!("it is said that the right to {resource} is missing"), DEADLINE, async || {
            let said = case.controller.said()?;
            let line = said[before..].lines().find(|line| words.iter().all(|word| line.contains(word)));
            Ok(Observed::when(line.is_some(), (), || said[before..].to_owned()))
        })
        .await?;
        case.controller.kill()?;
    }
    case.api.merge(&path, &json!({"rules": rules})).await?;
    case.controller.start()?;
    case.delete().await
}

async fn a_jar_that_is_not_there(case: &Case) -> Result<()> {
    let mut spec = case.spec(case.job(Version::V1, 1));
    spec["job"]["jar"] = "/nowhere/flights.jar".into();
    case.apply(&spec).await?;
    let status = case.wait("it is said", |status| tells(status, "/nowhere/flights.jar")).await?;
    ensure!(condition(&status, "Degraded")["status"] == "True", "{status}");
    ensure!(case.fates.jobs("blue-1").is_empty(), "something was started");
    // With the right one it goes on.
    case.apply(&case.spec(case.job(Version::V1, 1))).await?;
    case.wait_ready("blue-1").await?;
    case.delete().await
}

/// Its store says that the rollout has run before.
async fn a_resource_made_anew_starts_nothing_from_a_guess(case: &Case) -> Result<()> {
    let jobs = case.fates.jobs("blue-1").len();
    let spec = case.spec(case.job(Version::V1, 1));
    case.apply(&spec).await?;
    let status = case.wait("it is said", |status| tells(status, "DeploymentLost")).await?;
    ensure!(tells(&status, "ask for replace and name the savepoint"), "{status}");
    ensure!(case.fates.jobs("blue-1").len() == jobs, "something was started");
    let mut other = spec.clone();
    other["store"] = format!("configmap://{0}/{0}-2", case.name).into();
    let refused = case.apply(&other).await.err().context("the store was exchanged")?.to_string();
    ensure!(refused.contains("spec.store: it cannot be exchanged"), "{refused}");
    case.delete().await
}

async fn a_savepoint_that_cannot_be_read(case: &Case) -> Result<()> {
    let mut spec = case.spec(case.job(Version::V1, 1));
    spec["job"]["initialSavepoint"] = "file:///nowhere/savepoint-1".into();
    spec["store"] = format!("configmap://{0}/{0}-2", case.name).into();
    case.apply(&spec).await?;
    let status = case.wait("it is said", |status| tells(status, "file:///nowhere/savepoint-1")).await?;
    ensure!(condition(&status, "Degraded")["status"] == "True", "{status}");
    case.delete().await
}
