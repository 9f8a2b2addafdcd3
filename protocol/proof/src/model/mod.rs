//! The model: small configurations of two jobs and a store, every state of which is visited, on the very machines that ship.
//!
//! A state holds the real subtask and member machines; the conductor is a pure function of the store. What surrounds them
//! (sources, checkpoints, committers, the agents' dealings with the store) is mimicked as plainly as it can be, and fails as
//! often as the scenario allows.
//!
//! Liveness: steps are ordinary (a machine, a source, a committer or a conductor does what it does anyway), or they are
//! faults and requests, of which a scenario has only so many. Where no ordinary step is left, what must be true in the end is
//! looked at. Ordinary steps never run in a circle, which [`circle`] shows; so without more faults every run ends there.

mod action;
mod agent;
mod check;
mod conducting;
mod fault;
mod job;
mod narrow;
mod rest;
mod run;
mod scenario;
mod scenarios;
mod shared;
mod state;
mod task;
mod trace;

pub use check::{Found, Outcome, check, circle};
pub use scenario::{Expect, Mark, Scenario, Tier};
pub use scenarios::scenarios;
