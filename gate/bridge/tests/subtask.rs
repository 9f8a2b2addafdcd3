//! The calls of a subtask as Java makes them: JSON and numbers in, numbers and JSON out.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use tidegate_bridge::Error;
use tidegate_bridge::subtask::{DISCARD, EMIT, HOLD, HOLD_INHERITED, NONE, OUT, SubtaskHandle};
use tidegate_protocol::document::{Document, HandOver, Settings, Terms};
use tidegate_protocol::identity::{Attempt, CheckpointId, Color, Member, Origin, Snapshot};
use tidegate_protocol::order::Order;
use tidegate_protocol::time::{EventTime, WallTime};

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 1);
const NOW: WallTime = WallTime::from_millis(0);
const DAY: i64 = 86_400_000;

fn config(color: &str) -> Value {
    json!({
        "color": color, "generation": 1, "gate": "orders", "subtask": 0, "parallelism": 2, "hold_max_records": 3,
        "hold_max_bytes": 1000, "max_ahead_ms": null, "idle_after_ms": 60000,
    })
}

fn opened(color: &str) -> SubtaskHandle {
    SubtaskHandle::open(config(color).to_string().as_bytes()).unwrap()
}

fn restored(color: &str, headers: &[Vec<u8>], times: &[i64], sizes: &[i32]) -> SubtaskHandle {
    let mut subtask = opened(color);
    subtask.restore(headers, times, sizes, &mut [0; OUT]).unwrap();
    subtask
}

fn first() -> Document {
    Document::first("orders", BLUE, Origin::Fresh, Settings::default())
}

fn proposed(at: i64) -> Document {
    let origin = Origin::Snapshot(Snapshot { member: BLUE, checkpoint: CheckpointId(7) });
    let at = EventTime::from_millis(at);
    let terms =
        Terms { attempt: Attempt(0), to: GREEN, origin, at, hand_over: HandOver::Ordered, proposed: NOW };
    first().propose(terms, NOW, None).unwrap()
}

/// An order as the agent sends it: with its number in the same object.
fn order(document: &Document, member: Member) -> Vec<u8> {
    let mut order = serde_json::to_value(Order::new(document, member)).unwrap();
    order["serial"] = json!(1);
    order.to_string().into_bytes()
}

fn status(subtask: &mut SubtaskHandle) -> Value {
    serde_json::from_slice(&subtask.status().unwrap()).unwrap()
}

fn message<T>(result: Result<T, Error>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn before_the_first_order_everything_is_held_and_there_is_no_lease() {
    let mut out = [7; OUT];
    let mut blue = opened("blue");
    blue.restore(&[], &[], &[], &mut out).unwrap();
    assert!(out[0] > out[1], "a lease: {out:?}");
    assert_eq!(out[3], 0, "not from another member");
    assert_eq!(blue.admit(5, 10, NOW, &mut out).unwrap(), HOLD);
    assert_eq!(blue.watermark(4, &mut out).unwrap(), NONE);
    assert!(!blue.idle(true, NOW).unwrap() && !blue.finish().unwrap());
    assert_eq!(blue.order(&order(&first(), BLUE), &mut out).unwrap(), [EMIT]);
    assert_eq!((out[0], out[1], out[2]), (i64::MIN + 1, DAY + 6, i64::from(EMIT)));
    assert_eq!((out[3], out[4]), (4, 1), "the watermark, then idleness");
    assert!(blue.finish().unwrap());
}

/// Flink's watermark w says that everything up to and including w has arrived.
#[test]
fn watermarks_cross_in_flink_s_meaning() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.order(&order(&proposed(100), BLUE), &mut out).unwrap();
    assert_eq!(blue.watermark(98, &mut out).unwrap(), 98);
    assert_eq!(status(&mut blue)["watermark"], 99);
    assert_eq!(blue.watermark(99, &mut out).unwrap(), 99, "everything below the boundary has arrived");
    assert_eq!(blue.watermark(100, &mut out).unwrap(), NONE, "records of 100 may be held");
    assert_eq!(blue.watermark(50, &mut out).unwrap(), NONE, "it never falls");
    blue.order(&order(&first_again(3), BLUE), &mut out).unwrap();
    assert_eq!(out[3], 100);
    assert_eq!(blue.watermark(i64::MAX, &mut out).unwrap(), i64::MAX);
}

