//! Least privilege, with RBAC on: what the Roles in the folder `roles` allow, and what a lack of rights says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use tidegate_integration_tests::kube::Shared;
use tidegate_integration_tests::{Observed, wait_until};
use tidegate_store::{Error, Notice, Object, Store, Version};
use tidegate_store_configmap::ConfigMapStore;

use crate::{DEADLINE, get, hinted, hinted_bytes, keys, open, open_rollout, report, slot};

pub(crate) const JOB: &str = include_str!("../../../protocol/store-configmap/roles/job.yaml");
pub(crate) const JOB_BY_NAME: &str = include_str!("../../../protocol/store-configmap/roles/job-by-name.yaml");
const OPERATOR: &str = include_str!("../../../protocol/store-configmap/roles/operator.yaml");
const VIEWER: &str = include_str!("../../../protocol/store-configmap/roles/viewer.yaml");

/// A change of a Role takes a moment until the server goes by it.
pub(crate) async fn permitted(store: &ConfigMapStore) -> Result<()> {
    wait_until("the account may read", DEADLINE, async || {
        let read = store.read(&Object::Document).await;
        Ok(Observed::or_not_yet(read.map(|_| Observed::Reached(())).map_err(Into::into)))
    })
    .await
}

/// As the file for named ConfigMaps, for every name that the laws use, and bound to an account.
pub(crate) fn by_name(rollout: &str, account: &str, namespace: &str) -> String {
    let mut names = vec![format!("{rollout}"), format!("{rollout}.document")];
    // One law creates ten reports, the others these few.
    let many = (0..10).filter(|_| rollout.starts_with("racing-creations")).map(|n| format!("blue-{n}"));
    let few = ["blue-1", "blue-10", "green-1", "green-2", "0"].map(str::to_owned);
    for slot in many.chain(few).collect::<BTreeSet<_>>() {
        names.push(format!("{rollout}.report.{slot}"));
    }
    let role = format!("job-{rollout}");
    let mut manifest = format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {role}}}
