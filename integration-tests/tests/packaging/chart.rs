//! The Helm chart says the same as the kustomization.

use anyhow::{Result, ensure};
use tidegate_integration_tests::golang;
use tokio::process::Command;

use crate::objects::{Objects, parse};
use crate::{deploy, kustomize, output};

async fn render(namespace: &str, values: &[&str]) -> Result<String> {
    let mut helm = Command::new(golang::helm().await?);
    helm.args(["template", "tidegate", "--include-crds", "--namespace", namespace]).arg(deploy("chart"));
    for value in values {
        helm.args(["--set", value]);
    }
    output(helm).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_renders_the_objects_of_the_kustomization() -> Result<()> {
    let monitoring = kustomize("monitoring").await?;
    for (scope, namespace) in [("cluster", "tidegate"), ("namespaced", "shop")] {
        let overlay = kustomize(&format!("overlays/{scope}")).await?;
        let mut wanted = parse(&format!("{overlay}\n---\n{monitoring}"), namespace)?;
        // Helm makes the namespace itself, or finds it there.
        wanted.remove("Namespace tidegate");
        let values = [format!("scope={scope}"), "monitoring.enabled=true".to_owned()];
        let rendered = render(namespace, &[&values[0], &values[1]]).await?;
        same(scope, &wanted, &parse(&rendered, namespace)?)?;
        ensure!(wanted.len() > 10, "{wanted:?}");
    }
    Ok(())
}

fn same(scope: &str, wanted: &Objects, rendered: &Objects) -> Result<()> {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    ensure!(names(wanted) == names(rendered), "{scope}: {:?} and {:?}", names(wanted), names(rendered));
    for (name, object) in wanted {
        let other = &rendered[name];
        ensure!(
            object == other,
            "{scope}: {name}\nof the kustomization: {object:#}\nof the chart: {other:#}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_in_the_chart_is_in_the_deployment_and_what_is_not_known_is_refused() -> Result<()> {
    let values = [
        "image.repository=registry.example/tidegate",
        "image.tag=9.9.9",
        "replicas=1",
        "arguments={--lease-duration=30s}",
        "log=debug",
        "volumes[0].name=jars",
        "volumeMounts[0].name=jars",
    ];
    let objects = parse(&render("shop", &values).await?, "shop")?;
    let spec = &objects["Deployment tidegate-controller"]["spec"];
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    ensure!(spec["replicas"] == 1 && container["image"] == "registry.example/tidegate:9.9.9", "{spec:#}");
    ensure!(container["args"].to_string().contains("--lease-duration=30s"), "{spec:#}");
    ensure!(container["env"][0]["name"] == "RUST_LOG" && container["env"][0]["value"] == "debug", "{spec:#}");
    ensure!(
        pod["volumes"][0]["name"] == "jars" && container["volumeMounts"][0]["name"] == "jars",
        "{spec:#}"
    );
    for (bad, word) in [("scope=everything", "scope"), ("replica=3", "replica"), ("replicas=0", "replicas")] {
        let Err(error) = render("shop", &[bad]).await else { anyhow::bail!("{bad} was taken") };
        ensure!(error.to_string().contains(word), "{bad}: {error}");
    }
    let mut lint = Command::new(golang::helm().await?);
    lint.args(["lint", "--strict", "--quiet"]).arg(deploy("chart"));
    output(lint).await.map(drop)
}
