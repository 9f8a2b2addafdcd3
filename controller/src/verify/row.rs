//! A row of the output: JSON, with a key and an event time.

use anyhow::{Context, Result};
use serde_json::{Number, Value};

/// Where a row's key and event time are.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The fields whose values, together, name a row.
    pub(crate) key: Vec<String>,
    /// The field with the event time, in epoch milliseconds.
    pub(crate) time_field: String,
    /// Added to it.
    pub(crate) time_offset_ms: i64,
}

/// The values of the key fields in one canonical text, so that `1` and `1.0` are the same key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(String);

impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Shape {
    /// A row's key.
    ///
    /// # Errors
    /// When a field is missing.
    pub(super) fn key(&self, row: &Value) -> Result<Key> {
        let fields = self.key.iter().map(|name| {
            let value = row.get(name).with_context(|| format!("no key field `{name}` in {row}"))?;
            Ok(format!("{name}={}", canonical(value)))
        });
        Ok(Key(fields.collect::<Result<Vec<_>>>()?.join(" ")))
    }

    /// A row's event time, epoch milliseconds.
    ///
    /// # Errors
    /// When the field is missing or no whole number.
    pub(super) fn time(&self, row: &Value) -> Result<i64> {
        let field = &self.time_field;
        let time = row.get(field).and_then(Value::as_i64);
        let time = time.with_context(|| format!("no whole number in the time field `{field}` of {row}"))?;
        time.checked_add(self.time_offset_ms).with_context(|| format!("the time of {row} is out of range"))
    }
}

/// Equality of JSON values in which a number is its value: `12.5` equals `12.50`, and `3` equals `3.0`.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => same_number(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn same_number(left: &Number, right: &Number) -> bool {
    // Whole numbers first: beyond 2^53 two different ones are one f64.
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right || left.as_f64() == right.as_f64(),
    }
}

fn canonical(value: &Value) -> String {
    let float = value.as_number().filter(|number| number.as_i64().is_none()).and_then(Number::as_f64);
    float.map_or_else(|| value.to_string(), |float| float.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> Shape {
        Shape {
            key: vec!["origin".into(), "hour".into()],
            time_field: "hour".into(),
            time_offset_ms: 3_599_999,
        }
    }

    #[test]
    fn key_and_time() {
        let row = json!({"origin": "EWR", "hour": 3_600_000, "departures": 1});
        assert_eq!(shape().key(&row).unwrap().to_string(), r#"origin="EWR" hour=3600000"#);
        assert_eq!(shape().time(&row).unwrap(), 7_199_999);
        assert_eq!(
            shape().key(&json!({"origin": "EWR", "hour": 3.0})).unwrap(),
            shape().key(&json!({"origin": "EWR", "hour": 3})).unwrap()
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = shape().key(&json!({"origin": "EWR"})).unwrap_err();
        assert!(format!("{error:#}").contains("no key field `hour`"), "{error:#}");
        assert!(shape().time(&json!({"hour": "noon"})).is_err());
        assert!(shape().time(&json!({"hour": i64::MAX})).is_err());
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!({"a": [1, 12.5]}), &serde_json::from_str(r#"{"a": [1.0, 12.50]}"#).unwrap()));
        assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)));
        assert!(!same(&json!(1), &json!("1")));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": null})));
        assert!(!same(&json!(null), &json!(0)));
    }
}
