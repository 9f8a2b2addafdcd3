//! Each role may do its work, and nothing of the others'.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tidegate_integration_tests::kube::{Api, Shared};
use tidegate_integration_tests::{Observed, wait_until};

use crate::kustomize;

const DEADLINE: Duration = Duration::from_secs(30);
const NAMESPACE: &str = "rights";
const CONTROLLER: &str = "tidegate-controller";
const DEPLOYER: &str = "tidegate-deployer";
const VIEWER: &str = "tidegate-viewer";
const JOB: &str = "tidegate-job";
const TIDEGATE: &str = "tidegate.io";
const RESOURCE: &str = "flinkbluegreendeployments";

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_its_work_and_nothing_of_the_others() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace(NAMESPACE).await?;
    plane.apply(NAMESPACE, &kustomize("overlays/namespaced").await?).await?;
    for role in [DEPLOYER, VIEWER, JOB] {
        plane.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", role]).await?;
        plane.grant(NAMESPACE, role, role).await?;
    }
    let api = plane.api()?;
    let everybody = [CONTROLLER, DEPLOYER, VIEWER, JOB];
    let table: [(&str, &str, &str, &[&str]); 14] = [
        ("get", TIDEGATE, RESOURCE, &[CONTROLLER, DEPLOYER, VIEWER]),
        ("create", TIDEGATE, RESOURCE, &[DEPLOYER]),
        ("delete", TIDEGATE, RESOURCE, &[DEPLOYER]),
        ("patch", TIDEGATE, RESOURCE, &[CONTROLLER, DEPLOYER]),
        ("update", TIDEGATE, "flinkbluegreendeployments/status", &[CONTROLLER]),
        ("get", "", "configmaps", &[CONTROLLER, VIEWER, JOB]),
        ("patch", "", "configmaps", &[CONTROLLER, JOB]),
        ("delete", "", "configmaps", &[]),
        ("deletecollection", "", "configmaps", &[CONTROLLER]),
        ("patch", "coordination.k8s.io", "leases", &[]),
        ("create", "", "events", &[CONTROLLER, JOB]),
        ("create", "", "pods", &[]),
        ("get", "", "secrets", &[]),
        ("create", "flink.apache.org", "flinkdeployments", &[CONTROLLER]),
    ];
    // A new right takes a moment until the server goes by it.
    wait_until("each may do what it should", DEADLINE, async || {
        let mut wrong = Vec::new();
        for (verb, group, resource, may) in table {
            for role in everybody {
                if allowed(&api, role, verb, group, resource).await? != may.contains(&role) {
                    wrong.push(format!("{role}: {verb} {resource}"));
                }
            }
        }
        Ok(Observed::when(wrong.is_empty(), (), || format!("otherwise: {wrong:?}")))
    })
    .await
}

async fn allowed(api: &Api, role: &str, verb: &str, group: &str, resource: &str) -> Result<bool> {
    let (name, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let asked = json!({"spec": {
        "user": format!("system:serviceaccount:{NAMESPACE}:{role}"),
        "resourceAttributes": {
            "namespace": NAMESPACE, "verb": verb, "group": group, "resource": name, "subresource": subresource,
        },
    }});
    let told = api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &asked).await?;
    told["status"]["allowed"].as_bool().with_context(|| told.to_string())
}
