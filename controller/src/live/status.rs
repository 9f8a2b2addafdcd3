//! The state of a resource as a tree.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::Live;
use super::fate::{self, Fate};
use super::follow::Look;
use crate::exit::{Exit, Failure};
use crate::output::{Output, show};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::status::{Cutover, Member, Status};

/// Shows it once.
pub(crate) async fn show_once(live: &Live, output: Output, why: bool) -> Result<Exit, Failure> {
    print(live, &live.get().await?, output, why)?;
    Ok(Exit::Done)
}

/// Shows it whenever it changes, until nothing is under way for the spec as it is.
pub(crate) async fn watch(
    live: &Live,
    output: Output,
    why: bool,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    live.get().await?;
    let mut last = String::new();
    live.follow(timeout, |resource| {
        let Some(resource) = resource else { return Err(live.gone()) };
        let text = text(live, resource, why);
        if text != last {
            last = text;
            if !print(live, resource, output, why)? {
                return Ok(Look::Over(Exit::Done));
            }
        }
        match fate::of(resource) {
            Fate::Ready | Fate::Suspended => Ok(Look::Over(Exit::Done)),
            Fate::UnderWay(what) => Ok(Look::Wait(what)),
            fate @ (Fate::GivenUp { .. } | Fate::Invalid(_)) => {
                live.conclude(resource, fate, Output::Name).map(Look::Over)
            }
        }
    })
    .await
}

/// Returns whether anybody reads it.
fn print(
    live: &Live,
    resource: &FlinkBlueGreenDeployment,
    output: Output,
    why: bool,
) -> Result<bool, Failure> {
    Ok(show(output, &value(live, resource), live.full_name(), text(live, resource, why))?)
}

/// The status without the planner's own record, and what it comes to.
fn value(live: &Live, resource: &FlinkBlueGreenDeployment) -> Value {
    let status = Status { record: None, ..resource.status.clone().unwrap_or_default() };
    let outcome = match fate::of(resource) {
        Fate::UnderWay(_) => "under-way",
        Fate::Ready => "ready",
        Fate::Suspended => "suspended",
        Fate::GivenUp { .. } => "given-up",
        Fate::Invalid(_) => "invalid",
    };
    json!({
        "namespace": live.namespace, "name": live.name, "generation": resource.metadata.generation, "outcome": outcome,
        "strategy": resource.spec.strategy, "paused": resource.spec.paused, "status": status,
    })
}

fn text(live: &Live, resource: &FlinkBlueGreenDeployment, why: bool) -> String {
    if why { reasons(resource) } else { tree(&live.namespace, &live.name, resource) }
}

/// Only what is waited for.
fn reasons(resource: &FlinkBlueGreenDeployment) -> String {
    let status = resource.status.clone().unwrap_or_default();
    let waiting =
        status.waiting.iter().map(|waiting| format!("waiting for {}: {}", waiting.code, waiting.message));
    let mut lines: Vec<String> = waiting.collect();
    match fate::of(resource) {
        Fate::GivenUp { code, message, .. } => lines.insert(0, format!("given up ({code}): {message}")),
        Fate::Invalid(message) => lines.insert(0, message),
        Fate::UnderWay(what) if lines.is_empty() => lines.push(what),
        Fate::UnderWay(_) | Fate::Ready | Fate::Suspended => {}
    }
    if lines.is_empty() { "nothing is waited for".to_owned() } else { lines.join("\n") }
}

