//! How a rollout is to go, as its resource says. All durations are milliseconds of wall-clock time unless it is said otherwise.

use crate::document::HandOver;
use crate::time::WallTime;

/// How a version replaces another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Both run, and the output is handed over at one point in event time.
    BlueGreen,
    /// The old one is stopped with a savepoint before the new one is started: for sources that cannot be read twice.
    StopStart,
}

/// When a version that is ready takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promotion {
    /// At once.
    Automatic,
    /// This long after it became ready.
    After(u64),
    /// When a person asks for it.
    Manual,
    /// Not before this time.
    At(WallTime),
}

/// What a version may do within the probe window, counted from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Restarts of the job, at most.
    pub restarts: u64,
    /// Checkpoints that failed, at most.
    pub failed_checkpoints: u64,
    /// Checkpoints that completed, at least.
    pub completed_checkpoints: u64,
}

/// How far behind the *old* job the new one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// In milliseconds of event time, between the lowest watermarks of the two.
    pub allowed_ms: i64,
    /// For how long it must have been no more than that.
    pub hold_ms: u64,
}

/// How long each part may last. Before the commit a rollout is aborted at its deadline; after it the wait is called overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Taking a savepoint of the running job, all tries together.
    pub snapshot_ms: u64,
    /// From its start until the job runs.
    pub start_ms: u64,
    /// From running until it is ready: settling, window, lag and checks.
    pub prove_ms: u64,
    /// From ready until promoted; zero for as long as it takes.
    pub promotion_ms: u64,
    /// From the request for the cutover until it is done.
    pub cutover_ms: u64,
    /// Stopping with a savepoint.
    pub stop_ms: u64,
    /// Leaving, when the resource is deleted: afterwards it goes without a savepoint.
    pub leave_ms: u64,
}

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How a version replaces another one.
    pub strategy: Strategy,
    /// Instead of the document's own.
    pub hand_over: Option<HandOver>,
    /// When a version that is ready takes over.
    pub promotion: Promotion,
    /// After it runs, what it does for this long is not counted.
    pub settling_ms: u64,
    /// Then it is watched for this long.
    pub window_ms: u64,
    /// What it may do meanwhile.
    pub limits: Limits,
    /// How far behind it may be.
    pub lag: Lag,
    /// How long each part may last.
    pub deadlines: Deadlines,
    /// How often a savepoint, a stop or a cutover is tried before that counts as failed.
    pub tries: u32,
    /// For how long the old version stands by after the cutover.
    pub watch_ms: u64,
    /// How long the deployment of a version that has ended is kept.
    pub deletion_delay_ms: u64,
    /// Whether the job is stopped with a savepoint when the resource is deleted.
    pub savepoint_on_deletion: bool,
    /// Savepoints of the active version from time to time.
    pub savepoints: Option<Schedule>,
}

/// Savepoints from time to time, while nothing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From the beginning of one to that of the next.
    pub every_ms: u64,
    /// How many are kept, the newest ones.
    pub keep: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            strategy: Strategy::BlueGreen,
            hand_over: None,
            promotion: Promotion::Automatic,
            settling_ms: 30_000,
            window_ms: 60_000,
            limits: Limits { restarts: 0, failed_checkpoints: 1, completed_checkpoints: 1 },
            lag: Lag { allowed_ms: 60_000, hold_ms: 30_000 },
            deadlines: Deadlines {
                snapshot_ms: 600_000,
                start_ms: 600_000,
                prove_ms: 3_600_000,
                promotion_ms: 0,
                cutover_ms: 900_000,
                stop_ms: 600_000,
                leave_ms: 900_000,
            },
            tries: 3,
            watch_ms: 300_000,
            deletion_delay_ms: 300_000,
            savepoint_on_deletion: true,
            savepoints: None,
        }
    }
}
