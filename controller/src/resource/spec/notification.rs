//! Notifications: who is told what.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resource::stage::{Severity, Stage};

/// One channel, of exactly one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.slack) != has(self.webhook)")
        .message("spec.notifications: write exactly one of slack and webhook in each channel")
)]
pub(crate) struct Notification {
    /// Its name in the status and in metrics.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub(crate) name: String,
    /// Nothing below this severity is told. `info`: what goes as it should. `warning`: a version was given up, or the output
    /// went back. `critical`: a person is needed.
    #[serde(default)]
    pub(crate) from: Severity,
    /// Only what happens in these stages of a rollout is told; all of them when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub(crate) stages: Vec<Stage>,
    /// An incoming webhook of Slack, or of what takes the same messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slack: Option<Slack>,
    /// A signed request with JSON in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) webhook: Option<Webhook>,
}

/// An incoming webhook of Slack: whoever knows its address may write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Slack {
    /// Where its address is kept.
    pub(crate) secret: SecretKey,
}

/// A POST that the receiver can check, as Standard Webhooks have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.url.matches('^https?://[^@]+$')")
        .message("spec.notifications.webhook.url: write http://… or https://…, without credentials")
)]
pub(crate) struct Webhook {
    /// Where it goes.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) url: String,
    /// Where the key is kept that it is signed with.
    pub(crate) secret: SecretKey,
}

/// A value in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecretKey {
    /// The Secret, in the namespace of this resource.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub(crate) name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"))]
    pub(crate) key: String,
}
