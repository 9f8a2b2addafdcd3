//! Events: what `kubectl describe` shows. Nothing rests on them, and one that cannot be written is said in the log.

use kube::Resource as _;
use kube::runtime::events::{Event, EventType};
use tidegate_protocol::rollout::{ConditionKind, Entry, Plan, Record};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

use super::context::Context;
use super::problem::Problem;
use crate::resource::FlinkBlueGreenDeployment;

/// The API server takes 1 KiB.
const NOTE: usize = 1_000;

impl Context {
    /// Tells what a plan has begun.
    pub(super) async fn tell(&self, resource: &FlinkBlueGreenDeployment, before: &Record, plan: &Plan) {
        for event in transitions(before, plan) {
            self.publish(resource, &event).await;
        }
    }

    /// Tells what keeps the controller from going on.
    pub(super) async fn complain(&self, resource: &FlinkBlueGreenDeployment, problem: &Problem) {
        let text = problem.to_string();
        // What differs in its text is another event, and not the same one again.
        let action = format!("Look{:x}", xxh3_64(text.as_bytes()));
        self.publish(resource, &event(problem.code(), &text, action, true)).await;
    }

    async fn publish(&self, resource: &FlinkBlueGreenDeployment, event: &Event) {
        if let Err(error) = self.recorder.publish(event, &resource.object_ref(&())).await {
            warn!(%error, reason = event.reason, "an event could not be written");
        }
    }
}

/// One event for each new line of the history, and one for a new phase that has none.
fn transitions(before: &Record, plan: &Plan) -> Vec<Event> {
    let after = &plan.record;
    let phase = after.phase.name();
    let is_degraded =
        plan.conditions.iter().any(|condition| condition.kind == ConditionKind::Degraded && condition.status);
    let lines = news(&before.history, &after.history);
    let mut events: Vec<Event> = lines
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let note =
                if line.why.is_empty() { line.what.clone() } else { format!("{}: {}", line.what, line.why) };
            let note = if line.who == "tidegate" { note } else { format!("{note} ({})", line.who) };
            event(
                phase,
                &note,
                format!("Attempt{}Line{}", line.attempt, line.at.as_millis() + number as u64),
                is_degraded || line.warning,
            )
        })
        .collect();
    if events.is_empty() && phase != before.phase.name() {
        let waiting: Vec<&str> = plan.waiting.iter().map(|waiting| waiting.message.as_str()).collect();
        events.push(event(phase, &waiting.join("; "), format!("Attempt{}", after.attempt), is_degraded));
    }
    events
}

/// The lines that came since: the history is bounded, so its beginning may be gone.
pub(super) fn news<'a>(before: &[Entry], after: &'a [Entry]) -> &'a [Entry] {
    let known = before.last().and_then(|last| after.iter().rposition(|entry| entry == last));
    after.get(known.map_or(0, |known| known + 1)..).unwrap_or_default()
}

fn event(reason: &str, note: &str, action: String, is_warning: bool) -> Event {
    Event {
        type_: if is_warning { EventType::Warning } else { EventType::Normal },
        reason: reason.to_owned(),
        note: Some(note.chars().take(NOTE).collect()),
        action,
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::time::WallTime;

    use super::*;

    #[test]
    fn only_what_is_new_is_told_also_when_the_history_has_lost_its_beginning() {
        let entry = |number: u64| Entry {
            at: WallTime::from_millis(number),
            who: "tidegate".to_owned(),
            what: number.to_string(),
            why: String::new(),
            attempt: 1,
            phase: String::new(),
            warning: false,
        };
        let all: Vec<Entry> = (0..6).map(entry).collect();
        assert_eq!(news(&[], &all[..2]), &all[..2]);
        assert_eq!(news(&all[..3], &all[1..]), &all[3..]);
        assert_eq!(news(&all, &all), &[]);
    }
}