fn tree(namespace: &str, name: &str, resource: &FlinkBlueGreenDeployment) -> String {
    let status = resource.status.clone().unwrap_or_default();
    let mut text = format!("{name} in {namespace}: {}", outcome(resource));
    let strategy = json!(resource.spec.strategy);
    line(
        &mut text,
        1,
        &format!(
            "phase {}, rollout {}, {}",
            or_none(&status.phase),
            status.attempt,
            strategy.as_str().unwrap_or_default()
        ),
    );
    if resource.spec.paused {
        line(&mut text, 1, &format!("paused: nothing new is begun until `tidegate resume {name}`"));
    }
    match &status.active {
        Some(member) => line(&mut text, 1, &describe("has the output", member)),
        None => line(&mut text, 1, "nobody has the output yet"),
    }
    if let Some(member) = &status.target {
        line(&mut text, 1, &describe("stands beside it", member));
        if let Some(lag) = &status.lag {
            line(&mut text, 2, &format!("{lag} behind, in event time"));
        }
    }
    if let Some(Cutover { state, attempt, from, to, boundary, reason, .. }) = &status.cutover {
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        line(
            &mut text,
            1,
            &format!("cutover {state}: attempt {attempt}, {from} -> {to} at {boundary}{reason}"),
        );
    }
    for condition in status.conditions.iter().filter(|condition| condition.status == "True") {
        let message =
            if condition.message.is_empty() { String::new() } else { format!(": {}", condition.message) };
        line(&mut text, 1, &format!("{} ({}){message}", condition.kind, condition.reason));
    }
    for waiting in &status.waiting {
        line(&mut text, 1, &format!("waiting for {}: {}", waiting.code, waiting.message));
    }
    if let Some(entry) = status.history.last() {
        let why = if entry.why.is_empty() { String::new() } else { format!(" ({})", entry.why) };
        line(&mut text, 1, &format!("last: {} {} {}{why}", entry.time, entry.who, entry.what));
    }
    text
}

fn outcome(resource: &FlinkBlueGreenDeployment) -> String {
    match fate::of(resource) {
        Fate::UnderWay(_) => "under way".to_owned(),
        Fate::Ready => "the wanted version is live".to_owned(),
        Fate::Suspended => "suspended, its state is kept".to_owned(),
        Fate::GivenUp { code, .. } => format!("the wanted version was given up ({code})"),
        Fate::Invalid(_) => "the spec cannot be followed".to_owned(),
    }
}

fn describe(what: &str, member: &Member) -> String {
    format!("{} {what}: deployment {}, revision {}", member.member, member.deployment, member.revision)
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn line(text: &mut String, depth: usize, line: &str) {
    let _ = write!(text, "\n{}{line}", "  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::super::fate::tests::resource;
    use super::*;

    fn proving() -> FlinkBlueGreenDeployment {
        let member = |member: &str, color: &str, revision: &str| {
            json!({"member": member, "color": color, "generation": 1,
                "deployment": format!("orders-{member}"), "revision": revision})
        };
        resource(json!({
            "observedGeneration": 2, "phase": "CuttingOver", "attempt": 2, "lag": "1.2s",
            "active": member("blue-1", "blue", "3f2a"), "target": member("green-1", "green", "9c01"),
            "cutover": {"state": "Proposed", "attempt": 1, "from": "blue-1", "to": "green-1",
                "boundary": "2026-03-01T12:00:00Z", "boundaryMillis": 1},
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "CuttingOver", "message": "", "lastTransitionTime": ""},
                {"type": "CutoverPending", "status": "True", "reason": "CuttingOver", "message": "", "lastTransitionTime": ""},
            ],
            "waiting": [{"code": "Acknowledgement", "message": "green-1, gate orders, subtask 3: has not acknowledged attempt 1"}],
            "history": [{"time": "2026-03-01T11:59:00Z", "who": "ann", "what": "asked for promote", "why": "fine", "attempt": 2}],
        }))
    }

    #[test]
    fn the_tree_tells_who_has_the_output_and_what_is_waited_for() {
        assert_eq!(
            tree("shop", "orders", &proving()),
            "orders in shop: under way
  phase CuttingOver, rollout 2, blue-green
  blue-1 has the output: deployment orders-blue-1, revision 3f2a
  green-1 stands beside it: deployment orders-green-1, revision 9c01
    1.2s behind, in event time
  cutover Proposed: attempt 1, blue-1 -> green-1 at 2026-03-01T12:00:00Z
  CutoverPending (CuttingOver)
  waiting for Acknowledgement: green-1, gate orders, subtask 3: has not acknowledged attempt 1
  last: 2026-03-01T11:59:00Z ann asked for promote (fine)"
        );
    }

    #[test]
    fn why_tells_the_subtask_or_that_nothing_is_waited_for() {
        let told = reasons(&proving());
        assert_eq!(
            told,
            "waiting for Acknowledgement: green-1, gate orders, subtask 3: has not acknowledged attempt 1"
        );
        let ready =
            resource(json!({"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True",
            "reason": "Running", "message": "", "lastTransitionTime": ""}]}));
        assert_eq!(reasons(&ready), "nothing is waited for");
        assert_eq!(reasons(&resource(Value::Null)), "no controller has looked at it yet");
    }
}
