//! The resource: what is applied, and what its status tells.

use serde_json::{Value, json};

use crate::parts::{INPUT, OUTPUT, ROLLOUT};
use crate::truth::MAX_DELAY_MINUTES;

const CHECKPOINT_INTERVAL_MS: u32 = 500;

/// A version, as the resource is edited to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edit {
    pub(super) version: &'static str,
    pub(super) parallelism: u32,
    /// 0: never.
    pub(super) crash_after_rows: u32,
}

impl Edit {
    /// The arguments of the job.
    pub(super) fn arguments(&self, bootstrap_servers: &str) -> Vec<String> {
        let crash = self.crash_after_rows.to_string();
        let (delay, interval) = (MAX_DELAY_MINUTES.to_string(), CHECKPOINT_INTERVAL_MS.to_string());
        let pairs = [
            ("--bootstrap-servers", bootstrap_servers),
            ("--input", INPUT),
            ("--output", OUTPUT),
            ("--version", self.version),
            ("--max-delay-minutes", &delay),
            ("--checkpoint-interval-ms", &interval),
            ("--crash-after-rows", &crash),
        ];
        pairs.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect()
    }
}

/// The whole resource; `source` is the part that says where the job runs, and from what.
pub(super) fn manifest(source: &Value) -> String {
    let mut spec = json!({
        "proof": {
            "settling": "2s",
            "window": "5s",
            // A year goes by within minutes: this is some seconds of them.
            "lag": { "allowed": "240h", "hold": "1s" },
        },
        "checks": [{
            "name": "backpressure",
            "interval": "1s",
            "count": 3,
            // It reads all that the old version has read since the savepoint.
            "failureLimit": 100,
            "builtIn": { "backpressurePercent": 90 },
        }],
        "watch": "20s",
        "deletionDelay": "2s",
    });
    for (key, value) in source.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "FlinkBlueGreenDeployment",
        "metadata": { "name": ROLLOUT },
        "spec": spec,
    })
    .to_string()
}

/// The status of the resource.
#[derive(Debug)]
pub(super) struct Status(Value);

impl Status {
    /// Of the whole resource; it has none until the controller has looked at it.
    pub(super) fn of(resource: &Value) -> Status {
        // A status about an earlier spec says nothing about this one.
        let generation = &resource["metadata"]["generation"];
        let status = &resource["status"];
        Status(if status["observedGeneration"] == *generation { status.clone() } else { Value::Null })
    }

    pub(super) fn phase(&self) -> &str {
        self.0["phase"].as_str().unwrap_or_default()
    }

    /// The member that has the output.
    pub(super) fn active(&self) -> Option<&str> {
        self.0["active"]["member"].as_str()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.condition("Ready").is_some()
    }

    /// Why a revision was given up, or a person is needed.
    pub(super) fn degraded(&self) -> Option<String> {
        let condition = self.condition("Degraded")?;
        Some(condition["message"].as_str().unwrap_or_default().to_owned())
    }

    /// One line for a person.
    pub(super) fn line(&self) -> String {
        let waiting = self.0["waiting"].as_array().into_iter().flatten();
        let waiting: Vec<&str> = waiting.filter_map(|one| one["message"].as_str()).collect();
        format!("{:12} {}", self.phase(), waiting.join("; "))
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        let mut conditions = self.0["conditions"].as_array()?.iter();
        conditions.find(|condition| condition["type"] == kind && condition["status"] == "True")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(observed: i64, conditions: &Value) -> Value {
        json!({"metadata": {"generation": 2}, "status": {
            "observedGeneration": observed, "phase": "Idle", "active": {"member": "green-1"}, "conditions": conditions,
            "waiting": [{"code": "Lag", "message": "far behind"}]}})
    }

    #[test]
    fn a_status_counts_for_its_generation() {
        let conditions =
            json!([{"type": "Ready", "status": "True"}, {"type": "Degraded", "status": "False"}]);
        let status = Status::of(&resource(2, &conditions));
        assert!(status.is_ready() && status.degraded().is_none());
        assert_eq!((status.phase(), status.active()), ("Idle", Some("green-1")));
        assert_eq!(status.line(), "Idle         far behind");
        assert!(!Status::of(&resource(1, &conditions)).is_ready());
        let failed = json!([{"type": "Degraded", "status": "True", "message": "it crashed"}]);
        assert_eq!(Status::of(&resource(2, &failed)).degraded().as_deref(), Some("it crashed"));
    }
}
