//! Whatever crosses the bridge is taken or refused with an error that begins with its code: messages that were damaged,
//! numbers of all sizes, calls in any order. Nothing here needs a file, so all of it runs under Miri too.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_bridge::Error;
use tidegate_bridge::subtask::{DISCARD, EMIT, HOLD, HOLD_INHERITED, LATE_DISCARD, OUT, SubtaskHandle};
use tidegate_protocol::time::WallTime;

const ORDERS: [&str; 5] = [
    include_str!("../../../protocol/tests/golden/order-emit-all.json"),
    include_str!("../../../protocol/tests/golden/order-proposed-from.json"),
    include_str!("../../../protocol/tests/golden/order-committed-to-ordered.json"),
    include_str!("../../../protocol/tests/golden/order-adopt.json"),
    include_str!("../../../protocol/tests/golden/order-closed.json"),
];
const HEADER: &str = include_str!("../../../protocol/tests/golden/header-v1.json");

fn config() -> Value {
    json!({
        "color": "blue", "generation": 1, "gate": "orders", "subtask": 0, "parallelism": 2, "hold_max_records": 3,
        "hold_max_bytes": 1000, "max_ahead_ms": 50, "idle_after_ms": 60000,
    })
}

fn restored() -> SubtaskHandle {
    let mut subtask = SubtaskHandle::open(config().to_string().as_bytes()).unwrap();
    subtask.restore(&[], &[], &[], &mut [0; OUT]).unwrap();
    subtask
}

fn said<T>(result: Result<T, Error>) -> Option<String> {
    result.err().map(|error| error.to_string())
}

/// A stable code, a colon, and not too much.
fn is_an_error_of_ours(text: &str) -> bool {
    let code = text.split(':').next().unwrap_or_default();
    code.len() > 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) && text.len() < 4_000
}

#[test]
fn each_field_of_a_configuration_that_is_wrong_is_named() {
    let good = config();
    for field in good.as_object().unwrap().keys() {
        for value in
            [json!(-1), json!(1.5), json!([]), json!({"a": 1}), json!("x".repeat(500)), json!(u64::MAX)]
        {
            let mut bad = good.clone();
            bad[field] = value;
            if let Some(text) = said(SubtaskHandle::open(bad.to_string().as_bytes())) {
                // `max_ahead_ms` is `tidegate.max-ahead` to people
                let named = text.contains(field.as_str()) || text.contains("tidegate.max-ahead");
                assert!(named && is_an_error_of_ours(&text), "{field}: {text}");
            } else {
                assert!(
                    ["gate", "hold_max_records", "hold_max_bytes", "idle_after_ms"].contains(&field.as_str()),
                    "{field}"
                );
            }
        }
        let mut less = good.clone();
        less.as_object_mut().unwrap().remove(field);
        let text = said(SubtaskHandle::open(less.to_string().as_bytes()));
        assert!(text.map_or(field == "max_ahead_ms", |text| text.contains(field.as_str())), "{field}");
    }
}

#[test]
fn counts_that_are_none_and_orders_that_do_not_ascend_are_refused() {
    let (mut subtask, mut out) = (restored(), [0; OUT]);
    for (emitted, discarded, name) in
        [(-1, 0, "emitted = -1"), (0, i64::MIN, "discarded = -9223372036854775808")]
    {
        let text = said(subtask.account(emitted, 0, discarded, 0)).unwrap();
        assert!(text.starts_with("BadCall") && text.contains(name), "{text}");
    }
    for _ in 0..3 {
        subtask.account(i64::MAX, 1, i64::MAX, 1).unwrap();
    }
    let spans = |second: i64| {
        json!({"epoch": 1, "question": null, "inherited": "wait", "spans": [
            {"since": i64::MIN, "disposition": "emit"}, {"since": 5, "disposition": "hold"}, {"since": second, "disposition": "emit"},
        ]})
    };
    for second in [5, 4, i64::MIN] {
        let text = said(subtask.order(spans(second).to_string().as_bytes(), &mut out)).unwrap();
        assert!(text.starts_with("BadCall: an order's spans must ascend"), "{text}");
    }
    subtask.order(spans(6).to_string().as_bytes(), &mut out).unwrap();
}

/// One call of Java's.
#[derive(Clone, Debug)]
enum Call {
    Admit(i64, i32),
    HeldBytes(i32),
    Account(i64, i64, i64, i64),
    Watermark(i64),
    Idle(bool, u64),
    Order(usize, Vec<(prop::sample::Index, u8)>),
    Snapshot(i64, u64),
    Finish,
    Restore(Vec<(prop::sample::Index, u8)>, Vec<i64>, Vec<i32>),
}

