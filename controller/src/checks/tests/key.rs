//! Keys of ConfigMaps, on the real API server.

use kube::config::{KubeConfigOptions, Kubeconfig};
use tidegate_integration_tests::kube::Shared;

use super::*;

const ROLE: &str = r#"{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"},
    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}"#;

async fn client(kubeconfig: &std::path::Path) -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

async fn set(plane: &Shared, namespace: &str, value: &str) {
    let patch = serde_json::json!({"data": {"totals": value}}).to_string();
    plane
        .kubectl(&["-n", namespace, "patch", "configmap", "verdicts", "--type", "merge", "--patch", &patch])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_key_is_waited_for_and_counts_for_its_revision() {
    let plane = Shared::get().await.unwrap();
    let namespace = "check-keys";
    plane.create_namespace(namespace).await.unwrap();
    let account = plane.create_account(namespace, "controller").await.unwrap();
    let mut rig = Rig::new(client(&account).await, namespace);
    let probe = Probe::Key { config_map: Some("verdicts".to_owned()), key: "totals".to_owned() };
    let check = check(2, 0, probe);
    let first = subject(1);
    rig.pending(&check, &first, "may not read key totals of ConfigMap check-keys/verdicts; give its account")
        .await;
    plane.create(namespace, ROLE).await.unwrap();
    plane.grant(namespace, "reader", "controller").await.unwrap();
    rig.pending(&check, &first, "is not set; write `passed r2` or `failed r2`").await;
    plane.kubectl(&["-n", namespace, "create", "configmap", "verdicts"]).await.unwrap();
    set(&plane, namespace, "passed r1").await;
    rig.pending(&check, &first, "is about revision \"r1\"").await;
    set(&plane, namespace, "passed r2").await;
    let woken = tokio::time::timeout(DEADLINE, rig.woken.recv()).await.unwrap();
    assert_eq!(woken, Some(RESOURCE));
    assert_eq!(rig.look(std::slice::from_ref(&check), &first)["totals"], Verdict::Passed);
    set(&plane, namespace, "failed r2 totals differ").await;
    assert_eq!(
        failed(rig.final_verdict(&check, &subject(2)).await),
        "1 bad, 0 allowed; last: key totals of ConfigMap check-keys/verdicts says failed: \"totals differ\""
    );
}

#[tokio::test]
async fn without_a_config_map_the_key_is_an_annotation_of_the_resource() {
    let plane = Shared::get().await.unwrap();
    let namespace = "check-annotations";
    plane.create_namespace(namespace).await.unwrap();
    plane.apply(namespace, &crate::resource::crd_yaml().unwrap()).await.unwrap();
    let resource = serde_json::json!({
        "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment", "metadata": {"name": RESOURCE},
        "spec": {"job": {"url": "http://127.0.0.1:9", "jar": "/job.jar"}, "store": "directory:///nowhere"},
    });
    wait_until("the resource is taken", DEADLINE, async || {
        let applied = plane.apply(namespace, &resource.to_string()).await;
        Ok(Observed::or_not_yet(applied.map(|()| Observed::Reached(()))))
    })
    .await
    .unwrap();
    let mut rig = Rig::new(client(&plane.admin()).await, namespace);
    let check = check(1, 0, Probe::Key { config_map: None, key: "shop.example/ok".to_owned() });
    rig.pending(&check, &subject(1), "annotation shop.example/ok of check-annotations/orders is not set")
        .await;
    plane
        .kubectl(&["-n", namespace, "annotate", "fbg", RESOURCE, "shop.example/ok=passed r2 by hand"])
        .await
        .unwrap();
    assert_eq!(tokio::time::timeout(DEADLINE, rig.woken.recv()).await.unwrap(), Some(RESOURCE));
    assert_eq!(rig.look(std::slice::from_ref(&check), &subject(1))["totals"], Verdict::Passed);
}
