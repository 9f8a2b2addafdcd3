//! Whole jobs with real agents on a real store, in this process.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../job/mod.rs"]
mod job;

mod claims;
mod cutover;
mod documents;
mod edits;
mod kubernetes;
mod mount;
mod restart;
mod store;
mod zookeeper;
