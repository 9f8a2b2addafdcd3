//! The status of a pod with one container.

use std::net::Ipv4Addr;
use std::process::ExitStatus;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// What its container is doing.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Running {
        since: Timestamp,
    },
    /// Until it is started again.
    BackingOff {
        exit: ExitStatus,
    },
    /// For good.
    Over {
        exit: ExitStatus,
    },
}

pub(super) fn status(pod: &Pod, address: Ipv4Addr, restarts: u32, state: State) -> Value {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let name = container.map_or("", |container| container.name.as_str());
    let image = container.and_then(|container| container.image.as_deref()).unwrap_or_default();
    let (phase, ready, told) = match state {
        State::Running { since } => ("Running", true, json!({ "running": { "startedAt": since } })),
        State::BackingOff { .. } => {
            let why = json!({ "reason": "CrashLoopBackOff", "message": "the process has ended and is started again" });
            ("Running", false, json!({ "waiting": why }))
        }
        State::Over { exit } => {
            (if exit.success() { "Succeeded" } else { "Failed" }, false, json!({ "terminated": ended(exit) }))
        }
    };
    let last = match state {
        State::BackingOff { exit } => json!({ "terminated": ended(exit) }),
        State::Running { .. } | State::Over { .. } => json!({}),
    };
    let now = Timestamp::now();
    let condition = |(kind, holds): (&str, bool)| {
        let status = if holds { "True" } else { "False" };
        json!({ "type": kind, "status": status, "lastTransitionTime": now })
    };
    let conditions =
        [("PodScheduled", true), ("Initialized", true), ("ContainersReady", ready), ("Ready", ready)];
    json!({ "status": {
        "phase": phase,
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "hostIP": "127.0.0.1",
        "startTime": now,
        "conditions": conditions.map(condition),
        "containerStatuses": [{
            "name": name,
            "image": image,
            "imageID": "",
            "ready": ready,
            "started": ready,
            "restartCount": restarts,
            "state": told,
            "lastState": last,
        }],
    } })
}

fn ended(exit: ExitStatus) -> Value {
    let reason = if exit.success() { "Completed" } else { "Error" };
    // A process that a signal has ended has no code; Kubernetes tells 137 then.
    json!({ "exitCode": exit.code().unwrap_or(137), "reason": reason, "finishedAt": Timestamp::now() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn a_container_that_is_started_again_is_not_ready_and_tells_how_it_ended() {
        let of = |state| status(&Pod::default(), Ipv4Addr::LOCALHOST, 2, state)["status"].clone();
        let runs = of(State::Running { since: Timestamp::now() });
        assert_eq!((&runs["phase"], &runs["conditions"][3]["status"]), (&json!("Running"), &json!("True")));
        let waits = of(State::BackingOff { exit: ExitStatus::from_raw(3 << 8) });
        let container = &waits["containerStatuses"][0];
        assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 3);
        assert_eq!((&container["restartCount"], &container["ready"]), (&json!(2), &json!(false)));
        let over = of(State::Over { exit: ExitStatus::from_raw(9) });
        assert_eq!(over["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
        assert_eq!(over["phase"], "Failed");
    }
}
