//! Random cutovers of jobs over one log, with a store, sinks, people and faults, driven by one seed through the very machines
//! that run in the jobs. A seed decides everything: it replays byte for byte.

pub mod agent;
pub mod clock;
pub mod job;
pub mod ledger;
pub mod log;
pub mod plan;
pub mod restart;
pub mod store;
mod sweep;
pub mod tally;
pub mod task;
pub mod world;

pub use sweep::{Failed, sweep};
