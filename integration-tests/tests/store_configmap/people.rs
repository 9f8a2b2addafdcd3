//! What people and their tools do to the ConfigMaps.

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::kube::Shared;
use tidegate_store::{Error, MAX_OBJECT_BYTES, Object, Store};

use crate::{get, hinted, hinted_bytes, open, report, rights, slot};

const DOCUMENT: &str = "tidegate.orders.document";
const REQUEST: &str = "tidegate.orders";

#[tokio::test]
async fn what_belongs_to_others_stays() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("others").await?;
    let store = open(&plane.admin(), "others")?;
    let version = store.compare_and_set(&Object::Document, None, b"one").await?;
    let patch = r#"{"metadata":{"annotations":{"team":"a"},"labels":{"tidegate.io/rollout":null,"team":"a"}},"data":{"notes":"ours"}}"#;
    plane.kubectl(&["-n", "others", "patch", "configmap", DOCUMENT, "--patch", patch]).await?;
    let error = store.compare_and_set(&Object::Document, Some(&version), b"two").await.unwrap_err();
    ensure!(error.code() == "StoreConflict", "any change is another version: {error}");
    let known = get(&store, &Object::Document).await?;
    ensure!(known.bytes == b"one" && known.version != version);
    store.compare_and_set(&Object::Document, Some(&known.version), b"\0two").await?;
    let text = plane.kubectl(&["-n", "others", "get", "configmap", DOCUMENT, "-o", "json"]).await?;
    let object: serde_json::Value = serde_json::from_str(&text)?;
    ensure!(object["data"] == serde_json::json!({ "notes": "ours" }), "{text}");
    ensure!(object["binaryData"]["document.json"] == "AHR3bw==", "{text}");
    let metadata = &object["metadata"];
    ensure!(metadata["annotations"]["team"] == "a" && metadata["labels"]["team"] == "a", "{text}");
    ensure!(metadata["labels"]["tidegate.io/rollout"] == "orders", "{text}");
    ensure!(metadata["labels"]["app.kubernetes.io/managed-by"] == "tidegate", "{text}");
    Ok(())
}

#[tokio::test]
async fn edits_deletions_and_strangers_are_hinted() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("people").await?;
    let store = open(&plane.admin(), "people")?;
    let mut watch = store.watch();
    // A person's own ConfigMap, without a label.
    let create = ["-n", "people", "create", "configmap", REQUEST, "--from-literal", "request.json={}"];
    plane.kubectl(&create).await?;
    hinted_bytes(&store, &mut watch, &Object::Request, b"{}").await?;
    for bytes in ["one", "two"] {
        let patch = format!(r#"{{"data":{{"request.json":"{bytes}"}}}}"#);
        plane.kubectl(&["-n", "people", "patch", "configmap", REQUEST, "--patch", &patch]).await?;
        hinted_bytes(&store, &mut watch, &Object::Request, bytes.as_bytes()).await?;
    }
    let old = store.compare_and_set(&Object::Document, None, b"{}").await?;
    hinted_bytes(&store, &mut watch, &Object::Document, b"{}").await?;
    plane.kubectl(&["-n", "people", "delete", "configmap", DOCUMENT]).await?;
    hinted(&mut watch, "the deletion", async || Ok(store.read(&Object::Document).await?.is_none())).await?;
    let conflict = store.compare_and_set(&Object::Document, Some(&old), b"").await.unwrap_err();
    ensure!(conflict.code() == "StoreConflict", "{conflict}");
    let new = store.compare_and_set(&Object::Document, None, b"{}").await?;
    ensure!(new != old, "the same bytes, but not the same object");
    let conflict = store.compare_and_set(&Object::Document, Some(&old), b"").await.unwrap_err();
    ensure!(conflict.code() == "StoreConflict", "{conflict}");
    hinted_bytes(&store, &mut watch, &Object::Document, b"{}").await
}

#[tokio::test]
async fn damaged_values_are_told() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("damaged").await?;
    let store = open(&plane.admin(), "damaged")?;
    // Without its key it does not exist; its bytes may come as text or as base64.
    plane.kubectl(&["-n", "damaged", "create", "configmap", DOCUMENT, "--from-literal", "a=b"]).await?;
    ensure!(store.read(&Object::Document).await?.is_none());
    for (data, bytes) in [
        (r#"{"binaryData":{"document.json":"/w=="}}"#, b"\xff".as_slice()),
        (r#"{"binaryData":null,"data":{"document.json":"text"}}"#, b"text"),
    ] {
        plane.kubectl(&["-n", "damaged", "patch", "configmap", DOCUMENT, "--type=merge", "-p", data]).await?;
        ensure!(get(&store, &Object::Document).await?.bytes == bytes, "{data}");
    }
    // Larger than any write of ours.
    let big = "x".repeat(MAX_OBJECT_BYTES + 1);
    let manifest = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {REQUEST}}}\ndata: {{request.json: {big}}}\n"
    );
    plane.create("damaged", &manifest).await?;
    let error = store.read(&Object::Request).await.unwrap_err();
    ensure!(matches!(error, Error::TooLarge { bytes, limit, .. } if bytes == limit + 1), "{error}");
    // Frozen by its owner.
    let patch = r#"{"immutable":true}"#;
    plane.kubectl(&["-n", "damaged", "patch", "configmap", DOCUMENT, "--patch", patch]).await?;
    let frozen = get(&store, &Object::Document).await?;
    let error = store.compare_and_set(&Object::Document, Some(&frozen.version), b"two").await.unwrap_err();
    ensure!(error.code() == "StoreReadOnly", "{error}");
    let cause = std::error::Error::source(&error).context("a cause")?.to_string();
    ensure!(cause.contains("immutable"), "{cause}");
    // Names like a report's that no report can have.
    for name in ["tidegate.orders.report.a.b", "tidegate.orders-2.report.blue-1", "other"] {
        let create = ["-n", "damaged", "create", "configmap", name, "--from-literal", "report.json={}"];
        plane.kubectl(&create).await?;
        let labels = ["tidegate.io/store=tidegate", "tidegate.io/rollout=orders"];
        plane.kubectl(&[&["-n", "damaged", "label", "configmap", name], &labels[..]].concat()).await?;
    }
    store.compare_and_set(&report(), None, b"{}").await?;
    ensure!(store.reports().await? == [slot("blue-1")]);
    Ok(())
}

/// The manifest that made the ConfigMaps is applied again, as a pipeline does.
#[tokio::test]
async fn a_manifest_that_is_applied_again_rolls_nothing_back() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("again").await?;
    plane.apply("again", rights::JOB_BY_NAME).await?;
    let store = open(&plane.admin(), "again")?;
    ensure!(store.read(&Object::Document).await?.is_none() && store.reports().await?.is_empty());
    for object in [Object::Document, Object::Request, report()] {
        store.compare_and_set(&object, None, b"written").await?;
    }
    plane.apply("again", rights::JOB_BY_NAME).await?;
    for object in [Object::Document, Object::Request, report()] {
        ensure!(get(&store, &object).await?.bytes == b"written", "{object}");
    }
    ensure!(store.reports().await? == [slot("blue-1")]);
    Ok(())
}