/// The document after an abort.
fn first_again(epoch: u64) -> Document {
    Document { epoch: tidegate_protocol::identity::Epoch(epoch), ..first() }
}

#[test]
fn a_watermark_that_was_never_set_says_nothing() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.order(&order(&first(), BLUE), &mut out).unwrap();
    assert_eq!(blue.watermark(i64::MIN, &mut out).unwrap(), NONE);
    assert_eq!(status(&mut blue)["watermark"], i64::MIN);
}

#[test]
fn a_lease_ends_at_the_boundary_and_what_lies_beyond_is_held() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.order(&order(&proposed(100), BLUE), &mut out).unwrap();
    assert_eq!(blue.admit(99, 1, NOW, &mut out).unwrap(), EMIT);
    assert_eq!((out[1], out[2]), (100, i64::from(EMIT)));
    assert_eq!(blue.admit(100, 1, NOW, &mut out).unwrap(), HOLD);
    let mut green = restored("green", &[], &[], &[]);
    green.order(&order(&proposed(100), GREEN), &mut out).unwrap();
    assert_eq!(
        (green.admit(99, 1, NOW, &mut out).unwrap(), green.admit(100, 1, NOW, &mut out).unwrap()),
        (DISCARD, HOLD)
    );
    assert_eq!((out[0], out[1], out[2]), (1, 0, i64::from(HOLD)), "no lease near a record that is held");
    assert_eq!(status(&mut green)["reply"], json!({"attempt": 1, "acknowledged": true, "high": i64::MIN}));
}

/// F7: without a watermark, and without `max-ahead`.
#[test]
fn a_record_of_the_far_future_is_told_apart_from_the_first_one_on() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.order(&order(&first(), BLUE), &mut out).unwrap();
    assert!(out[0] > out[1], "a lease before the clock is known: {out:?}");
    assert_eq!((blue.admit(DAY + 1, 1, NOW, &mut out).unwrap(), out[3]), (EMIT, i64::MIN));
    assert_eq!(out[1], DAY + 1);
    let counters: Value = serde_json::from_slice(&blue.counters().unwrap()).unwrap();
    assert_eq!((&counters["future"], &counters["future_time"]), (&json!(1), &json!(DAY + 1)));
    assert_eq!(status(&mut blue)["future_time"], DAY + 1);
}

#[test]
fn records_of_the_fast_path_count_in_the_answer() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.order(&order(&first(), BLUE), &mut out).unwrap();
    blue.account(2, 120, 0, NONE).unwrap();
    blue.order(&order(&proposed(100), BLUE), &mut out).unwrap();
    let status = status(&mut blue);
    assert_eq!(status["reply"], json!({"attempt": 1, "acknowledged": false, "high": 120}));
    assert_eq!((&status["emitted"], &status["emitted_high"]), (&json!(2), &json!(120)));
}

#[test]
fn a_record_without_a_time_counts_with_the_watermark() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.order(&order(&first(), BLUE), &mut out).unwrap();
    blue.watermark(41, &mut out).unwrap();
    assert_eq!((blue.admit(NONE, 1, NOW, &mut out).unwrap(), out[3]), (EMIT, 42));
    let counters: Value = serde_json::from_slice(&blue.counters().unwrap()).unwrap();
    assert_eq!((&counters["untimed"], &counters["epoch"]), (&json!(1), &json!(1)));
}

