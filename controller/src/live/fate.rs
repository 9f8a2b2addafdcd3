//! What a status comes to: is the edit that one waits for live, given up, or still under way?

use kube::ResourceExt as _;
use tidegate_protocol::rollout::{Phase, Record};

use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::intent::Intent;
use crate::resource::problem::Invalid;
use crate::resource::status::{Condition, Status};

/// How far the wanted version is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Something is to be done yet: what.
    UnderWay(String),
    /// It has the output, and runs.
    Ready,
    /// It is stopped, as wanted.
    Suspended,
    /// It was given up: the stable name, and why.
    GivenUp { code: String, message: String, is_replaced: bool },
    /// The spec cannot be followed.
    Invalid(String),
}

/// Only what is about this very edit counts: a status of an earlier one tells nothing of it.
pub(super) fn of(resource: &FlinkBlueGreenDeployment) -> Fate {
    let Some(status) = &resource.status else {
        return Fate::UnderWay("no controller has looked at it yet".to_owned());
    };
    if status.observed_generation != resource.metadata.generation {
        return Fate::UnderWay("no controller has looked at this edit yet".to_owned());
    }
    let headline = headline(status);
    if resource.metadata.deletion_timestamp.is_some() {
        return Fate::UnderWay(headline);
    }
    if let Some(degraded) = condition(status, "Degraded").filter(|degraded| degraded.reason == Invalid::CODE)
    {
        return Fate::Invalid(degraded.message.clone());
    }
    if let Some(given_up) = given_up(resource, status) {
        return given_up;
    }
    match condition(status, "Ready") {
        Some(ready) if ready.status == "True" && ready.reason == "Suspended" => Fate::Suspended,
        Some(ready) if ready.status == "True" => Fate::Ready,
        Some(_) | None => Fate::UnderWay(headline),
    }
}

/// Given up, and nothing is under way on its behalf any more.
fn given_up(resource: &FlinkBlueGreenDeployment, status: &Status) -> Option<Fate> {
    let record = record(status)?;
    let failed = record.failed.filter(|_| record.phase == Phase::Idle)?;
    let namespace = resource.namespace().unwrap_or_default();
    let intent = Intent::read(&namespace, &resource.name_any(), &resource.spec).ok()?;
    let is_replaced = record.active.is_some_and(|active| active.revision != intent.revision);
    (failed.revision == intent.revision).then(|| Fate::GivenUp {
        code: failed.failure.cause.code().to_owned(),
        message: failed.failure.message,
        is_replaced,
    })
}

/// What the controller has persisted, if this version of it can be read.
pub(super) fn record(status: &Status) -> Option<Record> {
    serde_json::from_value(status.record.clone()?).ok()
}

pub(super) fn condition<'a>(status: &'a Status, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.kind == kind)
}

/// One line: the phase, and what it waits for first.
pub(super) fn headline(status: &Status) -> String {
    match status.waiting.first() {
        Some(waiting) => format!("{}: {}", status.phase, waiting.message),
        None => status.phase.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A resource of generation 2 with that status.
    pub(in crate::live) fn resource(status: Value) -> FlinkBlueGreenDeployment {
        serde_json::from_value(json!({
            "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment",
            "metadata": {"name": "orders", "namespace": "shop", "generation": 2},
            "spec": {"job": {"url": "http://flink:8081", "jar": "/2.jar"}, "store": "directory:///s"},
            "status": status,
        }))
        .unwrap()
    }

    fn status(ready: (&str, &str), generation: i64) -> Value {
        json!({
            "observedGeneration": generation, "phase": "Proving",
            "waiting": [{"code": "Lag", "message": "green-1 is 3.2s behind"}],
            "conditions": [{"type": "Ready", "status": ready.0, "reason": ready.1, "message": "", "lastTransitionTime": ""}],
        })
    }

    #[test]
    fn only_a_status_about_this_edit_counts() {
        let fate = |status| of(&resource(status));
        assert_eq!(fate(status(("True", "Running"), 2)), Fate::Ready);
        assert_eq!(fate(status(("True", "Suspended"), 2)), Fate::Suspended);
        assert!(
            matches!(fate(status(("True", "Running"), 1)), Fate::UnderWay(what) if what.contains("this edit"))
        );
        assert!(matches!(fate(Value::Null), Fate::UnderWay(what) if what.contains("no controller")));
        let way = fate(status(("False", "Proving"), 2));
        assert_eq!(way, Fate::UnderWay("Proving: green-1 is 3.2s behind".to_owned()));
    }

    #[test]
    fn what_was_given_up_is_told_when_nothing_is_under_way_on_its_behalf() {
        let intent = Intent::read("shop", "orders", &resource(Value::Null).spec).unwrap();
        let told = |revision: &str, phase: Value| {
            let mut status = status(("False", "OtherRevision"), 2);
            let mut record = serde_json::to_value(Record::default()).unwrap();
            record["phase"] = phase;
            record["failed"] = json!({"revision": revision, "at": 1,
                "failure": {"cause": "Unstable", "message": "it restarted 3 times"}});
            status["record"] = record;
            of(&resource(status))
        };
        let given_up = told(&intent.revision.0, json!("idle"));
        assert!(matches!(given_up, Fate::GivenUp { code, .. } if code == "Unstable"));
        assert!(matches!(told("another", json!("idle")), Fate::UnderWay(_)));
        let suspended = json!({"suspended": {"start": "empty"}});
        assert!(matches!(told(&intent.revision.0, suspended), Fate::UnderWay(_)));
    }

    #[test]
    fn a_spec_that_cannot_be_followed_is_told() {
        let status = json!({"observedGeneration": 2, "conditions": [{"type": "Degraded", "status": "True",
            "reason": "SpecInvalid", "message": "SpecInvalid: spec.watch", "lastTransitionTime": ""}]});
        assert_eq!(of(&resource(status)), Fate::Invalid("SpecInvalid: spec.watch".to_owned()));
    }
}