rules: [{{apiGroups: [\"\"], resources: [configmaps], verbs: [get, watch, patch], resourceNames: {names:?}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {role}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {role}}}
subjects: [{{kind: ServiceAccount, name: {account}, namespace: {namespace}}}]
"
    );
    for name in names {
        write!(manifest, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
            .expect("a string");
    }
    manifest
}

#[tokio::test]
async fn a_job_of_named_config_maps_reads_and_writes_those_and_no_others() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("named").await?;
    plane.apply("named", JOB_BY_NAME).await?;
    let job = plane.create_account("named", "orders").await?;
    plane.grant("named", "tidegate-job-orders", "orders").await?;
    let admin = open(&plane.admin(), "named")?;
    let store = open(&job, "named")?;
    permitted(&store).await?;

    let mut watch = store.watch();
    ensure!(store.reports().await?.is_empty());
    let empty = store.read_sheet().await?;
    store.write_sheet(&empty, &keys(&[("promote", "now")])).await?;
    ensure!(admin.read_sheet().await?.keys == Ok(keys(&[("promote", "now")])));
    store.announce(&notice()).await?;
    for object in [Object::Document, report(), Object::Report(slot("green-1"))] {
        ensure!(store.read(&object).await?.is_none(), "{object} is empty, so it is not there");
        let version = store.compare_and_set(&object, None, b"one").await?;
        let conflict = store.compare_and_set(&object, None, b"one").await.unwrap_err();
        ensure!(conflict.code() == "StoreConflict", "{conflict}");
        let version = store.compare_and_set(&object, Some(&version), b"two").await?;
        admin.compare_and_set(&object, Some(&version), b"three").await?;
        hinted_bytes(&store, &mut watch, &object, b"three").await?;
    }
    ensure!(store.reports().await? == [slot("blue-1"), slot("green-1")]);

    let next = Object::Report(slot("green-2"));
    denied(store.read(&next).await.map(drop), "get configmaps orders.report.green-2", "named:orders")?;
    denied(store.compare_and_set(&next, None, b"").await.map(drop), "get configmaps", "named:orders")?;
    let other = open_rollout(&job, "named", "payments")?;
    denied(other.read(&Object::Document).await.map(drop), "get configmaps payments.document", "")?;
    denied(other.reports().await.map(drop), "list configmaps", "named:orders")?;
    for arguments in [["get", "configmaps"], ["get", "secrets"]] {
        let refused = plane.kubectl_with(&job, &arguments, "").await.unwrap_err().to_string();
        ensure!(refused.contains("Forbidden"), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_viewer_changes_nothing_and_an_operator_the_request() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("roles").await?;
    plane.apply("roles", VIEWER).await?;
    plane.apply("roles", OPERATOR).await?;
    let jobs = open(&plane.admin(), "roles")?;
    let known = jobs.compare_and_set(&Object::Document, None, b"{}").await?;
    jobs.compare_and_set(&report(), None, b"{}").await?;
    for (role, account) in [("tidegate-viewer", "viewer"), ("tidegate-operator-orders", "operator")] {
        let kubeconfig = plane.create_account("roles", account).await?;
        plane.grant("roles", role, account).await?;
        let store = open(&kubeconfig, "roles")?;
        permitted(&store).await?;
        ensure!(store.reports().await? == [slot("blue-1")]);
        let mut watch = store.watch();
        for object in [Object::Document, report()] {
            let version = get(&store, &object).await?.version;
            let write = store.compare_and_set(&object, Some(&version), b"").await;
            denied(write.map(drop), "patch configmaps orders.", account)?;
        }
        let ask = store.write_sheet(&store.read_sheet().await?, &keys(&[("abort", "true")])).await;
        let edit = ["patch", "configmap", "orders", "--patch", r#"{"data":{"promote":"now"}}"#];
        let edited = plane.kubectl_with(&kubeconfig, &edit, "").await;
        if account == "viewer" {
            denied(ask.map(drop), "patch configmaps orders:", account)?;
            ensure!(edited.unwrap_err().to_string().contains("Forbidden"));
        } else {
            ask?;
            edited?;
            let edited = keys(&[("abort", "true"), ("promote", "now")]);
            hinted(&mut watch, "the edit", async || Ok(store.read_sheet().await?.keys == Ok(edited.clone())))
                .await?;
        }
    }
    ensure!(get(&jobs, &Object::Document).await?.version == known);
    Ok(())
}

/// An account whose rights on names are taken away never reads an empty list of reports.
#[tokio::test]
async fn rights_that_change_are_noticed() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("changing").await?;
    plane.apply("changing", JOB_BY_NAME).await?;
    let job = plane.create_account("changing", "orders").await?;
    plane.grant("changing", "tidegate-job-orders", "orders").await?;
    let store = open(&job, "changing")?;
    permitted(&store).await?;
    store.compare_and_set(&report(), None, b"{}").await?;
    ensure!(store.reports().await? == [slot("blue-1")]);
    let unbind = ["-n", "changing", "delete", "rolebinding", "tidegate-job-orders-orders"];
    plane.kubectl(&unbind).await?;
    let error = wait_until("the rights are gone", DEADLINE, async || match store.reports().await {
        Ok(slots) => {
            ensure!(slots == [slot("blue-1")], "{slots:?}");
            Ok(Observed::NotYet("listed".into()))
        }
        // First a single read is denied, then the store finds that there are no names any more.
        Err(error) if error.to_string().contains("list configmaps") => Ok(Observed::Reached(error)),
        Err(error) => Ok(Observed::NotYet(error.to_string())),
    })
    .await?;
    denied(Err(error), "list configmaps", "changing:orders")?;
    plane.apply("changing", JOB).await?;
    plane.grant("changing", "tidegate-job", "orders").await?;
    permitted(&store).await?;
    ensure!(store.reports().await? == [slot("blue-1")]);
    Ok(())
}

#[tokio::test]
async fn an_account_without_a_right_is_told_verb_and_resource() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("strict").await?;
    let version = open(&plane.admin(), "strict")?.compare_and_set(&Object::Document, None, b"{}").await?;
    let nobody = plane.create_account("strict", "nobody").await?;
    let store = open(&nobody, "strict")?;
    let who = "system:serviceaccount:strict:nobody";
    let document = "configmaps orders.document";
    denied(store.read(&Object::Document).await.map(drop), &format!("get {document}"), who)?;
    let write = store.compare_and_set(&Object::Document, Some(&version), b"").await;
    denied(write.map(drop), &format!("patch {document}"), who)?;
    denied(store.reports().await.map(drop), "list configmaps", who)?;
    denied(store.read_sheet().await.map(drop), "get configmaps orders", who)?;
    // Hints come all the same: nobody waits for ever on a watch that is denied.
    tokio::time::timeout(DEADLINE, store.watch().changed()).await??;

    let reader = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get]}]
";
    plane.apply("strict", reader).await?;
    plane.grant("strict", "reader", "nobody").await?;
    permitted(&store).await?;
    let create = store.compare_and_set(&Object::Request, None, b"").await;
    denied(create.map(drop), "create configmaps orders", who)?;
    let admin = open(&plane.admin(), "strict")?;
    admin.write_sheet(&admin.read_sheet().await?, &keys(&[("pause", "true")])).await?;
    let sheet = store.read_sheet().await?;
    denied(store.write_sheet(&sheet, &keys(&[])).await.map(drop), "patch configmaps orders", who)?;
    denied(store.announce(&notice()).await, "create events", who)?;
    denied(store.reports().await.map(drop), "list configmaps", who)?;
    Ok(())
}

