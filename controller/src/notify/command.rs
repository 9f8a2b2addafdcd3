//! The command with which a person goes on. Pure.

use tidegate_protocol::rollout::{Phase, Record};

use super::outbox::Place;
use crate::resource::ask;

/// What can be done now; for a call, what it asks for. `number` tells the request from every other one.
pub(super) fn next(place: Place<'_>, record: &Record, call: Option<&str>, number: u64) -> String {
    let Place { namespace, name, .. } = place;
    let look = format!("kubectl -n {namespace} describe fbg {name}");
    let ask = |verb: &str| {
        let ask = ask::ANNOTATION;
        let id = format!("notified-{}-{number}", record.attempt);
        format!("kubectl -n {namespace} annotate fbg {name} --overwrite {ask}='{verb} id={id}'")
    };
    if let Some(reason) = call {
        return match reason {
            "ActiveEnded" | "ActiveNotRunning" | "StillRunning" => ask("replace"),
            "ReverseFailed" | "StopFailed" => ask("retry"),
            _ => look,
        };
    }
    if record.paused.is_some() {
        return format!(
            "kubectl -n {namespace} patch fbg {name} --type merge -p '{{\"spec\":{{\"paused\":false}}}}'"
        );
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
