//! The command with which a person goes on. Pure.

use tidegate_protocol::rollout::{Phase, Record};

use super::place::Place;

/// What can be typed now; for a call, what it asks for. `number` tells the attempt from every other one: typed twice, it is done once.
pub(super) fn next(place: Place<'_>, record: &Record, call: Option<&str>, number: u64) -> String {
    let Place { namespace, name, .. } = place;
    let look = format!("tidegate doctor {name} -n {namespace}");
    let ask = |verb: &str| {
        format!("tidegate {verb} {name} -n {namespace} --id notified-{}-{number}", record.attempt)
    };
    if let Some(reason) = call {
        return match reason {
            "ActiveEnded" | "ActiveNotRunning" | "StillRunning" => ask("replace"),
            "ReverseFailed" | "StopFailed" => ask("retry"),
            _ => look,
        };
    }
    if record.paused.is_some() {
        return ask("resume");
    }
    match &record.phase {
        Phase::Ready { promoted: false, .. } => ask("promote"),
        Phase::Idle if record.failed.is_some() => ask("retry"),
        Phase::Watching { .. } => ask("rollback"),
        Phase::Snapshotting { .. }
        | Phase::Ready { .. }
        | Phase::Pinning { .. }
        | Phase::CuttingOver { .. } => ask("abort"),
        Phase::Starting { purpose, .. } | Phase::Proving { purpose, .. } if purpose.standby().is_some() => {
            ask("abort")
        }
        Phase::Idle
        | Phase::Suspended { .. }
        | Phase::Starting { .. }
        | Phase::Proving { .. }
        | Phase::Aborting { .. }
        | Phase::Reversing { .. }
        | Phase::Fencing { .. }
        | Phase::Claiming { .. }
        | Phase::Stopping { .. }
        | Phase::Relaunching { .. }
        | Phase::Leaving { .. }
        | Phase::Left => look,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser as _;
    use tidegate_protocol::identity::{CheckpointId, Color, Member, Snapshot};
    use tidegate_protocol::rollout::{
        Baseline, Cause, Failed, Failure, Launch, Revision, Savepoint, Start, Version,
    };
    use tidegate_protocol::time::WallTime;

    use super::*;
    use crate::cli::Cli;

    const PLACE: Place<'static> = Place { uid: "u", namespace: "shop", name: "orders" };
    const SINCE: WallTime = WallTime::from_millis(0);

    fn records() -> Vec<Record> {
        let baseline = Baseline { at: SINCE, restarts: 0, failed_checkpoints: 0, completed_checkpoints: 0 };
        let member = Member::new(Color::Green, 2);
        let revision = Revision("r2".to_owned());
        let target = Version {
            launch: Launch::first(member),
            revision: revision.clone(),
            start: Start::Empty,
            scale: None,
            ran: true,
            rooted: true,
        };
        let snapshot = Snapshot { member, checkpoint: CheckpointId(3) };
        let way_back = Savepoint { snapshot, path: "s".to_owned() };
        let failure = Failure { cause: Cause::Unstable, message: "it crashed".to_owned() };
        let former = target.clone();
        let phases = [
            Phase::Idle,
            Phase::Snapshotting { revision: revision.clone(), tries: 1, since: SINCE },
            Phase::Ready { target, baseline, promoted: false, since: SINCE },
            Phase::Watching { former, way_back, baseline, condemned: None, since: SINCE },
            Phase::Left,
        ];
        let of = |phase| Record { attempt: 7, phase, ..Record::default() };
        let mut records = phases.map(of).to_vec();
        records.push(Record { paused: Some(SINCE), ..of(Phase::Idle) });
        records.push(Record { failed: Some(Failed { revision, failure, at: SINCE }), ..of(Phase::Idle) });
        records
    }

    #[test]
    fn every_command_can_be_typed() {
        let calls = ["ActiveEnded", "StopFailed", "SpecInvalid"].map(Some);
        let records = records();
        let called = calls.map(|call| next(PLACE, &Record::default(), call, 4));
        let told: BTreeSet<String> =
            records.iter().map(|record| next(PLACE, record, None, 4)).chain(called).collect();
        for line in &told {
            let typed = Cli::try_parse_from(line.split(' '));
            assert!(
                typed.is_ok(),
                "{line}: {}",
                typed.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
        let verbs: BTreeSet<&str> = told.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        let all = ["abort", "doctor", "promote", "replace", "resume", "retry", "rollback"];
        assert_eq!(verbs, BTreeSet::from(all));
        assert!(told.contains("tidegate promote orders -n shop --id notified-7-4"), "{told:?}");
    }
}
