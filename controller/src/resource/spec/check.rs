//! Checks: each is looked at every interval; it passes after so many good results in a row, and fails after more bad ones than allowed.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resource::duration::Duration;

/// One check, of exactly one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("[has(self.builtIn), has(self.http), has(self.prometheus), has(self.key)].filter(is, is).size() == 1")
        .message("spec.checks: write exactly one of builtIn, http, prometheus and key in each check")
)]
pub(crate) struct Check {
    /// Its name in the status, in events and in metrics.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub(crate) name: String,
    /// How often it is looked at.
    #[serde(default = "interval")]
    pub(crate) interval: Duration,
    /// How many good results in a row it takes.
    #[serde(default = "count")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) count: u32,
    /// How many bad results are allowed in all.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub(crate) failure_limit: u32,
    /// A probe of the job's own figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) built_in: Option<BuiltIn>,
    /// An HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<Http>,
    /// A Prometheus query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prometheus: Option<Prometheus>,
    /// A key that is set from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Key>,
}

/// A probe of the job's own figures, beyond those that every proof makes (running, restarts, checkpoints, lag).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BuiltIn {
    /// The highest share of time, in percent, that any task may be backpressured.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) backpressure_percent: u32,
}

/// An HTTP request; a GET, without a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.url.matches('^https?://[^@]+$')")
        .message("spec.checks.http.url: write http://… or https://…, without credentials")
)]
pub(crate) struct Http {
    /// The address. `{member}` in it becomes the new version's member, such as green-2.
    #[schemars(length(min = 1, max = 2048))]
    pub(crate) url: String,
    /// The status that is good.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    pub(crate) status: u16,
    /// How long the answer may take.
    #[serde(default = "timeout")]
    pub(crate) timeout: Duration,
}

/// A Prometheus query that gives one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.atLeast) || has(self.atMost)")
        .message("spec.checks.prometheus: a threshold is missing; write atLeast, atMost or both"),
    validation = Rule::new("self.url.matches('^https?://[^@]+$')")
        .message("spec.checks.prometheus.url: write http://… or https://…, without credentials")
)]
pub(crate) struct Prometheus {
    /// The address of the server.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) url: String,
    /// The query. `{member}` in it becomes the new version's member, such as green-2.
    #[schemars(length(min = 1, max = 4096))]
    pub(crate) query: String,
    /// The lowest good value, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_least: Option<f64>,
    /// The highest good value, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<f64>,
    /// How long the answer may take.
    #[serde(default = "timeout")]
    pub(crate) timeout: Duration,
}

/// A key that somebody sets to `passed` or `failed` for a revision, such as `passed <revision>`: in a ConfigMap of this namespace,
/// or in the annotations of this resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Key {
    /// The ConfigMap; the resource's own annotations when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub(crate) config_map: Option<String>,
    /// The key.
    #[schemars(length(min = 1, max = 317))]
    pub(crate) key: String,
}

fn interval() -> Duration {
    Duration::new("10s")
}

fn count() -> u32 {
    3
}

fn ok() -> u16 {
    200
}

fn timeout() -> Duration {
    Duration::new("5s")
}
