//! The objects of a manifest.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

const CLUSTER_SCOPED: [&str; 4] =
    ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"];

/// By kind and name.
pub(crate) type Objects = BTreeMap<String, Value>;

/// Reads a manifest as if it were applied in that namespace.
pub(crate) fn parse(manifest: &str, namespace: &str) -> Result<Objects> {
    let list: Vec<Value> = serde_saphyr::from_multiple(manifest)?;
    let mut objects = Objects::new();
    for mut object in list.into_iter().filter(|object| !object.is_null()) {
        let kind = object["kind"].as_str().context("an object has no kind")?.to_owned();
        let name =
            format!("{kind} {}", object["metadata"]["name"].as_str().context("an object has no name")?);
        if !CLUSTER_SCOPED.contains(&kind.as_str()) {
            fill(&mut object["metadata"], namespace);
        }
        if kind == "RoleBinding" {
            for subject in object["subjects"].as_array_mut().into_iter().flatten() {
                fill(subject, namespace);
            }
        }
        whole(&mut object);
        ensure!(objects.insert(name.clone(), object).is_none(), "{name} is there twice");
    }
    Ok(objects)
}

fn fill(object: &mut Value, namespace: &str) {
    if object["namespace"].is_null() {
        object["namespace"] = json!(namespace);
    }
}

/// 1 is written as 1.0 by some tool.
fn whole(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(whole),
        Value::Object(fields) => fields.values_mut().for_each(whole),
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0) {
                *value = json!(float as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
