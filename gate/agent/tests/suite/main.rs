//! Whole jobs with real agents on a real store, in this process.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../job/mod.rs"]
#[allow(dead_code, reason = "shared with a benchmark")]
mod job;

#[path = "../../../../protocol/store-directory/tests/mount/mod.rs"]
#[allow(dead_code, reason = "shared with the store's tests, which use all of it")]
mod mount;

mod claims;
mod cutover;
mod documents;
mod edits;
mod kubernetes;
mod load;
mod restart;
mod store;
mod tapped;
mod zookeeper;
