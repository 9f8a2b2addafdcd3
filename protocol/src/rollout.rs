//! The rollout planner: from a wanted version to a safe one, and back by itself.
//!
//! [`plan`] is a pure function of what is persisted (the [`Record`]) and what is seen (the [`Observation`]). It returns the
//! record to persist and at most one [`Action`]. The shell's part has three rules, and no choices:
//!
//! 1. observe with live reads, deployments first, then the document, then the reports: what is told to be gone cannot have
//!    written a later report;
//! 2. persist the record where it changed, by a compare-and-set, and **only then** execute the action;
//! 3. observe again. The result of an action is never passed on in memory: it is seen.
//!
//! Every action says the same again when it is repeated: what it creates is named by ([`Launch`], [`Operation`]), and nothing
//! of those is ever used twice. So a shell may die before, in and after any of them, and two shells may run for a moment.
//!
//! The planner decides nothing about who owns what; the document does. What it never does: stop a job that owns event time
//! otherwise than by a savepoint, unless it is dead; start two new versions; delete what has not ended; force a cutover that
//! was not ready in time; change the document after a guess.

mod action;
mod observation;
mod plan;
mod record;
mod settings;

pub use action::{Action, ActionKind, Condition, ConditionKind, Plan, Waiting};
pub use observation::{
    Asked, Checkpoints, Deployment, End, Job, Observation, Progress, Sight, Verb, Verdict, Wanted,
};
pub use plan::plan;
pub use record::{
    Answered, Baseline, Cause, Entry, Failed, Failure, Generations, Kept, Launch, Leftover, Next, Operation,
    OperationKind, Phase, Purpose, Record, Revision, Savepoint, Scale, Scheduled, Start, Version, Way,
};
pub use settings::{Deadlines, Lag, Limits, Promotion, Schedule, Settings, Strategy};
