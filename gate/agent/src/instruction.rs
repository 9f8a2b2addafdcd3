//! What an agent asks of the job that it lives in.

use serde::{Deserialize, Serialize};
use tidegate_protocol::order::Order;

/// How loud a message is. `Error` means that data is at risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something happened.
    Info,
    /// Something needs a look.
    Warn,
    /// Data is at risk.
    Error,
}

/// An order, numbered in the sequence of this agent's orders: a higher number is newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedOrder {
    /// Grows with every order that this agent gives.
    pub serial: u64,
    /// The order.
    #[serde(flatten)]
    pub order: Order,
}

/// What the job is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Instruction {
    /// Deliver an order to an execution attempt of a subtask.
    Order {
        /// The gate.
        gate: String,
        /// The subtask.
        subtask: u32,
        /// The execution attempt; for any other one the order is void.
        attempt: u32,
        /// The order.
        order: NumberedOrder,
    },
    /// Trigger a checkpoint. It may fail: it is asked for again.
    Checkpoint,
    /// The member's slot is this job's: from now on it may open its sinks.
    Claimed,
    /// Fail for good, without a restart: going on would harm another job.
    FailJob {
        /// Why, with its code first.
        message: String,
    },
    /// Write to the job's log.
    Log {
        /// How loud.
        level: Level,
        /// What.
        message: String,
    },
}
