//! The points at which the controller may die: every request that changes something, by a name that is the same each time.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_integration_tests::http_proxy::Request;
use tidegate_protocol::rollout::ActionKind;

/// What differs each time in a record, though it says the same.
const TIMES: [&str; 9] = ["since", "at", "ended", "paused", "begun", "taken", "history", "message", "path"];
/// What is said of these is when, or how many meanwhile.
const PRESENT: [&str; 2] = ["baseline", "caughtUp"];

/// One request that changes something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) name: String,
    /// The action that it is, or a part of.
    pub(crate) action: Option<ActionKind>,
}

/// Gives the names.
#[derive(Default)]
pub(crate) struct Points {
    ids: Vec<String>,
    records: BTreeMap<String, Vec<Value>>,
    persisted: Option<Value>,
}

impl Points {
    /// The name of a request that may change something; none for renewals of the Lease, and events.
    pub(crate) fn name(&mut self, request: &Request) -> Option<Point> {
        let path = request.path.split('?').next().unwrap_or_default();
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let method = &request.method;
        let (name, action) = match words.as_slice() {
            [.., "leases" | "events"] | [.., "leases" | "events", _] => return None,
            [.., "flinkbluegreendeployments", _, "status"] => (self.status(&body), None),
            [.., "flinkbluegreendeployments", _] => self.metadata(&body),
            [.., "configmaps", name] => self.store(name, &request.body),
            ["jars", "upload"] => ("upload the jar".to_owned(), Some(ActionKind::Start)),
            ["jars", _, "run"] => (format!("run {}", self.known(&body["jobId"])), Some(ActionKind::Start)),
            ["jobs", job, "savepoints"] => (
                format!("savepoint {} of {}", self.known(&body["triggerId"]), self.id(job)),
                Some(ActionKind::Snapshot),
            ),
            ["jobs", job, "stop"] => (format!("stop {}", self.id(job)), Some(ActionKind::Stop)),
            ["jobs", job] => (format!("cancel {}", self.id(job)), Some(self.end())),
            ["savepoint-disposal"] => (
                format!("dispose of savepoint {}", self.known(&body["savepoint-path"])),
                Some(ActionKind::Drop),
            ),
            _ => (format!("{method} {path}"), None),
        };
        Some(Point { name, action })
    }

    /// A request was answered with success.
    pub(crate) fn done(&mut self, request: &Request) {
        if request.path.split('?').next().is_some_and(|path| path.ends_with("/status")) {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            self.persisted = Some(essence(&body["status"]["record"]));
        }
    }

    /// A write of the record has a name of its own for each record that says something else.
    fn status(&mut self, body: &Value) -> String {
        let record = essence(&body["status"]["record"]);
        let phase = phase(&record["phase"]);
        if self.persisted.as_ref() == Some(&record) {
            return format!("status of {phase}, told");
        }
        let known = self.records.entry(phase.clone()).or_default();
        let number = known.iter().position(|known| *known == record).unwrap_or_else(|| {
            known.push(record);
            known.len() - 1
        });
        format!("status of {phase} {}", number + 1)
    }

    fn metadata(&mut self, body: &Value) -> (String, Option<ActionKind>) {
        let metadata = &body["metadata"];
        if metadata["finalizers"].as_array().is_some_and(Vec::is_empty) {
            return ("finalizer away".to_owned(), Some(ActionKind::Release));
        }
        (
            format!(
                "finalizer and revisions {}",
                self.known(&metadata["annotations"]["tidegate.io/revisions"])
            ),
            None,
        )
    }

    /// Requests are ours; the document is changed by the protocol's own steps, and by two actions.
    fn store(&mut self, name: &str, body: &[u8]) -> (String, Option<ActionKind>) {
        let text = String::from_utf8_lossy(body);
        let is_in =
            |phase: &str| self.persisted.as_ref().is_some_and(|record| !record["phase"][phase].is_null());
        let forgets = || {
            let leftovers = self.persisted.as_ref().and_then(|record| record["leftovers"].as_array());
            leftovers.is_some_and(|leftovers| leftovers.iter().any(|leftover| leftover["way"] == "forget"))
        };
        match name.ends_with(".document") {
            true if is_in("claiming") => ("document, reclaim".to_owned(), Some(ActionKind::Reclaim)),
            true if forgets() => ("document, forget".to_owned(), Some(ActionKind::Forget)),
            true => ("document".to_owned(), None),
            false if text.contains("abort") => ("request to abort".to_owned(), Some(ActionKind::Withdraw)),
            false => ("request to hand over".to_owned(), Some(ActionKind::Promote)),
        }
    }

    /// What the end of a job is for.
    fn end(&self) -> ActionKind {
        let is_in =
            |phase: &str| self.persisted.as_ref().is_some_and(|record| !record["phase"][phase].is_null());
        if is_in("fencing") || is_in("relaunching") { ActionKind::Cancel } else { ActionKind::Delete }
    }

    fn known(&mut self, id: &Value) -> String {
        self.id(id.as_str().unwrap_or_default())
    }

    fn id(&mut self, id: &str) -> String {
        let number = self.ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        });
        format!("#{}", number + 1)
    }
}

/// What a record says, without when it says so.
fn essence(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !TIMES.contains(&key.as_str()));
            let short = |(key, value): (&String, &Value)| {
                let value =
                    if PRESENT.contains(&key.as_str()) { (!value.is_null()).into() } else { essence(value) };
                (key.clone(), value)
            };
            Value::Object(kept.map(short).collect())
        }
        Value::Array(values) => values.iter().map(essence).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn phase(phase: &Value) -> String {
    let named = phase.as_object().and_then(|fields| fields.keys().next().map(String::as_str));
    named.or_else(|| phase.as_str()).unwrap_or("nothing").to_owned()
}
