//! A connection that is a subtask.

use serde_json::{Value, json};
use tidegate_bridge::sidecar::call;
use tidegate_bridge::subtask::{EMIT, HOLD, NONE, OUT, SubtaskHandle};
use tidegate_protocol::time::WallTime;

use crate::client::{
    ACCOUNT, ADMIT, COUNTERS, FINISH, FULL, HELD_BYTES, IDLE, ORDER, RESTORE, SNAPSHOT, STATUS, Sidecar,
    WATERMARK, admit, body, config, longs, restore,
};

const EMIT_ALL: &str = include_str!("../../../../protocol/tests/golden/order-emit-all.json");
const PROPOSED: &str = include_str!("../../../../protocol/tests/golden/order-proposed-from.json");

/// The same calls on a handle, as JNI makes them, and over the socket: each answer is the same.
#[test]
fn it_answers_as_a_handle_does() {
    let sidecar = Sidecar::start();
    let mut there = sidecar.subtask();
    let mut here = SubtaskHandle::open(config().to_string().as_bytes()).unwrap();
    let mut out = [0; OUT];

    here.restore(&[], &[], &[], &mut out).unwrap();
    assert_eq!(there.ask(RESTORE, &restore(&[], &[], &[])).unwrap().out, out);
    let held = here.admit(5, 10, WallTime::default(), &mut out).unwrap();
    let answer = there.ask(ADMIT, &admit(5, 10)).unwrap();
    assert_eq!((answer.value, answer.out), (i64::from(held), out));
    assert_eq!(held, HOLD);
    out = [0; OUT]; // as JNI begins each call
    let forward = here.watermark(4, &mut out).unwrap();
    let answer = there.ask(WATERMARK, &longs(&[4])).unwrap();
    assert_eq!((answer.value, answer.out), (forward, out));
    assert_eq!(forward, NONE);
    out = [0; OUT];
    let dispositions = here.order(EMIT_ALL.as_bytes(), &mut out).unwrap();
    let answer = there.ask(ORDER, EMIT_ALL.as_bytes()).unwrap();
    assert_eq!((answer.out, answer.bytes.len()), (out, 1));
    assert_eq!(answer.bytes[0].cast_signed(), dispositions[0]);
    assert_eq!(dispositions, [EMIT]);

    here.account(3, 90, 2, 80).unwrap();
    there.send(&body(ACCOUNT, &longs(&[3, 90, 2, 80])));
    out = [0; OUT];
    here.order(PROPOSED.as_bytes(), &mut out).unwrap();
    assert_eq!(there.ask(ORDER, PROPOSED.as_bytes()).unwrap().out, out);
    assert_eq!(there.ask(STATUS, &[]).unwrap().bytes, here.status().unwrap());
    assert_eq!(there.ask(COUNTERS, &[]).unwrap().bytes, here.counters().unwrap());
    assert_eq!(
        there.ask(IDLE, &[1]).unwrap().value,
        i64::from(here.idle(true, tidegate_agent::now()).unwrap())
    );
    assert_eq!(there.ask(FINISH, &[]).unwrap().value, i64::from(here.finish().unwrap()));
}

#[test]
fn what_is_held_counts_and_a_snapshot_restores_it() {
    let sidecar = Sidecar::start();
    let mut subtask = sidecar.restored();
    for time in [7, 8, 9] {
        assert_eq!(subtask.ask(FULL, &[]).unwrap().value, 0);
        assert_eq!(subtask.ask(ADMIT, &admit(time, 0)).unwrap().value, i64::from(HOLD));
        subtask.send(&body(HELD_BYTES, &10_i32.to_be_bytes()));
    }
    assert_eq!(subtask.ask(FULL, &[]).unwrap().value, 1);
    let header = subtask.ask(SNAPSHOT, &longs(&[7])).unwrap().bytes;
    drop(subtask);

    let mut again = sidecar.subtask();
    let answer = again.ask(RESTORE, &restore(&[&header, &header], &[7, 8, 9], &[10, 10, 10])).unwrap();
    assert_eq!(answer.out[3], 0, "it is its own state");
    let counters: Value = serde_json::from_slice(&again.ask(COUNTERS, &[]).unwrap().bytes).unwrap();
    assert_eq!(counters["held"], 3);
    assert_eq!(again.ask(FULL, &[]).unwrap().value, 1);
}

#[test]
fn an_error_is_an_answer_and_changes_nothing() {
    let sidecar = Sidecar::start();
    let mut subtask = sidecar.subtask();
    let early = subtask.ask(ADMIT, &admit(1, 1)).unwrap_err();
    assert!(early.starts_with("BadCall: gate orders, subtask 0 was not restored yet"), "{early}");
    assert!(subtask.ask(RESTORE, &restore(&[], &[1], &[])).unwrap_err().starts_with("BadCall: 1 times"));
    assert!(subtask.ask(RESTORE, &restore(&[b"{"], &[], &[])).unwrap_err().starts_with("DocumentDamaged"));
    subtask.ask(RESTORE, &restore(&[], &[], &[])).unwrap();
    assert!(subtask.ask(ORDER, b"[]").unwrap_err().starts_with("MessageUnreadable: the order"));
    let before = subtask.ask(STATUS, &[]).unwrap();
    assert!(subtask.ask(SNAPSHOT, &longs(&[-1])).unwrap_err().starts_with("BadCall: checkpoint -1"));
    assert_eq!(subtask.ask(STATUS, &[]).unwrap(), before);
}

/// Nobody waits for its answer, so that the next call would be given the wrong one.
#[test]
fn an_error_of_a_call_without_an_answer_is_told_and_ends_the_connection() {
    let sidecar = Sidecar::start();
    let mut subtask = sidecar.restored();
    subtask.send(&body(ACCOUNT, &longs(&[-1, 0, 0, 0])));
    assert!(subtask.answer().unwrap_err().starts_with("BadCall: emitted = -1"));
    assert!(subtask.ended());
}

#[test]
fn a_configuration_that_is_wrong_is_named_and_nothing_is_opened() {
    let sidecar = Sidecar::start();
    for (field, value) in [("color", json!("red")), ("generation", json!(0)), ("subtask", json!(-1))] {
        let mut config = config();
        config[field] = value;
        let mut client = sidecar.greeted();
        let refused = client.ask(call::OPEN_SUBTASK, config.to_string().as_bytes()).unwrap_err();
        assert!(refused.contains(field), "{field}: {refused}");
        assert!(client.ended());
    }
}

/// A connection is a handle: it has a state of its own, and its end is the end of it.
#[test]
fn connections_are_apart_and_nothing_outlives_them() {
    let mut sidecar = Sidecar::start();
    let (mut one, mut other) = (sidecar.restored(), sidecar.restored());
    one.ask(ORDER, EMIT_ALL.as_bytes()).unwrap();
    assert_eq!(one.ask(ADMIT, &admit(1, 1)).unwrap().value, i64::from(EMIT));
    assert_eq!(other.ask(ADMIT, &admit(1, 1)).unwrap().value, i64::from(HOLD));
    sidecar.stop();
    assert_eq!(other.ask(ADMIT, &admit(2, 1)).unwrap().value, i64::from(HOLD), "it is served to its end");
    assert!(!sidecar.has_ended());
    drop((one, other));
    sidecar.drain();
}
