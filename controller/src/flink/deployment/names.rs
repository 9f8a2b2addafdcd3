//! The names under which everything is found again. What they make must never change: a controller of a later version has to
//! find what this one has started.

use std::collections::BTreeMap;

use tidegate_protocol::identity::{Color, Member};

use crate::flink::{JobId, Launch, Operation};

/// Flink names Services after it, with suffixes.
pub(super) const JOB_MAX: usize = 45;

pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "tidegate");
pub(super) const OWNER: &str = "tidegate.io/owner";
pub(super) const ROLLOUT: &str = "tidegate.io/rollout";
pub(super) const COLOR: &str = "tidegate.io/color";
pub(super) const GENERATION: &str = "tidegate.io/generation";
pub(super) const ATTEMPT: &str = "tidegate.io/attempt";

/// The state in which the job has ended, as Flink told it.
pub(super) const ENDED: &str = "tidegate.io/ended";
/// The savepoint that it was stopped with.
pub(super) const LAST_SAVEPOINT: &str = "tidegate.io/last-savepoint";

/// `<rollout>-<color>-<generation>`, and the attempt when it is not the first.
pub(super) fn job(launch: &Launch) -> JobId {
    let Launch { owner: _, rollout, member, attempt } = launch;
    JobId::new(match attempt {
        0 | 1 => format!("{rollout}-{member}"),
        attempt => format!("{rollout}-{member}-{attempt}"),
    })
}

/// Of the `FlinkStateSnapshot` of an operation.
pub(super) fn snapshot(job: &JobId, operation: &Operation) -> String {
    format!("{job}-{operation}")
}

/// Of everything that belongs to a launch.
pub(super) fn labels(launch: &Launch) -> BTreeMap<String, String> {
    let Launch { owner, rollout, member, attempt } = launch;
    let labels = [
        (MANAGED_BY.0, MANAGED_BY.1.to_owned()),
        (OWNER, owner.clone()),
        (ROLLOUT, rollout.clone()),
        (COLOR, member.color.to_string()),
        (GENERATION, member.generation.to_string()),
        (ATTEMPT, attempt.to_string()),
    ];
    labels.map(|(key, value)| (key.to_owned(), value)).into()
}

/// What [`labels`] has written; `None` when it was not written by it.
pub(super) fn launch(labels: &BTreeMap<String, String>) -> Option<Launch> {
    let color = match labels.get(COLOR)?.as_str() {
        "blue" => Color::Blue,
        "green" => Color::Green,
        _ => return None,
    };
    Some(Launch {
        owner: labels.get(OWNER)?.clone(),
        rollout: labels.get(ROLLOUT)?.clone(),
        member: Member::new(color, labels.get(GENERATION)?.parse().ok()?),
        attempt: labels.get(ATTEMPT)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_is_found_again_by_its_name_and_its_labels() {
        let first = Launch {
            owner: "9d3e".into(),
            rollout: "orders".into(),
            member: Member::new(Color::Green, 2),
            attempt: 1,
        };
        let third = Launch { attempt: 3, ..first.clone() };
        assert_eq!(job(&first).as_str(), "orders-green-2");
        assert_eq!(job(&third).as_str(), "orders-green-2-3");
        assert_eq!(launch(&labels(&third)), Some(third));
        let mut foreign = labels(&first);
        foreign.insert(COLOR.into(), "red".into());
        assert_eq!(launch(&foreign), None);
        let operation = Operation::new("3-pin-blue-1-1").unwrap();
        assert_eq!(snapshot(&job(&first), &operation), "orders-green-2-3-pin-blue-1-1");
    }
}
