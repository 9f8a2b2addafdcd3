//! The spec, as it is written. The doc comments are what `kubectl explain` shows.

mod check;
mod notification;
mod strategy;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duration::Duration;
use super::status::Status;
pub(crate) use check::{Check, Prometheus};
pub(crate) use notification::{Notification, SecretKey, Slack, Webhook};
pub(crate) use strategy::{Deadlines, HandOver, LatePolicy, Promotion, PromotionMode, Proof, Strategy};

/// Hands the output of a running Flink job over to its next version, exactly, and back by itself when that is not sound.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tidegate.io",
    version = "v1alpha1",
    kind = "FlinkBlueGreenDeployment",
    plural = "flinkbluegreendeployments",
    shortname = "fbg",
    category = "flink",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    doc = "A Flink job whose versions replace each other without loss, duplicates or a stop.",
    validation = Rule::new("size(self.metadata.name) <= 30")
        .message("metadata.name is too long: deployments are named after it, and Flink's operator takes 45 characters; write at most 30"),
    printcolumn(name = "Active", type_ = "string", json_path = ".status.active.member", description = "Who has the output"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.target.member", description = "Who is to have it"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "What is under way"),
    printcolumn(name = "Cutover", type_ = "string", json_path = ".status.cutover.state", description = "The cutover under way"),
    printcolumn(name = "Lag", type_ = "string", json_path = ".status.lag", description = "Event time that the target is behind the active version"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "The wanted version is live"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.template) != has(self.job)")
        .message("spec.template and spec.job: write exactly one of them"),
    validation = Rule::new("self.strategy != 'stop-start' || !has(self.handOver)")
        .message("spec.handOver: with strategy stop-start nothing is handed over; leave it out, or use blue-green"),
    validation = Rule::new("self.strategy != 'stop-start' || !has(self.latePolicy)")
        .message("spec.latePolicy: with strategy stop-start no event time changes hands; leave it out, or use blue-green"),
    validation = Rule::new("self.strategy != 'stop-start' || !has(self.allowedLateness)")
        .message("spec.allowedLateness: with strategy stop-start no event time changes hands; leave it out, or use blue-green"),
    validation = Rule::new("self.strategy != 'stop-start' || !has(self.proof) || !has(self.proof.lag)")
        .message("spec.proof.lag: with strategy stop-start there is no old job to be behind of; leave it out, or use blue-green"),
    validation = Rule::new("self.strategy != 'stop-start' || !has(self.promotion)")
        .message("spec.promotion: with strategy stop-start the new version has the output from its start; leave it out, or use blue-green"),
    // Not at the field itself: there the server would repeat the value, password and all.
    validation = Rule::new("!has(self.store) || !self.store.contains('@')")
        .message("spec.store: credentials do not belong into a URL; name a file with auth-file="),
    validation = Rule::new("(!has(oldSelf.store) && has(oldSelf.job)) || (has(self.store) == has(oldSelf.store) && (!has(self.store) || self.store == oldSelf.store))")
        .message("spec.store: it cannot be exchanged, because the jobs that run have it; delete the resource, and make another one"),
    validation = Rule::new("!has(self.job) || has(self.store) || self.strategy == 'stop-start'")
        .message("spec.store: a job on a cluster of its own needs a store that it can reach; name it")
)]
pub(crate) struct Spec {
    /// The job as a FlinkDeployment of Apache's Flink operator, exactly as in that operator's own blue/green resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<Template>,
    /// Instead of the template: the job on a session or standalone cluster, by Flink's REST API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<Job>,
    /// How a version replaces another one. `blue-green`: both run, and the output changes hands at one point in event time.
    /// `stop-start`: the old one is stopped with a savepoint first, for sources that cannot be read twice.
    #[serde(default)]
    pub(crate) strategy: Strategy,
    /// When a version that is ready takes over. At once when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) promotion: Option<Promotion>,
    /// What a new version has to show before it counts as sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Proof>,
    /// Further checks; all must pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub(crate) checks: Vec<Check>,
    /// Who is told of what happens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub(crate) notifications: Vec<Notification>,
    /// How long each phase may last. Before the commit of a cutover the rollout is aborted then; after it the wait is loud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deadlines: Option<Deadlines>,
    /// How often a savepoint, a stop or a cutover is tried.
    #[serde(default = "tries")]
    #[schemars(range(min = 1, max = 10))]
    pub(crate) tries: u32,
    /// How long the old version stands by after the cutover, while the new one is watched.
    #[serde(default = "watch")]
    pub(crate) watch: Duration,
    /// How long the deployment of a version that has ended is kept.
    #[serde(default = "deletion_delay")]
    pub(crate) deletion_delay: Duration,
    /// Whether the job is stopped with a savepoint when this resource is deleted.
    #[serde(default = "yes")]
    pub(crate) savepoint_on_deletion: bool,
    /// Where savepoints go. Flink's own setting (`execution.checkpointing.savepoint-dir`) when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) savepoint_directory: Option<String>,
    /// Savepoints of the version that has the output, from time to time. None when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) savepoints: Option<Savepoints>,
    /// When the new version begins to emit: `ordered` when all below the boundary is committed, `overlapped` at once.
    /// `ordered` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hand_over: Option<HandOver>,
    /// What becomes of records below what is settled: `emit`, `drop` or `side-output`, counted in any case. `emit` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) late_policy: Option<LatePolicy>,
    /// How far behind the frontier a record may come and still count. 0s when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_lateness: Option<Duration>,
    /// The store that the members and the controller share: `configmap://namespace/name`,
    /// `zookeeper://host:port,host:port/path` or `directory:///path`. A ConfigMap of this namespace, named after this resource,
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^(configmap|zookeeper|directory)://')")
            .message("spec.store is no store; write configmap://namespace/name, zookeeper://host:port/path or directory:///path"),
        validation = Rule::new("!self.startsWith('zookeeper://') || self.matches('^zookeeper://[^/?#]+:[0-9]+/.+')")
            .message("spec.store: a ZooKeeper store needs an address and a path; write zookeeper://host:port,host:port/path")
    )]
    pub(crate) store: Option<String>,
    /// Nothing new is begun while this is true; a cutover that was asked for goes on, and a version that fails is still taken back.
    #[serde(default)]
    pub(crate) paused: bool,
    /// How many replaced versions are remembered in the status.
    #[serde(default = "revision_history_limit")]
    #[schemars(range(min = 1, max = 20))]
    pub(crate) revision_history_limit: u32,
}

