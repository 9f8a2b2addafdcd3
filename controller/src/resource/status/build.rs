//! The status from a plan.

use tidegate_protocol::document::{self, Document, Outcome, Terms};
use tidegate_protocol::rollout::{Kept, OperationKind, Plan, Version};
use tidegate_protocol::time::WallTime;

use super::{Condition, Cutover, Entry, Member, Request, Revision, Savepoint, Status, Waiting};

/// How many lines of what is waited for are shown.
const WAITING: usize = 20;

/// What a status is made of.
pub(crate) struct Sources<'a> {
    /// The name of the resource.
    pub(crate) name: &'a str,
    /// The generation of the spec that was planned for.
    pub(crate) generation: Option<i64>,
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// The cutover document.
    pub(crate) document: Option<&'a Document>,
    /// The source of what is wanted now.
    pub(crate) wanted: &'a Revision,
    /// How many replaced versions are remembered.
    pub(crate) revision_history_limit: usize,
    /// The status as it is.
    pub(crate) before: &'a Status,
    /// The time for people.
    pub(crate) now: WallTime,
}

impl Status {
    /// The status to write. Times of transitions stay where a condition has not changed, so that an unchanged world gives an
    /// unchanged status.
    pub(crate) fn new(sources: &Sources<'_>) -> Result<Status, serde_json::Error> {
        let Sources { name, plan, document, .. } = sources;
        let record = &plan.record;
        let member = |version: &Version| member(name, version);
        let waiting = plan.waiting.iter().take(WAITING);
        Ok(Status {
            observed_generation: sources.generation,
            phase: record.phase.name().to_owned(),
            attempt: record.attempt,
            active: record.active.as_ref().map(member),
            target: record.phase.beside().map(member),
            cutover: document.and_then(cutover),
            lag: plan.lag_ms.map(|lag| format!("{}.{}s", lag / 1_000, lag % 1_000 / 100)),
            waiting: waiting
                .map(|waiting| Waiting { code: waiting.code.to_owned(), message: waiting.message.clone() })
                .collect(),
            conditions: plan.conditions.iter().map(|condition| transition(sources, condition)).collect(),
            history: record.history.iter().map(entry).collect(),
            revisions: revisions(sources),
            savepoints: record.savepoints.iter().map(savepoint).collect(),
            request: record
                .answered
                .as_ref()
                .map(|answered| Request { id: answered.id.clone(), refusal: answered.refusal.clone() }),
            notifications: sources.before.notifications.clone(),
            record: Some(serde_json::to_value(record)?),
        })
    }
}

fn transition(sources: &Sources<'_>, condition: &tidegate_protocol::rollout::Condition) -> Condition {
    let kind = condition.kind.name();
    let status = if condition.status { "True" } else { "False" };
    let before =
        sources.before.conditions.iter().find(|before| before.kind == kind && before.status == status);
    let last_transition_time =
        before.map_or_else(|| time(sources.now), |before| before.last_transition_time.clone());
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: condition.reason.to_owned(),
        message: condition.message.clone(),
        observed_generation: sources.generation,
        last_transition_time,
    }
}

/// The sources of all versions that something may still be launched from, the newest last. What is in use is never dropped,
/// whatever the limit.
fn revisions(sources: &Sources<'_>) -> Vec<Revision> {
    let mut revisions = sources.before.revisions.clone();
    revisions.retain(|revision| revision.name != sources.wanted.name);
    revisions.push(sources.wanted.clone());
    let in_use: Vec<String> =
        sources.plan.record.revisions().into_iter().map(|revision| revision.0.clone()).collect();
    let mut surplus = revisions.len().saturating_sub(sources.revision_history_limit.max(1) + 1);
    revisions.retain(|revision| {
        let goes = surplus > 0 && !in_use.contains(&revision.name) && revision.name != sources.wanted.name;
        surplus -= usize::from(goes);
        !goes
    });
    revisions
}

fn member(name: &str, version: &Version) -> Member {
    let member = version.launch.member;
    Member {
        member: member.to_string(),
        color: member.color.to_string(),
        generation: member.generation,
        deployment: format!("{name}-{}", version.launch),
        revision: version.revision.to_string(),
    }
}

fn cutover(document: &Document) -> Option<Cutover> {
    let from = document.active().member;
    let view = |state: &str, terms: &Terms, from: String, reason| Cutover {
        state: state.to_owned(),
        attempt: terms.attempt.0,
        from,
        to: terms.to.to_string(),
        boundary: terms.at.to_string(),
        boundary_millis: terms.at.as_millis(),
        reason,
    };
    match &document.cutover {
        Some(document::Cutover::Proposed { terms, .. }) => {
            Some(view("Proposed", terms, from.to_string(), None))
        }
        Some(document::Cutover::Committed { terms, .. }) => {
            Some(view("Committed", terms, from.to_string(), None))
        }
        None => document.history.last().map(|past| match &past.outcome {
            Outcome::Done => view("Done", &past.terms, past.from.to_string(), None),
            Outcome::Aborted { code, message } => {
                view("Aborted", &past.terms, past.from.to_string(), Some(format!("{code}: {message}")))
            }
        }),
    }
}

fn savepoint(kept: &Kept) -> Savepoint {
    let purpose = match kept.operation.kind {
        OperationKind::Snapshot => "Start",
        OperationKind::Pin => "WayBack",
        OperationKind::Scheduled => "Scheduled",
        OperationKind::Stop | OperationKind::Promote | OperationKind::Withdraw => "Last",
    };
    Savepoint {
        name: kept.operation.to_string(),
        purpose: purpose.to_owned(),
        time: kept.taken.map(time),
        path: kept.savepoint.as_ref().map(|savepoint| savepoint.path.clone()),
    }
}

fn entry(entry: &tidegate_protocol::rollout::Entry) -> Entry {
    Entry {
        time: time(entry.at),
        who: entry.who.clone(),
        what: entry.what.clone(),
        why: entry.why.clone(),
        attempt: entry.attempt,
    }
}

/// RFC 3339, in seconds, as Kubernetes writes times.
pub(crate) fn time(at: WallTime) -> String {
    let seconds = i64::try_from(at.as_millis() / 1_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
