//! One rollout without a controller and without an API server: the same planner and the same shell, in the process of a command. The
//! record stands in a file instead of a status, and is written before each action just so: a command that dies is begun again, and
//! goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate::flink::{Driver, JobId};
use tidegate_protocol::rollout::{Asked, ConditionKind, Failure, Launch, Phase, Plan, Record, plan};
use tracing::debug;

use super::desk::Desk;
use super::drivers::key;
use super::problem::Problem;
use super::reconcile::next;
use super::sources::{Kept, Sources};
use super::subject::{Home, Subject};
use crate::resource::intent::Intent;
use crate::resource::status::{Revision, Status};

/// After what did not work.
const AGAIN: Duration = Duration::from_millis(500);

/// What is looked after.
pub(crate) struct Alone<'a> {
    /// In the place of a resource's uid.
    pub(crate) owner: &'a str,
    pub(crate) name: &'a str,
    pub(crate) intent: &'a Intent,
    /// What all versions are made from.
    pub(crate) revisions: &'a [Revision],
    /// Jobs that were not started under the id that follows from their launch.
    pub(crate) found: &'a BTreeMap<Launch, JobId>,
    /// What a person asks for beside it.
    pub(crate) asked: Option<&'a Asked>,
}

/// What a look came to.
pub(crate) enum Came {
    /// The wanted version has the output, and runs.
    Live,
    /// It was given up, and nothing is under way any more.
    GivenUp(Failure),
    /// What is waited for, and when to look again.
    UnderWay(String, Duration),
}

/// What is kept in memory between two looks.
pub(crate) struct Memory(Desk);

impl Memory {
    /// With the connection that a cluster is reached by.
    pub(crate) fn new(driver: Arc<dyn Driver>, intent: &Intent) -> Memory {
        let mut desk = Desk::default();
        desk.drivers.insert(key(&intent.source, intent.savepoint_directory.as_deref()), driver);
        Memory(desk)
    }
}

impl Alone<'_> {
    /// Looks once, has the record persisted where it has changed, and only then acts.
    pub(crate) async fn look<E: From<Problem>>(
        &self,
        memory: &mut Memory,
        record: &mut Record,
        persist: impl FnOnce(&Record) -> Result<(), E>,
    ) -> Result<Came, E> {
        let Memory(desk) = memory;
        desk.known_as.clone_from(self.found);
        let now = tidegate_agent::now();
        let status = Status { revisions: self.revisions.to_vec(), ..Status::default() };
        let sources = Sources::new(&Kept::default(), &status, Some(&self.intent.source));
        let wanted = self.intent.wanted();
        let before = record.clone();
        let subject = Subject {
            home: Home { client: None, namespace: "", rest_address: None },
            uid: self.owner,
            name: self.name,
            intent: self.intent,
            wanted: &wanted,
            sources: &sources,
            record: &before,
            asked: self.asked,
            deleting: false,
            now,
        };
        let world = desk.observe(&subject).await?;
        let plan = plan(&world.observation(&subject), now);
        if plan.record != before {
            persist(&plan.record)?;
            *record = plan.record.clone();
        }
        if let Some(action) = &plan.action {
            let done = desk.execute(&Subject { record: &plan.record, ..subject }, &world, action).await;
            if let Err(problem) = done {
                // The next look tells whether it was done nevertheless, or was refused for good.
                return Ok(Came::UnderWay(problem.to_string(), AGAIN));
            }
        }
        debug!(phase = plan.record.phase.name(), waiting = ?plan.waiting, "looked");
        let problem = world.problems.first().map(ToString::to_string);
        Ok(self.came(&plan, problem, next(&plan, plan.record != before, now)))
    }

    fn came(&self, plan: &Plan, problem: Option<String>, wait: Duration) -> Came {
        let record = &plan.record;
        let is_live = plan
            .conditions
            .iter()
            .any(|condition| condition.kind == ConditionKind::Ready && condition.status);
        let failed = record.failed.as_ref().filter(|failed| failed.revision == self.intent.revision);
        // What is left of the old version is ended too, before this process goes: nobody else would.
        let is_tidy = record.leftovers.is_empty();
        match failed.filter(|_| record.phase == Phase::Idle && is_tidy) {
            Some(failed) => return Came::GivenUp(failed.failure.clone()),
            None if is_live && is_tidy => return Came::Live,
            None => {}
        }
        let waits = plan.waiting.first().map(|waiting| waiting.message.clone()).or(problem);
        let phase = record.phase.name();
        Came::UnderWay(waits.map_or(phase.to_owned(), |waits| format!("{phase}: {waits}")), wait)
    }
}