fn notice() -> Notice {
    Notice { reason: "Committed".to_owned(), message: "it is done".to_owned(), warning: false }
}

/// The code, the action, who it was; and what to grant in which namespace.
fn denied(result: Result<(), Error>, action: &str, who: &str) -> Result<()> {
    let Err(error) = result else { anyhow::bail!("{action} was allowed") };
    let text = error.to_string();
    ensure!(error.code() == "StoreDenied" && !error.is_transient(), "{text}");
    ensure!(text.contains(&format!("refuses to {action}")) && text.contains(who), "{text}");
    ensure!(text.contains("grant the verb") && text.contains("in namespace"), "{text}");
    Ok(())
}

#[tokio::test]
async fn no_secret_is_told() -> Result<()> {
    const TOKEN: &str = "a-token-that-nobody-knows";
    let plane = Shared::get().await?;
    let kubeconfig = plane.kubeconfig("stranger", "default", TOKEN)?;
    let store = open(&kubeconfig, "default")?;
    let mut texts = vec![format!("{store:?}"), store.url()];
    for error in [
        store.read(&Object::Document).await.map(drop).unwrap_err(),
        store.compare_and_set(&Object::Document, None, b"").await.map(drop).unwrap_err(),
        store
            .compare_and_set(&Object::Document, Some(&Version::new("1-a")), b"")
            .await
            .map(drop)
            .unwrap_err(),
        store.reports().await.map(drop).unwrap_err(),
    ] {
        ensure!(error.code() == "StoreDenied" && error.to_string().contains("renew them"), "{error}");
        texts.push(format!("{error:?}"));
        texts.push(format!("{:#}", anyhow::Error::from(error)));
    }
    // Nor is a kubeconfig quoted that is damaged where the token stands.
    let damaged = std::fs::read_to_string(&kubeconfig)?.replace("user: {token", "user: [token");
    std::fs::write(&kubeconfig, damaged)?;
    let error = open(&kubeconfig, "default").unwrap_err();
    ensure!(error.code() == "StoreNotAStore" && error.to_string().contains("KUBECONFIG"), "{error}");
    texts.push(format!("{error:?}"));
    texts.push(format!("{:#}", anyhow::Error::from(error)));
    for text in texts {
        ensure!(!text.contains(TOKEN), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_is_missing_ending_or_full_is_told() -> Result<()> {
    let plane = Shared::get().await?;
    let admin = plane.admin();
    let nowhere = open(&admin, "nowhere")?;
    ensure!(nowhere.read(&Object::Document).await?.is_none(), "nobody can tell it from an empty one");
    let error = nowhere.compare_and_set(&Object::Document, None, b"").await.unwrap_err();
    ensure!(error.code() == "StoreMissing", "{error}");
    ensure!(error.to_string().contains("kubectl create namespace nowhere"), "{error}");

    plane.create_namespace("full").await?;
    let full = open(&admin, "full")?;
    let known = full.compare_and_set(&Object::Document, None, b"one").await?;
    plane.kubectl(&["-n", "full", "create", "quota", "none", "--hard", "count/configmaps=1"]).await?;
    // What a controller would count.
    let status = r#"{"status":{"hard":{"count/configmaps":"1"},"used":{"count/configmaps":"1"}}}"#;
    let patch =
        ["-n", "full", "patch", "quota", "none", "--subresource", "status", "--type=merge", "-p", status];
    plane.kubectl(&patch).await?;
    let error = wait_until("the quota counts", DEADLINE, async || {
        let result = full.compare_and_set(&Object::Request, None, b"").await;
        let Err(error) = result else {
            plane.kubectl(&["-n", "full", "delete", "configmap", "orders"]).await?;
            return Ok(Observed::NotYet("created".into()));
        };
        Ok(Observed::Reached(error))
    })
    .await?;
    ensure!(error.code() == "StoreFull" && error.is_transient(), "{error}");
    full.compare_and_set(&Object::Document, Some(&known), b"two").await?;

    plane.create_namespace("ending").await?;
    plane.kubectl(&["delete", "namespace", "ending", "--wait=false"]).await?;
    let ending = open(&admin, "ending")?;
    let error = ending.compare_and_set(&Object::Document, None, b"").await.unwrap_err();
    ensure!(error.code() == "StoreMissing" && error.to_string().contains("being deleted"), "{error}");
    ensure!(get(&full, &Object::Document).await?.bytes == b"two");
    Ok(())
}
