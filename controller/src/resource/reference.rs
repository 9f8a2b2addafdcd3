//! The reference of the resource in the docs, made from its definition.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::duration;

/// The file in the docs.
const COMMITTED: &str = "../docs/configuration-resource.md";

const INTRODUCTION: &str = "# The resource, field by field

Written by a test from the definition of the resource, which is made from the types of the code (`make reference`); do not edit it. `kubectl explain
fbg.spec` shows the same of the definition that is installed. What the parts mean: [controller](controller.md), [checks](checks.md),
[notifications](notifications.md), [stores](stores.md), [what the template must have](flink-operator.md#what-the-template-must-have). kubectl refuses
a field that is not in these tables; for a client that asks for no validation the API server drops it.

A *duration* is written as `500ms`, `30s`, `5m`, `1h30m`, and is at most a year. `[]` behind a field: each element of a list.
";

/// The whole page.
fn markdown(definition: &Value) -> String {
    let version = &definition["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let names = &definition["spec"]["names"];
    let mut text = String::from(INTRODUCTION);
    let _ = write!(
        text,
        "\n`apiVersion: {}/{}`, `kind: {}`, for kubectl `{}`.\n",
        string(&definition["spec"]["group"]),
        string(&version["name"]),
        string(&names["kind"]),
        string(&names["shortNames"][0]),
    );
    table(&mut text, "spec", "What a person writes", &schema["properties"]["spec"], spec_row);
    rules(&mut text, schema);
    table(&mut text, "status", "What the controller answers", &schema["properties"]["status"], status_row);
    columns(&mut text, &version["additionalPrinterColumns"]);
    text
}

/// One row for each field below, in the order of their paths.
fn table(text: &mut String, path: &str, title: &str, schema: &Value, row: fn(&mut String, &Field<'_>)) {
    let head = if path == "spec" {
        "| field | type | default | allowed | |\n|---|---|---|---|---|\n"
    } else {
        "| field | type | |\n|---|---|---|\n"
    };
    let _ = write!(text, "\n## {title}: `{path}`\n{head}");
    fields(path, schema, &mut |field| row(text, field));
}

/// A field of the schema, with the path that leads to it.
struct Field<'a> {
    path: String,
    schema: &'a Value,
    is_required: bool,
}

fn fields(path: &str, schema: &Value, each: &mut impl FnMut(&Field<'_>)) {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let is_required = required.iter().any(|required| required == name);
        each(&Field { path: path.clone(), schema, is_required });
        fields(&path, schema, each);
        fields(&format!("{path}[]"), &schema["items"], each);
    }
}

fn spec_row(text: &mut String, field: &Field<'_>) {
    let default = match &field.schema["default"] {
        _ if field.is_required => "required".to_owned(),
        // The fields of an object have theirs in rows of their own.
        Value::Null | Value::Object(_) => String::new(),
        Value::String(default) => format!("`{default}`"),
        default @ (Value::Bool(_) | Value::Number(_) | Value::Array(_)) => format!("`{default}`"),
    };
    let (path, what) = (&field.path, what(field.schema));
    let _ = writeln!(
        text,
        "| `{path}` | {} | {default} | {} | {what} |",
        kind(field.schema),
        allowed(field.schema)
    );
}

fn status_row(text: &mut String, field: &Field<'_>) {
    let _ = writeln!(text, "| `{}` | {} | {} |", field.path, kind(field.schema), what(field.schema));
}

fn kind(schema: &Value) -> String {
    let map = &schema["additionalProperties"];
    let text = match string(&schema["type"]) {
        "array" => return format!("list of {}", plural(&schema["items"])),
        "object" if map.is_object() => return format!("map of {}", plural(map)),
        "object" if schema["x-kubernetes-preserve-unknown-fields"] == true => "object, as it stands",
        "string" if schema["format"] == "date-time" => "RFC 3339 time",
        "string" if schema["pattern"] == duration::PATTERN => "duration",
        "integer" | "number" => "number",
        other => other,
    };
    text.to_owned()
}

fn plural(schema: &Value) -> String {
    format!("{}s", kind(schema))
}

/// What the schema itself refuses; rules over several fields stand below the table.
fn allowed(schema: &Value) -> String {
    let mut parts = Vec::new();
    let values = |schema: &Value| -> Option<String> {
        let values = schema["enum"].as_array()?.iter().filter(|value| !value.is_null());
        Some(values.map(|value| format!("`{}`", string(value))).collect::<Vec<_>>().join(", "))
    };
    parts.extend(values(schema).or_else(|| values(&schema["items"])));
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => parts.push(format!("{least} to {most}")),
        (Some(least), None) => parts.push(format!("at least {least}")),
        (None, _) => {}
    }
    if let Some(pattern) = schema["pattern"].as_str().filter(|pattern| *pattern != duration::PATTERN) {
        parts.push(format!("`{pattern}`"));
    }
    // Of a duration and a time the length says nothing to a person.
    let is_text = kind(schema) == "string";
    if let Some(most) = schema["maxLength"].as_u64().filter(|_| is_text) {
        parts.push(format!("at most {most} characters"));
    }
    if let Some(most) = schema["maxItems"].as_u64() {
        parts.push(format!("at most {most}"));
    }
    cell(&parts.join("; "))
}

fn what(schema: &Value) -> String {
    cell(string(&schema["description"]))
}

/// The messages of all rules, each once, in the order of their fields.
fn rules(text: &mut String, schema: &Value) {
    text.push_str("\nRefused, with these words:\n");
    let mut told: Vec<&str> = Vec::new();
    messages(schema, &mut told);
    for message in told {
        let _ = writeln!(text, "- {message}");
    }
}

fn messages<'a>(schema: &'a Value, told: &mut Vec<&'a str>) {
    let rules = schema["x-kubernetes-validations"].as_array().map(Vec::as_slice).unwrap_or_default();
    for message in rules.iter().map(|rule| string(&rule["message"])) {
        if !told.contains(&message) {
            told.push(message);
        }
    }
    for below in schema["properties"].as_object().into_iter().flat_map(Map::values) {
        messages(below, told);
        messages(&below["items"], told);
    }
}

fn columns(text: &mut String, columns: &Value) {
    text.push_str("\n## What `kubectl get fbg` shows\n| column | field | |\n|---|---|---|\n");
    for column in columns.as_array().map(Vec::as_slice).unwrap_or_default() {
        let (name, path) = (string(&column["name"]), string(&column["jsonPath"]).trim_start_matches('.'));
        let _ = writeln!(text, "| {name} | `{path}` | {} |", string(&column["description"]));
    }
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_that_of_the_definition() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
        let definition = serde_json::from_str(&crate::resource::crd_json().unwrap()).unwrap();
        let generated = markdown(&definition);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{COMMITTED} is not that of the definition; write it anew with `make reference`"
        );
    }

    /// Each field that a person can write says what it is about, and no description points into the code.
    #[test]
    fn every_field_is_described() {
        let definition: Value = serde_json::from_str(&crate::resource::crd_json().unwrap()).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        fields("", schema, &mut |field| {
            let text = string(&field.schema["description"]);
            assert!(
                !text.is_empty() && !text.contains("[`") && text != "See above.",
                "{}: {text:?}",
                field.path
            );
        });
    }
}
