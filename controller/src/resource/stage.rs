//! What a message is about, and how bad it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It goes as it should.
    #[default]
    Info,
    /// Something was given up, or went back. The output is safe.
    Warning,
    /// A person is needed.
    Critical,
}

impl Severity {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// A part of a rollout. `begin`: something begins, or is asked for between rollouts. `start`: the new version is started and
/// proven. `promotion`: it is ready, and waits to be promoted. `cutover`: the output changes hands. `watch`: the old version stands
/// by. `back`: the output goes back. `leave`: the resource is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Something begins, or is asked for between rollouts.
    Begin,
    /// The new version is started and proven.
    Start,
    /// It is ready, and waits to be promoted.
    Promotion,
    /// The output changes hands.
    Cutover,
    /// The old version stands by.
    Watch,
    /// The output goes back.
    Back,
    /// The resource is deleted.
    Leave,
}

impl Stage {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Begin => "begin",
            Stage::Start => "start",
            Stage::Promotion => "promotion",
            Stage::Cutover => "cutover",
            Stage::Watch => "watch",
            Stage::Back => "back",
            Stage::Leave => "leave",
        }
    }
}
