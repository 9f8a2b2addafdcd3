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
    let probe = Probe::Key { config_map: "verdicts".to_owned(), key: "totals".to_owned() };
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
