//! The CustomResourceDefinition, made from the types.

use anyhow::Context as _;
use kube::CustomResourceExt as _;
use serde_json::Value;

use super::spec::FlinkBlueGreenDeployment;

/// As YAML, as it is committed.
pub(crate) fn yaml() -> anyhow::Result<String> {
    serde_saphyr::to_string(&FlinkBlueGreenDeployment::crd())
        .context("the definition cannot be written as YAML")
}

/// As one line of JSON.
pub(crate) fn json() -> anyhow::Result<String> {
    Ok(definition()?.to_string())
}

fn definition() -> anyhow::Result<Value> {
    let mut definition = serde_json::to_value(FlinkBlueGreenDeployment::crd())?;
    without_unsigned_formats(&mut definition);
    Ok(definition)
}

/// The API server knows no format of unsigned numbers, and warns of each; `minimum` says the same.
fn without_unsigned_formats(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let unsigned = |format: &Value| format.as_str().is_some_and(|format| format.starts_with("uint"));
            if map.get("format").is_some_and(unsigned) {
                map.remove("format");
            }
            map.values_mut().for_each(without_unsigned_formats);
        }
        Value::Array(values) => values.iter_mut().for_each(without_unsigned_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const COMMITTED: &str = "crd/flinkbluegreendeployments.tidegate.io.yaml";

    #[test]
    fn the_committed_definition_is_that_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
        let generated = yaml().unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{COMMITTED} is not that of the types; run it again with UPDATE_GOLDEN=1"
        );
    }
}