fn millis() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -100_i64..100,
        2 => 1_772_366_399_990_i64..1_772_366_400_010,
        1 => any::<i64>(),
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]),
    ]
}

fn size() -> impl Strategy<Value = i32> {
    prop_oneof![3 => 0_i32..500, 1 => any::<i32>(), 1 => Just(i32::MIN)]
}

fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..3)]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => (millis(), size()).prop_map(|(millis, size)| Call::Admit(millis, size)),
        1 => size().prop_map(Call::HeldBytes),
        1 => (millis(), millis(), millis(), millis()).prop_map(|(a, b, c, d)| Call::Account(a, b, c, d)),
        2 => millis().prop_map(Call::Watermark),
        1 => (any::<bool>(), any::<u64>()).prop_map(|(idle, now)| Call::Idle(idle, now)),
        3 => (0..ORDERS.len(), damage()).prop_map(|(which, damage)| Call::Order(which, damage)),
        1 => (millis(), any::<u64>()).prop_map(|(checkpoint, now)| Call::Snapshot(checkpoint, now)),
        1 => Just(Call::Finish),
        1 => (damage(), prop::collection::vec(millis(), 0..3), prop::collection::vec(size(), 0..3))
            .prop_map(|(damage, times, sizes)| Call::Restore(damage, times, sizes)),
    ]
}

fn damaged(text: &str, damage: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (index, byte) in damage {
        let index = index.index(bytes.len());
        bytes[index] = *byte;
    }
    bytes
}

fn make(subtask: &mut SubtaskHandle, call: &Call) -> Result<(), Error> {
    let mut out = [0; OUT];
    match call {
        Call::Admit(millis, bytes) => {
            let disposition = subtask.admit(*millis, *bytes, WallTime::from_millis(1_000), &mut out)?;
            assert!((HOLD..=LATE_DISCARD).contains(&disposition) && disposition != HOLD_INHERITED);
        }
        Call::HeldBytes(bytes) => subtask.held_bytes(*bytes)?,
        Call::Account(emitted, emitted_high, discarded, discarded_high) => {
            subtask.account(*emitted, *emitted_high, *discarded, *discarded_high)?;
        }
        Call::Watermark(millis) => drop(subtask.watermark(*millis, &mut out)?),
        Call::Idle(idle, now) => drop(subtask.idle(*idle, WallTime::from_millis(*now))?),
        Call::Order(which, damage) => {
            let held: Value = serde_json::from_slice(&subtask.counters()?).unwrap();
            let dispositions = subtask.order(&damaged(ORDERS[*which], damage), &mut out)?;
            assert_eq!(dispositions.len() as u64, held["held"].as_u64().unwrap(), "one per held record");
            assert!(dispositions.iter().all(|disposition| (HOLD..=LATE_DISCARD).contains(disposition)));
        }
        Call::Snapshot(checkpoint, now) => {
            let header = subtask.snapshot(*checkpoint, WallTime::from_millis(*now))?;
            restored_from(&header);
        }
        Call::Finish => drop(subtask.finish()?),
        Call::Restore(damage, times, sizes) => {
            subtask.restore(&[damaged(HEADER, damage)], times, sizes, &mut out)?;
        }
    }
    let passes = [EMIT, DISCARD, LATE_DISCARD].map(i64::from).contains(&out[2]);
    assert!(out[0] >= out[1] || passes, "a lease in which records are held: {out:?}");
    Ok(())
}

/// Whatever was written into a snapshot restores a subtask.
fn restored_from(header: &[u8]) {
    let mut subtask = SubtaskHandle::open(config().to_string().as_bytes()).unwrap();
    subtask.restore(&[header.to_vec()], &[1], &[1], &mut [0; OUT]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn calls_in_any_order_with_any_numbers(
        fresh in any::<bool>(),
        calls in prop::collection::vec(call(), 0..20),
    ) {
        let mut subtask = if fresh { restored() } else { SubtaskHandle::open(config().to_string().as_bytes()).unwrap() };
        for call in &calls {
            if let Some(text) = said(make(&mut subtask, call)) {
                prop_assert!(is_an_error_of_ours(&text), "{call:?}: {text}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_message(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (mut subtask, mut out) = (restored(), [0; OUT]);
        for text in [
            said(SubtaskHandle::open(&bytes)).unwrap(),
            said(subtask.order(&bytes, &mut out)).unwrap(),
            said(SubtaskHandle::open(config().to_string().as_bytes()).unwrap().restore(&[bytes], &[], &[], &mut out)).unwrap(),
        ] {
            prop_assert!(is_an_error_of_ours(&text), "{text}");
        }
    }
}