#[test]
fn the_bound_counts_records_and_bytes_that_are_told_later() {
    let (mut blue, mut out) = (restored("blue", &[], &[], &[]), [0; OUT]);
    blue.admit(1, 0, NOW, &mut out).unwrap();
    assert!(!blue.is_full().unwrap());
    blue.held_bytes(1000).unwrap();
    assert!(blue.is_full().unwrap());
    blue.held_bytes(10).unwrap();
    assert!(!blue.is_full().unwrap());
    blue.admit(2, 0, NOW, &mut out).unwrap();
    blue.admit(3, 0, NOW, &mut out).unwrap();
    assert!(blue.is_full().unwrap(), "three records");
}

#[test]
fn records_held_by_another_member_wait_until_somebody_says_whose_they_are() {
    let mut blue = restored("blue", &[], &[], &[]);
    blue.admit(5, 1, NOW, &mut [0; OUT]).unwrap();
    let header = blue.snapshot(7, NOW).unwrap();
    let (mut green, mut out) = (opened("green"), [0; OUT]);
    green.restore(std::slice::from_ref(&header), &[5], &[1], &mut out).unwrap();
    assert_eq!(out[3], 1, "from another member");
    let closed = serde_json::to_vec(&Order::closed(first().epoch)).unwrap();
    assert_eq!(green.order(&closed, &mut out).unwrap(), [HOLD_INHERITED]);
    let next = green.snapshot(8, NOW).unwrap();
    let mut green = restored("green", &[next], &[5], &[-1]);
    assert_eq!(green.order(&order(&first(), GREEN), &mut out).unwrap(), [DISCARD]);
    assert_eq!(status(&mut green)["origin"], json!({"snapshot": "blue-1@7"}));
}

#[test]
fn each_bad_call_has_its_error() {
    let said = |config: &Value| message(SubtaskHandle::open(config.to_string().as_bytes()));
    assert!(said(&json!({})).starts_with("MessageUnreadable: the subtask's configuration"));
    let mut unknown = config("blue");
    unknown["color"] = json!("red");
    assert!(said(&unknown).contains("red"));
    unknown = config("blue");
    unknown["generation"] = json!(0);
    assert!(said(&unknown).starts_with("ConfigInvalid: tidegate.generation"), "{}", said(&unknown));

    let out = &mut [0; OUT];
    let mut blue = opened("blue");
    assert!(
        message(blue.admit(1, 1, NOW, out))
            .starts_with("BadCall: gate orders, subtask 0 was not restored yet")
    );
    assert!(message(blue.status()).starts_with("BadCall"));
    assert!(
        message(blue.restore(&[], &[1], &[], out))
            .starts_with("BadCall: 1 times of held records, but 0 sizes")
    );
    assert!(
        message(blue.restore(&[b"{".to_vec()], &[], &[], out)).starts_with("DocumentDamaged: the gate state")
    );
    let newer = br#"{"version": 9}"#.to_vec();
    assert!(message(blue.restore(&[newer], &[], &[], out)).starts_with("DocumentVersion: the gate state"));
    let mut other = restored("blue", &[], &[], &[]);
    let headers = [other.snapshot(1, NOW).unwrap(), other.snapshot(2, NOW).unwrap()];
    let mixed = message(blue.restore(&headers, &[], &[], out));
    assert!(mixed.starts_with("GateStateMixed") && mixed.ends_with("(gate orders, subtask 0)"), "{mixed}");

    blue.restore(&[], &[], &[], out).unwrap();
    assert!(
        message(blue.restore(&[], &[], &[], out))
            .starts_with("BadCall: gate orders, subtask 0 was restored already")
    );
    assert!(message(blue.order(b"[]", out)).starts_with("MessageUnreadable: the order"));
    let empty = br#"{"epoch":1,"spans":[],"question":null,"inherited":"wait"}"#;
    assert!(message(blue.order(empty, out)).starts_with("BadCall: an order must begin"));
    assert!(message(blue.snapshot(-1, NOW)).starts_with("BadCall: checkpoint -1"));
}
