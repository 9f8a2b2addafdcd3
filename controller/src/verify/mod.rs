//! `tidegate verify`: is every row of the output there exactly once, and written by the member that owned its time?
//!
//! The truth comes from outside: one file per member color with the rows that this member would write for all event
//! time. The history says who owned which time. The topic is read by an independent read_committed reader. Comparing is
//! pure ([`compare`]); only [`topic`] talks to Kafka. Nothing here reads the store or a job.

mod arguments;
mod compare;
mod expectation;
mod report;
mod row;
mod topic;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

pub(crate) use arguments::Arguments;
pub(crate) use expectation::History;
pub(crate) use report::Report;
pub(crate) use row::Shape;

use expectation::Expectation;

/// What to verify.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Where the output is.
    pub(crate) bootstrap_servers: String,
    /// The output topic; all its partitions are read.
    pub(crate) topic: String,
    /// How long the last stable offsets may take to reach the topic's end, and how long reading may stand still.
    pub(crate) deadline: Duration,
    /// Where a row's key and event time are.
    pub(crate) shape: Shape,
    /// Who owned which event time.
    pub(crate) history: History,
    /// Per color the file with its rows, one JSON object per line.
    pub(crate) expected: Vec<(String, PathBuf)>,
}

/// Reads the whole topic and compares it; blocks the thread, with progress on standard error when that is a terminal.
///
/// # Errors
/// When a file or the topic cannot be read, or a transaction stays open until the deadline. Rows that differ are no
/// error: see [`Report::is_exact`].
pub(crate) fn run(request: &Request) -> Result<Report> {
    let mut expectation = Expectation::new(request.history.clone());
    for (color, file) in &request.expected {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        expectation.add(color, &text, &request.shape).with_context(|| format!("in {}", file.display()))?;
    }
    expectation.check_owners()?;
    let rows = topic::read_committed(&request.bootstrap_servers, &request.topic, request.deadline)?;
    Ok(compare::compare(&expectation, &rows, &request.shape))
}