/// Savepoints that are taken while no rollout is under way. Older ones than those that are kept are disposed of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Savepoints {
    /// From the beginning of one to that of the next, such as 6h.
    pub(crate) every: Duration,
    /// How many are kept, the newest ones.
    #[serde(default = "keep")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) keep: u32,
}

/// As in the resource of Apache's operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Template {
    /// Labels and annotations for the deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<TemplateMetadata>,
    /// The spec of a FlinkDeployment; Apache's operator says what may stand in it.
    #[schemars(schema_with = "any_object")]
    pub(crate) spec: serde_json::Map<String, Value>,
}

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A job on a cluster that is there already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.url.matches('^https?://[^@]+$')")
        .message("spec.job.url: write http://host:port or https://host:port, without credentials")
)]
pub(crate) struct Job {
    /// The REST address of the cluster.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) url: String,
    /// The jar, as a path or URL that the controller can read.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) jar: String,
    /// The main class; the one that the jar's manifest names when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entry_class: Option<String>,
    /// Arguments of the main method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) args: Vec<String>,
    /// The parallelism; the cluster's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32768))]
    pub(crate) parallelism: Option<u32>,
    /// Flink configuration of the job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) configuration: BTreeMap<String, String>,
    /// The savepoint that the very first version starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) initial_savepoint: Option<String>,
    /// `running`, or `suspended`: stopped with a savepoint, to go on from there.
    #[serde(default)]
    pub(crate) state: JobState,
}

/// Whether a job is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    /// It is.
    #[default]
    Running,
    /// Its state is kept.
    Suspended,
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn keep() -> u32 {
    5
}

fn tries() -> u32 {
    3
}

fn watch() -> Duration {
    Duration::new("5m")
}

fn deletion_delay() -> Duration {
    Duration::new("5m")
}

fn yes() -> bool {
    true
}

fn revision_history_limit() -> u32 {
    10
}
