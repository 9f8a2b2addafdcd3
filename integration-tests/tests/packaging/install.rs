//! What is installed is taken by a real API server, and suffices for a controller.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::kube::Shared;
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, Scratch, binary, wait_until};

use crate::objects::parse;
use crate::{deploy, kustomize, read};

const DEADLINE: Duration = Duration::from_secs(60);
const PROMETHEUS: [&str; 2] =
    [include_str!("third-party/prometheusrules.yaml"), include_str!("third-party/servicemonitors.yaml")];
/// A namespace in which Kubernetes refuses pods that may do more than they need.
const RESTRICTED: &str = "pod-security.kubernetes.io/enforce=restricted";

#[tokio::test(flavor = "multi_thread")]
async fn the_install_manifest_is_what_the_kustomization_makes() -> Result<()> {
    let path = deploy("install.yaml");
    let made = format!(
        "# Made by `kubectl kustomize controller/deploy/overlays/cluster`; UPDATE_GOLDEN=1 makes it again.\n{}",
        kustomize("overlays/cluster").await?
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made)?;
    }
    ensure!(read(&path)? == made, "{} is not what its kustomization makes", path.display());
    let versions = [
        ("chart/Chart.yaml", "version: "),
        ("chart/Chart.yaml", "appVersion: "),
        ("install.yaml", "image: tidegate:"),
    ];
    for (file, key) in versions {
        let line = format!("{key}{}", env!("CARGO_PKG_VERSION"));
        let text = read(&deploy(file))?;
        ensure!(text.lines().any(|there| there.trim() == line), "{file} has no line {line:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_can_be_applied_and_suffices_for_a_controller() -> Result<()> {
    Scratch::new("packaging")?
        .run(async |folder| {
            let plane = Shared::get().await?;
            for definition in PROMETHEUS {
                plane.apply("default", definition).await?;
            }
            for name in ["team", "jobs"] {
                plane.create_namespace(name).await?;
                plane.kubectl(&["label", "namespace", name, RESTRICTED]).await?;
            }
            let install = read(&deploy("install.yaml"))?;
            everywhere(&plane, &install).await?;
            let namespaced = kustomize("overlays/namespaced").await?;
            plane.apply("team", &namespaced).await?;
            let monitoring = kustomize("monitoring").await?;
            plane.apply("tidegate", &monitoring).await?;
            // Twice: nothing is there that may only be created.
            everywhere(&plane, &install).await?;

            let deployment = &parse(&namespaced, "team")?["Deployment tidegate-controller"];
            let pod = json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "controller", "namespace": "team"},
                "spec": deployment["spec"]["template"]["spec"],
            });
            plane.create("team", &pod.to_string()).await?;

            // Of all namespaces with the first account, of one with the second one.
            for (namespace, watched) in [("tidegate", "jobs"), ("team", "team")] {
                let arguments = arguments(&plane, namespace).await?;
                controller_acts(&plane, folder, namespace, watched, &arguments).await?;
            }
            Ok(())
        })
        .await
}

/// As the page says: the manifest names the namespaces itself.
async fn everywhere(plane: &Shared, manifest: &str) -> Result<()> {
    plane.kubectl_with(&plane.admin(), &["apply", "--filename", "-"], manifest).await.map(drop)
}

/// As they stand in the Deployment.
async fn arguments(plane: &Shared, namespace: &str) -> Result<Vec<String>> {
    let told =
        plane.kubectl(&["-n", namespace, "get", "deployment", "tidegate-controller", "-o", "json"]).await?;
    let deployment: Value = serde_json::from_str(&told)?;
    let arguments =
        deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().context("no args")?;
    let arguments = arguments.iter().filter_map(Value::as_str);
    // What the kubelet fills in, and a port of this machine that is free.
    Ok(arguments
        .map(|one| one.replace("$(NAMESPACE)", namespace).replace("0.0.0.0:8080", "127.0.0.1:0"))
        .collect())
}

/// A controller with the account of that namespace sees a resource, and says in its status what is wrong with it.
async fn controller_acts(
    plane: &Shared,
    folder: &std::path::Path,
    namespace: &str,
    watched: &str,
    arguments: &[String],
) -> Result<()> {
    let kubeconfig = plane.account(namespace, "tidegate-controller").await?;
    let mut command = std::process::Command::new(binary::tidegate().await?);
    command.args(arguments).env("KUBECONFIG", kubeconfig).env_remove("RUST_LOG");
    let mut controller = Process::start("the controller", command, &folder.join(format!("{namespace}.log")))?;
    let resource = json!({
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "FlinkBlueGreenDeployment",
        "metadata": {"name": "orders"},
        "spec": {
            "job": {"url": "http://127.0.0.1:1", "jar": "/nowhere/orders.jar", "parallelism": 1},
            "store": format!("configmap://{watched}/orders"),
            "strategy": "blue-green",
            "deadlines": {"prove": "1s"},
            "proof": {"window": "5m"},
        },
    });
    plane.apply(watched, &resource.to_string()).await?;
    wait_until("the controller says what is wrong", DEADLINE, async || {
        controller.check_alive()?;
        let told = plane.kubectl(&["-n", watched, "get", "fbg", "orders", "-o", "json"]).await?;
        let status = serde_json::from_str::<Value>(&told)?["status"].take();
        Ok(Observed::when(status.to_string().contains("spec.deadlines.prove"), (), || format!("{status}")))
    })
    .await?;
    let log = read(controller.log())?;
    ensure!(!log.contains("orbidden"), "a right is missing: {log}");
    controller.kill().map(drop)
}
