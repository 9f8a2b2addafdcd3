//! An agent as a JVM drives it: one thread in `next`, any thread in `tell` and `close`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_bridge::Error;
use tidegate_bridge::agent::AgentHandle;
use tidegate_bridge::registry::Registry;
use tidegate_bridge::subtask::{OUT, SubtaskHandle};

fn config(root: &Path) -> Value {
    json!({
        "store": format!("directory://{}", root.display()), "rollout": "orders", "color": "blue", "generation": 1, "job": "a job",
        "gates": ["orders"], "from_beginning": false, "late_policy": "emit", "lateness_ms": 0, "hand_over": "ordered",
    })
}

fn open(config: &Value) -> Result<AgentHandle, Error> {
    AgentHandle::open(config.to_string().as_bytes())
}

fn message<T>(result: Result<T, Error>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

fn next(agent: &AgentHandle) -> Option<Value> {
    agent.next(1).unwrap().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

fn tell(agent: &AgentHandle, event: &Value) {
    agent.tell(event.to_string().as_bytes()).unwrap();
}

#[test]
fn a_subtask_that_tells_its_status_is_given_its_order() {
    let root = tempfile::tempdir().unwrap();
    let agent = open(&config(root.path())).unwrap();
    let text = json!({
        "color": "blue", "generation": 1, "gate": "orders", "subtask": 0, "parallelism": 1, "hold_max_records": 3,
        "hold_max_bytes": 1000, "max_ahead_ms": null, "idle_after_ms": 60000,
    });
    let mut subtask = SubtaskHandle::open(text.to_string().as_bytes()).unwrap();
    let mut out = [0; OUT];
    subtask.restore(&[], &[], &[], &mut out).unwrap();
    let status: Value = serde_json::from_slice(&subtask.status().unwrap()).unwrap();
    tell(
        &agent,
        &json!({"type": "gate_opened", "gate": "orders", "parallelism": 1, "evidence": "committer"}),
    );
    tell(&agent, &json!({"type": "committers_opened", "gate": "orders", "parallelism": 1}));
    tell(
        &agent,
        &json!({"type": "subtask_ready", "gate": "orders", "subtask": 0, "attempt": 0, "parallelism": 1}),
    );
    tell(
        &agent,
        &json!({"type": "subtask_status", "gate": "orders", "subtask": 0, "attempt": 0, "status": status}),
    );
    let (mut said, mut claimed) = (Vec::new(), false);
    let order = loop {
        let instruction = next(&agent).unwrap();
        match instruction["type"].as_str().unwrap() {
            "log" => said.push(instruction["message"].as_str().unwrap().to_owned()),
            "claimed" => claimed = true,
            "order" => break instruction,
            other => panic!("{other}"),
        }
    };
    assert!(claimed, "an order came before the claim");
    assert!(said.iter().any(|text| text.contains("created the document")), "{said:?}");
    assert_eq!(
        (&order["gate"], &order["subtask"], &order["attempt"]),
        (&json!("orders"), &json!(0), &json!(0))
    );
    assert_eq!((&order["order"]["serial"], &order["order"]["epoch"]), (&json!(1), &json!(1)));
    subtask.order(order["order"].to_string().as_bytes(), &mut out).unwrap();
    for event in ["subtask_gone", "reset"] {
        tell(&agent, &json!({"type": event, "gate": "orders", "subtask": 0}));
    }
    tell(&agent, &json!({"type": "committed", "gate": "orders", "subtask": 0, "checkpoint": 1}));
    tell(&agent, &json!({"type": "checkpoint_completed", "gate": "orders", "checkpoint": 1}));
}

#[test]
fn a_second_thread_is_told_so_and_closing_ends_every_wait() {
    let root = tempfile::tempdir().unwrap();
    let agent = Arc::new(open(&config(root.path())).unwrap());
    let (sender, busy) = mpsc::channel();
    let drive = |agent: Arc<AgentHandle>, sender: mpsc::Sender<String>| {
        std::thread::spawn(move || {
            loop {
                match agent.next(7) {
                    Ok(None) => return,
                    Ok(Some(_)) => {}
                    Err(error) => drop(sender.send(error.to_string())),
                }
            }
        })
    };
    let drivers = [drive(Arc::clone(&agent), sender.clone()), drive(Arc::clone(&agent), sender)];
    let told = busy.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(told.starts_with("HandleBusy: handle 7"), "{told}");
    agent.close();
    for driver in drivers {
        driver.join().unwrap();
    }
    assert_eq!(next(&agent), None);
    agent.close();
    assert_eq!(next(&agent), None);
    tell(&agent, &json!({"type": "reset", "gate": "orders"}));
}

#[test]
fn each_bad_call_has_its_error() {
    let root = tempfile::tempdir().unwrap();
    let good = config(root.path());
    let with = |key: &str, value: Value| {
        let mut config = good.clone();
        config[key] = value;
        message(open(&config))
    };
    assert!(with("store", json!("ftp://x")).starts_with("StoreNotAStore: ftp://x"));
    assert!(
        with("store", json!("directory:///no/such/folder"))
            .starts_with("StoreMissing: directory:///no/such/folder")
    );
    assert!(with("rollout", json!("../x")).starts_with("StoreBadName"));
    assert!(with("generation", json!(0)).starts_with("ConfigInvalid: tidegate.generation = \"0\""));
    assert!(with("gates", json!([])).starts_with("ConfigInvalid: gates"));
    assert!(with("hand_over", json!("later")).starts_with("ConfigUnreadable"));
    assert!(with("typo", json!(1)).starts_with("ConfigUnreadable"));
    let agent = open(&good).unwrap();
    for event in ["", "{}", r#"{"type":"nothing"}"#, r#"{"type":"reset"}"#, "\u{0}"] {
        assert!(
            message(agent.tell(event.as_bytes())).starts_with("MessageUnreadable: the event"),
            "{event:?}"
        );
    }
}

#[test]
fn after_a_panic_a_handle_is_not_trusted_any_more() {
    let registry = Registry::new();
    let handle = registry.open(Mutex::new(1));
    let broken = catch_unwind(AssertUnwindSafe(|| {
        registry.with(handle, |_| -> Result<(), Error> { panic!("a bug") })
    }));
    assert!(broken.is_err());
    assert!(matches!(registry.with(handle, |_| Ok(())), Err(Error::Closed(closed)) if closed == handle));
    assert!(registry.close(handle).is_some());
}

#[test]
fn a_handle_that_is_closed_in_use_lives_until_the_call_ends() {
    let registry = Registry::new();
    let handle = registry.open(Mutex::new(1));
    let seen = registry.with(handle, |value| {
        assert!(registry.close(handle).is_some());
        assert!(registry.get(handle).is_err());
        Ok(*value)
    });
    assert_eq!(seen.unwrap(), 1);
    for never in [0, -1, i64::MAX, handle] {
        assert!(matches!(registry.with(never, |_| Ok(())), Err(Error::Closed(_))));
    }
}
