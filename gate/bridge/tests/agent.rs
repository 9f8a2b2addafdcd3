//! An agent as a JVM drives it: one thread in `next`, any thread in `tell` and `close`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_bridge::Error;
use tidegate_bridge::agent::AgentHandle;
use tidegate_bridge::subtask::{OUT, SubtaskHandle};

fn config(root: &Path) -> Value {
    json!({
        "store": format!("directory://{}", root.display()), "rollout": "orders", "color": "blue", "generation": 1, "job": "a job",
        "gates": ["orders"], "from_beginning": false, "late_policy": "emit", "lateness_ms": 0, "hand_over": "ordered",
    })
}

fn open(config: &Value) -> Result<AgentHandle, Error> {
    AgentHandle::open(config.to_string().as_bytes(), || {
        panic!("a store in a directory leaves nothing behind")
    })
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
    let told = busy.recv_timeout(Duration::from_secs(60)).unwrap();
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

/// What the member machine would count up to must be a number of subtasks.
#[test]
fn events_of_subtasks_that_cannot_be_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let agent = open(&config(root.path())).unwrap();
    for (event, named) in [
        (
            json!({"type": "gate_opened", "gate": "orders", "parallelism": 0, "evidence": "committer"}),
            "parallelism = 0",
        ),
        (
            json!({"type": "committers_opened", "gate": "orders", "parallelism": 4_294_967_295_u32}),
            "parallelism = 4294967295",
        ),
        (
            json!({"type": "subtask_ready", "gate": "orders", "subtask": 2, "attempt": 0, "parallelism": 2}),
            "subtask = 2",
        ),
        (json!({"type": "subtask_gone", "gate": "orders", "subtask": 40_000}), "subtask = 40000"),
    ] {
        let text = message(agent.tell(event.to_string().as_bytes()));
        assert!(text.starts_with("BadCall: event of gate \"orders\": ") && text.contains(named), "{text}");
    }
}

#[test]
fn each_field_of_a_configuration_that_is_wrong_is_named() {
    let root = tempfile::tempdir().unwrap();
    let good = config(root.path());
    for field in good.as_object().unwrap().keys() {
        for value in [json!(-1), json!(1.5), json!({"a": 1}), json!(["x", 1]), json!(u64::MAX)] {
            let mut bad = good.clone();
            bad[field] = value;
            let text = message(open(&bad));
            assert!(
                text.starts_with("ConfigUnreadable: ") && text.contains(field.as_str()),
                "{field}: {text}"
            );
        }
    }
}

#[test]
fn the_library_is_pinned_before_a_store_is_opened_that_leaves_threads_behind() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config(root.path());
    config["store"] = "zookeeper://127.0.0.1:1/tidegate".into();
    let mut pinned = 0;
    let opened = AgentHandle::open(config.to_string().as_bytes(), || {
        pinned += 1;
        Ok(())
    });
    drop(opened.map_err(|error| error.to_string()).unwrap());
    assert_eq!(pinned, 1);
    let refused =
        AgentHandle::open(config.to_string().as_bytes(), || Err(Error::Said("PinFailed: no".to_owned())));
    assert_eq!(message(refused), "PinFailed: no");
}
