//! The Tidegate gate for Rust stream jobs: in front of the sink, in the process of the job.
//!
//! [`Gate`] takes records one by one, or filters Arrow record batches ([`batch`]), and gives back what goes to the sink now.
//! It is the same machine that runs in Flink's operators: one [`Gate`] per parallel instance, driven by that instance's thread.
//! Orders come from an agent (`tidegate-agent`), which also takes the gate's status. The gate does no I/O and starts no thread.
//!
//! ```
//! use tidegate_gate::{Gate, Limits, Member, Order, Color};
//! # use tidegate_protocol::{document::{Document, Settings}, identity::Origin};
//! # let document = Document::first("orders", Member::new(Color::Blue, 1), Origin::Fresh, Settings::default());
//! # let first_order = Order::new(&document, Member::new(Color::Blue, 1));
//! let mut gate: Gate<&str> = Gate::new(Member::new(Color::Blue, 1), Limits::default());
//! let mut out = Vec::new();
//! gate.admit(1_000, "before the first order everything is held", 0, &mut out);
//! assert!(out.is_empty());
//! gate.order(first_order, &mut out);
//! assert_eq!(out, ["before the first order everything is held"]);
//! ```

pub mod batch;
mod gate;

pub use gate::{Forward, Gate};
pub use tidegate_protocol::identity::{CheckpointId, Color, Member};
pub use tidegate_protocol::order::Order;
pub use tidegate_protocol::subtask::{Header, Held, Limits, MixedOrigin, Status};
pub use tidegate_protocol::time::{EventTime, WallTime};
