//! What people and their tools do to the ConfigMaps.

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::kube::Shared;
use tidegate_store::{MAX_OBJECT_BYTES, Notice, Object, Store};
use tidegate_store_configmap::{ConfigMapStore, Location};

use crate::{get, hinted, hinted_bytes, keys, open, open_rollout, report, rights, slot};

const DOCUMENT: &str = "orders.document";
const REQUEST: &str = "orders";

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
    let create = ["-n", "people", "create", "configmap", REQUEST, "--from-literal", "pause=true"];
    plane.kubectl(&create).await?;
    let mut are = async |pairs: &[(&str, &str)]| {
        let keys = keys(pairs);
        let what = format!("{keys:?}");
        hinted(&mut watch, &what, async || Ok(store.read_sheet().await?.keys == Ok(keys.clone()))).await
    };
    are(&[("pause", "true")]).await?;
    for value in ["now", "+30s"] {
        let patch = format!(r#"{{"data":{{"promote":"{value}"}}}}"#);
        plane.kubectl(&["-n", "people", "patch", "configmap", REQUEST, "--patch", &patch]).await?;
        are(&[("pause", "true"), ("promote", value)]).await?;
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
    let manifest =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {REQUEST}}}\ndata: {{promote: {big}}}\n");
    plane.create("damaged", &manifest).await?;
    let sheet = store.read_sheet().await?;
    let reason = sheet.keys.as_ref().unwrap_err().to_string();
    ensure!(reason.contains("the limit is 65536"), "{reason}");
    store.write_sheet(&sheet, &keys(&[("status", "it is too large")])).await?;
    let told = store.read_sheet().await?.keys.unwrap_err().shown;
    ensure!(told == keys(&[("status", "it is too large")]), "{told:?}");
    let patch = r#"{"data":null,"binaryData":{"promote":"/w=="}}"#;
    plane.kubectl(&["-n", "damaged", "patch", "configmap", REQUEST, "--type=merge", "-p", patch]).await?;
    let sheet = store.read_sheet().await?;
    ensure!(sheet.keys == Ok(keys(&[("promote", "\u{fffd}")])), "{sheet:?}");
    store.write_sheet(&sheet, &keys(&[])).await?;
    ensure!(store.read_sheet().await?.keys == Ok(keys(&[])));
    // Frozen by its owner.
    let patch = r#"{"immutable":true}"#;
    plane.kubectl(&["-n", "damaged", "patch", "configmap", DOCUMENT, "--patch", patch]).await?;
    let frozen = get(&store, &Object::Document).await?;
    let error = store.compare_and_set(&Object::Document, Some(&frozen.version), b"two").await.unwrap_err();
    ensure!(error.code() == "StoreReadOnly", "{error}");
    let cause = std::error::Error::source(&error).context("a cause")?.to_string();
    ensure!(cause.contains("immutable"), "{cause}");
    // Names like a report's that no report can have.
    for name in ["orders.report.a.b", "orders-2.report.blue-1", "other"] {
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
    for object in [Object::Document, report()] {
        store.compare_and_set(&object, None, b"written").await?;
    }
    let written = keys(&[("status", "written"), ("taken", "{}")]);
    store.write_sheet(&store.read_sheet().await?, &written).await?;
    plane.apply("again", rights::JOB_BY_NAME).await?;
    for object in [Object::Document, report()] {
        ensure!(get(&store, &object).await?.bytes == b"written", "{object}");
    }
    ensure!(store.read_sheet().await?.keys == Ok(written));
    ensure!(store.reports().await? == [slot("blue-1")]);
    Ok(())
}

/// Another rollout that is given the URL of this one neither reads nor writes anything.
#[tokio::test]
async fn one_config_map_belongs_to_one_rollout() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("whose").await?;
    let orders = open(&plane.admin(), "whose")?;
    orders.write_sheet(&orders.read_sheet().await?, &keys(&[("pause", "true")])).await?;
    let known = orders.compare_and_set(&Object::Document, None, b"ours").await?;
    orders.compare_and_set(&report(), None, b"ours").await?;
    let url = format!("configmap://whose/orders?kubeconfig={}", plane.admin().display());
    let payments = ConfigMapStore::open(&Location::parse(&url)?, "payments")?;
    for error in [
        payments.read(&Object::Document).await.map(drop).unwrap_err(),
        payments.compare_and_set(&Object::Document, None, b"theirs").await.map(drop).unwrap_err(),
        payments.compare_and_set(&report(), None, b"theirs").await.map(drop).unwrap_err(),
        payments.read_sheet().await.map(drop).unwrap_err(),
    ] {
        ensure!(error.code() == "StoreNotAStore", "{error}");
        ensure!(error.to_string().contains("belongs to rollout orders: give each rollout a URL"), "{error}");
    }
    ensure!(payments.reports().await?.is_empty(), "the labels are another's");
    ensure!(get(&orders, &Object::Document).await?.version == known);
    open_rollout(&plane.admin(), "whose", "payments")?.compare_and_set(&Object::Document, None, b"").await?;
    Ok(())
}

/// `kubectl describe` shows what happened.
#[tokio::test]
async fn what_happens_is_an_event_on_the_request() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("events").await?;
    let store = open(&plane.admin(), "events")?;
    let long = format!("BoundaryInPast: {}", "ä".repeat(2_000));
    let notice = Notice { reason: "BoundaryInPast".to_owned(), message: long, warning: true };
    store.announce(&notice).await?;
    ensure!(plane.kubectl(&["-n", "events", "get", "events", "-o", "name"]).await?.is_empty(), "on nothing");
    store.write_sheet(&store.read_sheet().await?, &keys(&[("status", "x")])).await?;
    store.announce(&notice).await?;
    let done = Notice { reason: "Committed".to_owned(), message: "it is done".to_owned(), warning: false };
    store.announce(&done).await?;
    let shown = plane.kubectl(&["-n", "events", "describe", "configmap", REQUEST]).await?;
    for part in ["Warning  BoundaryInPast", "Normal   Committed", "tidegate  it is done"] {
        ensure!(shown.contains(part), "{part:?} is not in {shown}");
    }
    Ok(())
}
