//! What is kept in memory of one resource between two looks. All of it may be lost at any time: it saves work, keeps from
//! saying the same again, and remembers answers that asking again would give again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tidegate::flink::{Driver, JobId};
use tidegate_agent::{Conductor, Observer, Rollout};
use tidegate_protocol::rollout::{Launch, Operation};

use super::problem::Problem;

#[derive(Default)]
pub(super) struct Desk {
    /// The store that is open, and its URL.
    pub(super) rollout: Option<(String, Rollout)>,
    pub(super) conductor: Conductor,
    pub(super) observer: Observer,
    /// Connections, by cluster.
    pub(super) drivers: BTreeMap<String, Arc<dyn Driver>>,
    /// Who runs the launches that the record does not know.
    pub(super) found: BTreeMap<Launch, Arc<dyn Driver>>,
    /// Jobs whose ids do not follow from their launches: others have started them.
    pub(super) known_as: BTreeMap<Launch, JobId>,
    /// Launches whose start was refused for good: asked again, the answer is the same.
    pub(super) refused: BTreeMap<Launch, String>,
    /// Savepoints that are disposed of, though their cluster remembers that they were taken.
    pub(super) disposed: BTreeSet<Operation>,
    /// Launches that were compared with what was asked for.
    pub(super) compared: BTreeSet<Launch>,
    /// What keeps it from going on, by code, as it was said last.
    pub(super) trouble: BTreeMap<&'static str, String>,
    /// When the status was written last.
    pub(super) written: Option<Instant>,
    /// Since when it is seen to be deleted.
    pub(super) leaving: Option<Instant>,
}

impl Desk {
    /// Remembers a problem; returns whether it is news.
    pub(super) fn has_trouble(&mut self, problem: &Problem) -> bool {
        let text = problem.to_string();
        self.trouble.insert(problem.code(), text.clone()).is_none_or(|before| before != text)
    }
}
