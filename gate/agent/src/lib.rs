//! The agent: one per member. It connects the member's gates to the store.
//!
//! The agent executes what the pure machines of `tidegate-protocol` decide: the member machine says which subtask gets which
//! order, the conductor says what becomes of the document. It runs inside the job (in the JobManager of a Flink job, in the
//! process of a Rust stream job), with one store client whatever the parallelism. It never waits for the store to give an
//! order that it has: while the store is away the gates keep the orders that they have, and the report says so when it is back.
//!
//! The same [`Event`]s and [`Instruction`]s cross every bridge.

mod agent;
mod conductor;
mod config;
mod edits;
mod instruction;
mod observer;
mod rollout;
mod round;
mod stores;

pub use agent::{Agent, Teller};
pub use conductor::Conductor;
pub use config::{AgentConfig, ConfigError};
pub use instruction::{Instruction, Level, NumberedOrder};
pub use observer::Observer;
pub use rollout::{Error, Known, Rollout, readable};
pub use stores::{leaves_threads, open};
pub use tidegate_protocol::member::{Event, Evidence};

use tidegate_protocol::time::WallTime;

/// Wall-clock time now.
pub fn now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
