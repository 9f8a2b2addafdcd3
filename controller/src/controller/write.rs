//! The status: the one place where the record is persisted, and where people look.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use tidegate_protocol::rollout::{Plan, Record};

use super::context::MANAGER;
use super::desk::Desk;
use super::observe::World;
use super::problem::Problem;
use super::subject::Subject;
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::status::build::{self, Sources};
use crate::resource::status::{Condition, Status, Waiting};

/// What only people look at, such as the lag, is not written more often.
const RARELY: Duration = Duration::from_secs(5);

/// Reads what was persisted.
pub(super) fn record(resource: &FlinkBlueGreenDeployment) -> Result<Record, Problem> {
    let persisted = resource.status.as_ref().and_then(|status| status.record.as_ref());
    let Some(value) = persisted else { return Ok(Record::default()) };
    serde_json::from_value(value.clone()).map_err(|error| Problem::Record(error.to_string()))
}

/// The status that a plan makes, with what keeps the controller from seeing all of it.
pub(super) fn status(
    resource: &FlinkBlueGreenDeployment,
    subject: &Subject<'_>,
    world: &World,
    plan: &Plan,
    trouble: &BTreeMap<&'static str, String>,
) -> Result<Status, Problem> {
    let before = resource.status.clone().unwrap_or_default();
    let mut status = Status::new(&Sources {
        name: subject.name,
        generation: resource.metadata.generation,
        plan,
        document: world.document(),
        wanted: &subject.intent.source.describe(),
        revision_history_limit: subject.intent.revision_history_limit,
        before: &before,
        now: subject.now,
    })?;
    let trouble = trouble.iter();
    status.waiting.extend(
        trouble.map(|(code, message)| Waiting { code: (*code).to_owned(), message: message.clone() }),
    );
    Ok(status)
}

/// A status that says that the resource cannot be followed; everything else stays as it is.
pub(super) fn stuck(resource: &FlinkBlueGreenDeployment, problem: &Problem, now: &str) -> Status {
    let mut status = resource.status.clone().unwrap_or_default();
    let generation = resource.metadata.generation;
    for (kind, value) in [("Ready", "False"), ("Degraded", "True")] {
        let before = status.conditions.iter().find(|condition| condition.kind == kind);
        let same = before.filter(|condition| condition.status == value);
        let condition = Condition {
            kind: kind.to_owned(),
            status: value.to_owned(),
            reason: problem.code().to_owned(),
            message: problem.to_string(),
            observed_generation: generation,
            last_transition_time: same
                .map_or_else(|| now.to_owned(), |condition| condition.last_transition_time.clone()),
        };
        status.conditions.retain(|condition| condition.kind != kind);
        status.conditions.push(condition);
    }
    status.observed_generation = generation;
    status
}

/// Whether a status is worth a write now: at once when something has happened, from time to time when only numbers differ.
pub(super) fn is_due(before: &Status, after: &Status, written: Option<Instant>) -> bool {
    let facts = |status: &Status| {
        let conditions = status.conditions.iter();
        let conditions: Vec<_> = conditions
            .map(|condition| (condition.kind.clone(), condition.status.clone(), condition.reason.clone()))
            .collect();
        let told = (status.record.clone(), status.notifications.clone());
        (status.observed_generation, told, conditions, status.cutover.clone())
    };
    before != after
        && (facts(before) != facts(after) || written.is_none_or(|written| written.elapsed() >= RARELY))
}

impl Desk {
    /// Puts the status in the place of the one that was read; a conflict means that the resource has changed since.
    pub(super) async fn persist(
        &mut self,
        resources: &Api<FlinkBlueGreenDeployment>,
        resource: &FlinkBlueGreenDeployment,
        status: Status,
    ) -> Result<FlinkBlueGreenDeployment, Problem> {
        let mut next = resource.clone();
        next.metadata.managed_fields = None;
        next.status = Some(status);
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = resources.replace_status(&resource.name_any(), &parameters, &next).await?;
        self.written = Some(Instant::now());
        Ok(written)
    }
}

/// RFC 3339, in seconds.
pub(super) fn time(subject_now: tidegate_protocol::time::WallTime) -> String {
    build::time(subject_now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_happened_is_written_at_once_and_numbers_from_time_to_time() {
        let before = Status { record: Some(json!({ "attempt": 1 })), ..Status::default() };
        let lag = Status { lag: Some("1.2s".to_owned()), ..before.clone() };
        let next = Status { record: Some(json!({ "attempt": 2 })), ..before.clone() };
        let now = Some(Instant::now());
        assert!(!is_due(&before, &before, None));
        assert!(!is_due(&before, &lag, now) && is_due(&before, &lag, None));
        assert!(is_due(&before, &next, now));
    }
}
