//! A connection that is an agent.

use serde_json::{Value, json};
use tidegate_bridge::sidecar::call::{END, NEXT, OPEN_AGENT, TELL};

use crate::client::{Answer, Client, STATUS, Sidecar, agent_config, body};

fn tell(agent: &mut Client, event: &Value) {
    agent.send(&body(TELL, event.to_string().as_bytes()));
}

/// The next instruction; `None` at the end.
fn next(agent: &mut Client) -> Option<Value> {
    let Answer { value, bytes, .. } = agent.ask(NEXT, &[]).unwrap();
    (value == 1).then(|| serde_json::from_slice(&bytes).unwrap())
}

/// Its first order, and whether it had claimed its slot before.
fn ordered(agent: &mut Client, status: &Value) -> (Value, bool) {
    tell(agent, &json!({"type": "gate_opened", "gate": "orders", "parallelism": 1, "evidence": "committer"}));
    tell(agent, &json!({"type": "committers_opened", "gate": "orders", "parallelism": 1}));
    tell(
        agent,
        &json!({"type": "subtask_ready", "gate": "orders", "subtask": 0, "attempt": 0, "parallelism": 1}),
    );
    tell(
        agent,
        &json!({"type": "subtask_status", "gate": "orders", "subtask": 0, "attempt": 0, "status": status}),
    );
    let mut claimed = false;
    loop {
        let instruction = next(agent).unwrap();
        match instruction["type"].as_str().unwrap() {
            "claimed" => claimed = true,
            "order" => return (instruction, claimed),
            _ => {}
        }
    }
}

fn status(sidecar: &Sidecar) -> Value {
    let mut subtask = sidecar.restored();
    serde_json::from_slice(&subtask.ask(STATUS, &[]).unwrap().bytes).unwrap()
}

#[test]
fn a_subtask_that_tells_its_status_is_given_its_order() {
    let sidecar = Sidecar::start();
    let status = status(&sidecar);
    let mut agent = sidecar.agent();
    let (order, claimed) = ordered(&mut agent, &status);
    assert!(claimed, "an order came before the claim");
    assert_eq!((&order["gate"], &order["order"]["epoch"]), (&json!("orders"), &json!(1)));
}

#[test]
fn an_agent_that_waits_keeps_nobody_waiting_and_the_end_ends_its_wait() {
    let mut sidecar = Sidecar::start();
    let status = status(&sidecar);
    let mut agent = sidecar.agent();
    ordered(&mut agent, &status);
    agent.send(&[NEXT]); // it may have nothing to say for a long time
    let mut subtask = sidecar.restored();
    subtask.ask(STATUS, &[]).unwrap();
    agent.send(&[END]);
    while agent.answer().unwrap().value == 1 {
        agent.send(&[NEXT]);
    }
    assert_eq!(next(&mut agent), None, "and so from then on");
    drop((agent, subtask));
    sidecar.drain();
}

/// As with the death of its JVM.
#[test]
fn an_agent_whose_connection_breaks_in_its_wait_is_gone() {
    let mut sidecar = Sidecar::start();
    let status = status(&sidecar);
    let mut agent = sidecar.agent();
    ordered(&mut agent, &status);
    agent.send(&[NEXT]);
    drop(agent);
    sidecar.drain();
}

/// "No more instructions" would be the end of its job.
#[test]
fn an_agent_that_is_told_nonsense_in_its_wait_does_not_come_to_an_end() {
    let sidecar = Sidecar::start();
    let status = status(&sidecar);
    let mut agent = sidecar.agent();
    ordered(&mut agent, &status);
    agent.send(&[NEXT]);
    agent.send(&body(TELL, b"{}"));
    let told = loop {
        match agent.answer() {
            Ok(answer) => assert_eq!(answer.value, 1, "it has come to its end"),
            Err(told) => break told,
        }
    };
    assert!(told.starts_with("MessageUnreadable: the event"), "{told}");
}

#[test]
fn an_agent_that_was_never_asked_is_gone_with_its_connection_too() {
    let mut sidecar = Sidecar::start();
    drop(sidecar.agent());
    sidecar.drain();
}

#[test]
fn an_event_that_cannot_be_is_told_and_ends_the_connection() {
    let sidecar = Sidecar::start();
    for (event, told) in [
        ("{}", "MessageUnreadable: the event"),
        (r#"{"type":"subtask_gone","gate":"orders","subtask":40000}"#, "BadCall: event of gate \"orders\": "),
    ] {
        let mut agent = sidecar.agent();
        agent.send(&body(TELL, event.as_bytes()));
        let answer = agent.answer().unwrap_err();
        assert!(answer.starts_with(told), "{answer}");
        assert!(agent.ended());
    }
}

#[test]
fn a_store_that_is_none_is_named() {
    let sidecar = Sidecar::start();
    let mut config = agent_config(sidecar.folder());
    config["store"] = json!("directory:///no/such/folder");
    let mut client = sidecar.greeted();
    let refused = client.ask(OPEN_AGENT, config.to_string().as_bytes()).unwrap_err();
    assert!(refused.starts_with("StoreMissing: directory:///no/such/folder"), "{refused}");
    assert!(client.ended());
}
