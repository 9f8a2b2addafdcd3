//! How a version replaces another one.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resource::duration::Duration;

/// How a version replaces another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// Both run.
    #[default]
    BlueGreen,
    /// One after the other.
    StopStart,
}

/// When a version that is ready takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.mode != 'at' || has(self.at)")
        .message("spec.promotion.at: mode at needs a time, such as 2026-03-01T12:00:00Z"),
    validation = Rule::new("self.mode == 'at' || !has(self.at)")
        .message("spec.promotion.at: only mode at takes a time; leave it out, or write mode: at"),
    validation = Rule::new("self.mode != 'after' || has(self.after)")
        .message("spec.promotion.after: mode after needs a duration, such as 10m"),
    validation = Rule::new("self.mode == 'after' || !has(self.after)")
        .message("spec.promotion.after: only mode after takes a duration; leave it out, or write mode: after")
)]
pub(crate) struct Promotion {
    /// `automatic`: at once. `after`: so long after it was ready. `manual`: when a person asks for it. `at`: not before a time.
    pub(crate) mode: PromotionMode,
    /// With mode `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Duration>,
    /// With mode `at`: an RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"), length(max = 64))]
    pub(crate) at: Option<String>,
}

/// What a version that is ready waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PromotionMode {
    /// At once.
    Automatic,
    /// So long after it was ready.
    After,
    /// When a person asks for it.
    Manual,
    /// Not before a time.
    At,
}

/// What a new version has to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Proof {
    /// After it runs, what it does for this long is not counted.
    #[serde(default = "settling")]
    pub(crate) settling: Duration,
    /// Then its restarts and checkpoints are counted for this long.
    #[serde(default = "window")]
    pub(crate) window: Duration,
    /// What it may do in a window.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// How far it may be behind the old version. 60s for 30s when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lag: Option<Lag>,
}

/// What a version may do in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Limits {
    /// Restarts of the job, at most.
    #[serde(default)]
    pub(crate) restarts: u32,
    /// Failed checkpoints, at most.
    #[serde(default = "failed_checkpoints")]
    pub(crate) failed_checkpoints: u32,
    /// Completed checkpoints, at least.
    #[serde(default = "completed_checkpoints")]
    pub(crate) completed_checkpoints: u32,
}

/// How far a new version may be behind the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Lag {
    /// In event time, between the lowest watermarks of the two.
    #[serde(default = "lag_allowed")]
    pub(crate) allowed: Duration,
    /// For how long it must have been no more than that.
    #[serde(default = "lag_hold")]
    pub(crate) hold: Duration,
}

/// How long each phase may last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Deadlines {
    /// Taking a savepoint of the running job, all tries together.
    #[serde(default = "ten_minutes")]
    pub(crate) snapshot: Duration,
    /// From its start until the job runs.
    #[serde(default = "ten_minutes")]
    pub(crate) start: Duration,
    /// From running until it is ready.
    #[serde(default = "prove")]
    pub(crate) prove: Duration,
    /// From ready until it is promoted; 0s for as long as it takes.
    #[serde(default = "forever")]
    pub(crate) promotion: Duration,
    /// From the request for the cutover until it is done.
    #[serde(default = "quarter")]
    pub(crate) cutover: Duration,
    /// Stopping with a savepoint.
    #[serde(default = "ten_minutes")]
    pub(crate) stop: Duration,
    /// Leaving when the resource is deleted; afterwards the job goes without a savepoint, so that deletion never hangs.
    #[serde(default = "quarter")]
    pub(crate) leave: Duration,
}

/// When the new version begins to emit: `ordered` when all below the boundary is committed, `overlapped` at once.
/// `ordered` when left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HandOver {
    /// When all below the boundary is committed.
    Ordered,
    /// At once.
    Overlapped,
}

/// What becomes of records below what is settled: `emit` or `drop`, counted in any case. `emit` when left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LatePolicy {
    /// They are emitted.
    Emit,
    /// They are dropped.
    Drop,
    /// They go to the stream that the job has for them.
    SideOutput,
}

impl Default for Proof {
    fn default() -> Proof {
        Proof { settling: settling(), window: window(), limits: Limits::default(), lag: None }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            restarts: 0,
            failed_checkpoints: failed_checkpoints(),
            completed_checkpoints: completed_checkpoints(),
        }
    }
}

impl Default for Lag {
    fn default() -> Lag {
        Lag { allowed: lag_allowed(), hold: lag_hold() }
    }
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            snapshot: ten_minutes(),
            start: ten_minutes(),
            prove: prove(),
            promotion: forever(),
            cutover: quarter(),
            stop: ten_minutes(),
            leave: quarter(),
        }
    }
}

fn settling() -> Duration {
    Duration::new("30s")
}

fn window() -> Duration {
    Duration::new("60s")
}

fn failed_checkpoints() -> u32 {
    1
}

fn completed_checkpoints() -> u32 {
    1
}

fn lag_allowed() -> Duration {
    Duration::new("60s")
}

fn lag_hold() -> Duration {
    Duration::new("30s")
}

fn ten_minutes() -> Duration {
    Duration::new("10m")
}

fn prove() -> Duration {
    Duration::new("1h")
}

fn forever() -> Duration {
    Duration::new("0s")
}

fn quarter() -> Duration {
    Duration::new("15m")
}
