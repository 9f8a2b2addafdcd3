//! The Tidegate protocol: who owns which record while one Flink job hands its output to another.
//!
//! Everything here is pure. A machine takes a state and an event and returns what is to be done; the shells around it do it.
//! There is no clock, no randomness, no store, no network and no logger, so the very code that runs in the jobs is the code
//! that the model checker and the simulation run.
//!
//! - [`document`]: the one document that decides, a step function from event time to owner;
//! - [`order`]: what a member must do with a record, a pure function of (document, member);
//! - [`subtask`]: the machine of one parallel gate instance;
//! - [`member`]: the machine of one job's agent, over all its gates;
//! - [`conductor`]: moves the document, or says what it waits for;
//! - [`edit`]: from the keys that people edit to requests, each taken once, and the sentence that they read there;
//! - [`rollout`]: plans how one version of a job replaces another, over the whole life of both;
//! - [`documents`]: how all of this is written down.

pub mod conductor;
pub mod document;
pub mod documents;
pub mod edit;
pub mod identity;
pub mod member;
pub mod order;
pub mod report;
pub mod request;
pub mod rollout;
pub mod subtask;
mod text;
pub mod time;
