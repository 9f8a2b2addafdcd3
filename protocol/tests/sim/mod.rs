//! Two jobs, a log, a store and a sink, driven by one seed through the very machines that run in the jobs.

pub mod agent;
pub mod invariants;
pub mod job;
pub mod log;
pub mod restart;
pub mod store;
pub mod tally;
pub mod task;
pub mod world;
