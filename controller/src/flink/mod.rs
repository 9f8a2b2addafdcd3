//! What the controller does with Flink jobs, however they are deployed.
//!
//! [`Driver`] is the contract; [`rest`] keeps it on a session or standalone cluster, through Flink's REST API, [`deployment`] on
//! `FlinkDeployment` resources of Apache's operator. A driver decides nothing and remembers nothing: all that it must know again after a crash is derived from what it is asked with
//! (a [`Launch`], an [`Operation`]), so that to ask again is always right.

pub mod deployment;
mod driver;
mod error;
mod identity;
mod job;
pub mod rest;
mod spec;

pub use deployment::{Deployed, Scale};
pub use driver::Driver;
pub use error::{Error, Problem};
pub use identity::{BadName, JobId, Launch, Operation};
pub use job::{
    Capacity, Checkpoint, Checkpoints, Counts, Difference, FailedCheckpoint, Failure, Flow, JobState, Listed,
    Progress, Restored, Savepoint, Status, Submission, Taking, Vertex, find,
};
pub use spec::{JobSpec, StartFrom};
