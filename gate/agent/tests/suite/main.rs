//! Whole jobs with real agents on a real store, in this process.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../job/mod.rs"]
#[allow(dead_code, reason = "shared with a benchmark")]
mod job;

mod claims;
mod cutover;
mod documents;
mod edits;
mod kubernetes;
mod load;
mod mount;
mod restart;
mod store;
mod tapped;
mod zookeeper;
