//! A cutover between two Flink clusters that share a ZooKeeper server, and nothing else that is Tidegate's or Flink's. One of
//! them stands in a Kubernetes cluster, whose API server the other one cannot know.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::command::member;
use tidegate_integration_tests::flights::{Owners, Version};
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::stage::{Deployment, Stage, demand_undisturbed};
use tidegate_integration_tests::store::Kind;

const FLINK: &str = "1.20.3";
const DEADLINE: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "shop";

/// What the processes of a pod are told of their API server, with an account that has no rights there.
async fn as_in_a_pod(plane: &ControlPlane) -> Result<Vec<(String, String)>> {
    plane.create_namespace(NAMESPACE).await?;
    let kubeconfig = plane.create_account(NAMESPACE, "green").await?;
    let variables = [
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1".to_owned()),
        ("KUBERNETES_SERVICE_PORT", plane.port().to_string()),
        ("KUBECONFIG", kubeconfig.display().to_string()),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

/// What anybody but Kubernetes itself has left in the namespace.
async fn left_behind(plane: &ControlPlane) -> Result<String> {
    let objects = ["-n", NAMESPACE, "get", "configmaps,leases,events", "-o", "name"];
    let objects = plane.kubectl(&objects).await?;
    Ok(objects.lines().filter(|name| *name != "configmap/kube-root-ca.crt").collect())
}

/// Green reads blue's snapshot, as it would from an object store. Blue's cluster is gone before the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_cutover_from_one_cluster_to_another_is_exact() -> Result<()> {
    Scratch::new("clusters")?
        .run(async |folder| {
            let mut stage = Stage::start_with(folder, FLINK, Kind::ZooKeeper).await?;
            let near_green = ControlPlane::start(&folder.join("near-green")).await?;
            stage.start_second_cluster(folder, FLINK, as_in_a_pod(&near_green).await?).await?;
            let blue = stage.run(Deployment::blue()).await?;
            let stream = stage.stream(37)?;
            stage.wait_flow().await?;
            let savepoint = blue.native_savepoint(DEADLINE).await?;
            let green = stage.run(Deployment::green(savepoint).on_second_cluster()).await?;
            stage.wait_caught_up().await?;

            let promoted = stage.tidegate.done(&["promote", "--at", "now"]).await?;
            ensure!(promoted["outcome"] == "done" && promoted["to"] == "green-1", "{promoted}");
            let boundary = promoted["boundary"].as_i64().context("no boundary")?;
            let may_retire = |status: &Value| member(status, "blue-1")["retirable"] == true;
            stage.tidegate.wait_status("blue may be retired", may_retire).await?;
            demand_undisturbed(&blue).await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            stage.flink.kill_job_manager()?;
            stage.wait_flow().await?;

            let account = stage.finish(stream).await?;
            stage.demand_quiet_store().await?;
            demand_undisturbed(&green).await?;
            green.stop_with_savepoint(DEADLINE).await?;
            let owners: Owners = vec![(i64::MIN, Version::V1), (boundary, Version::V2)];
            stage.demand_exact(&account, &owners)?;
            let left = left_behind(&near_green).await?;
            ensure!(left.is_empty(), "the rollout is ZooKeeper's, and its jobs left {left} at an API server");
            println!("{} rows, exact, from one cluster to another", account.rows());
            Ok(())
        })
        .await
}
