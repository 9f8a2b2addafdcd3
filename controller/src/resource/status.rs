//! The status, as the controller writes it. `record` is read again, and so are `revisions` and `notifications`; all else is for people
//! and programs.

pub(crate) mod build;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stage::{Severity, Stage};

/// What the controller answers; nobody else writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed_generation: Option<i64>,
    /// What is under way.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) phase: String,
    /// Counts the rollouts.
    #[serde(default)]
    pub(crate) attempt: u64,
    /// Who has the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) active: Option<Member>,
    /// Who is to have it, or stands by to take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Member>,
    /// The cutover under way, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cutover: Option<Cutover>,
    /// Event time that the target is behind the active version, such as `1.2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lag: Option<String>,
    /// What is waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) waiting: Vec<Waiting>,
    /// Ready, Available, Progressing, Degraded, CutoverPending, Paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub(crate) conditions: Vec<Condition>,
    /// Who did what, when and why, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<Entry>,
    /// The versions that were deployed, oldest first: what undo needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) revisions: Vec<Revision>,
    /// Savepoints that were taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) savepoints: Vec<Savepoint>,
    /// The last request of a person, and why it was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Request>,
    /// What people are told.
    #[serde(default, skip_serializing_if = "Notifications::is_empty")]
    pub(crate) notifications: Notifications,
    /// The planner's own record. Do not edit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub(crate) record: Option<Value>,
}

/// One of the versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    /// Such as green-2.
    pub(crate) member: String,
    /// Its color.
    pub(crate) color: String,
    /// Its generation.
    pub(crate) generation: u32,
    /// The name of its deployment.
    pub(crate) deployment: String,
    /// What it is made from.
    pub(crate) revision: String,
}

/// A cutover.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cutover {
    /// Proposed, Committed, Done or Aborted.
    pub(crate) state: String,
    /// The document's attempt.
    pub(crate) attempt: u64,
    /// Who hands over.
    pub(crate) from: String,
    /// Who takes over.
    pub(crate) to: String,
    /// The boundary, as an RFC 3339 time.
    pub(crate) boundary: String,
    /// The boundary in epoch milliseconds.
    pub(crate) boundary_millis: i64,
    /// Why it was aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// Something that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waiting {
    /// Its stable name.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

/// A condition, as all of Kubernetes has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// True, False or Unknown.
    pub(crate) status: String,
    /// A stable name.
    pub(crate) reason: String,
    /// For people.
    pub(crate) message: String,
    /// The generation of the spec that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed_generation: Option<i64>,
    /// When the status last changed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) last_transition_time: String,
}

/// A line of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) time: String,
    /// Who.
    pub(crate) who: String,
    /// What.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
    /// In which rollout.
    pub(crate) attempt: u64,
}

/// A version that was deployed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revision {
    /// The digest of what it is made from.
    pub(crate) name: String,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    /// The jar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jar: Option<String>,
    /// The main class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entry_class: Option<String>,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) args: Vec<String>,
    /// Parallelism, by its template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parallelism: Option<u32>,
    /// Replicas of the JobManager, by its template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job_managers: Option<u32>,
    /// Replicas of the TaskManagers, by its template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task_managers: Option<u32>,
    /// All of it: `{template: …}` or `{job: …}`, as it stood in the spec.
    #[schemars(schema_with = "any_object")]
    pub(crate) source: Value,
}

/// A savepoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Savepoint {
    /// What took it, such as `3-pin-blue-1-1`.
    pub(crate) name: String,
    /// Start, WayBack, Scheduled or Last.
    pub(crate) purpose: String,
    /// When it was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) time: Option<String>,
    /// Where it lies; nothing while it is being taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
}

/// What people are told by `spec.notifications`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notifications {
    /// Counts the messages.
    #[serde(default)]
    pub(crate) count: u64,
    /// For what people were called since a person is needed, by its stable name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) called: Vec<String>,
    /// Messages that have not been delivered to all who want them, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pending: Vec<Message>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// No other message ever has it.
    pub(crate) id: String,
    /// When it happened.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) time: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Where in the rollout.
    pub(crate) stage: Stage,
    /// Which rollout.
    pub(crate) attempt: u64,
    /// Who.
    pub(crate) who: String,
    /// What.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
    /// How a person goes on from there.
    pub(crate) command: String,
    /// The channels to which it is not delivered yet.
    pub(crate) to: Vec<String>,
}

impl Notifications {
    fn is_empty(&self) -> bool {
        *self == Notifications::default()
    }
}

/// A request of a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    /// Its id.
    pub(crate) id: String,
    /// Why it was refused; nothing when it was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
