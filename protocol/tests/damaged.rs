//! Damaged input is an error with a code, never a panic and never a guess; whatever is written is read back the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use tidegate_protocol::document::{Document, HandOver, Settings, Terms};
use tidegate_protocol::documents::{Error, v1};
use tidegate_protocol::identity::{Attempt, CheckpointId, Color, Member, Origin, Snapshot};
use tidegate_protocol::order::Order;
use tidegate_protocol::time::{EventTime, WallTime};

const DOCUMENT: &str = include_str!("golden/document-v1-reclaimed.json");
const PROPOSED: &str = include_str!("golden/document-v1-proposed.json");

fn code(text: &str) -> &'static str {
    v1::read_document(text.as_bytes()).expect_err(text).code()
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

#[test]
fn a_document_of_another_version_is_named_as_such() {
    for version in ["2", "\"1\"", "1.5", "null"] {
        assert_eq!(
            code(&replaced(PROPOSED, "\"version\": 1", &format!("\"version\": {version}"))),
            "DocumentVersion"
        );
    }
    assert!(matches!(v1::read_report(b"{\"version\": 7}"), Err(Error::Version { .. })));
    assert!(matches!(v1::read_header(b"{\"version\": 7}"), Err(Error::Version { .. })));
}

#[test]
fn a_document_that_breaks_what_every_change_keeps_true_is_damaged() {
    for (from, to) in [
        ("\"version\": 1,", ""),
        ("\"epoch\": 2", "\"epoch\": -2"),
        ("\"epoch\": 2", "\"epoch\": 2, \"unknown\": 1"),
        ("\"settled\": \"-inf\"", "\"settled\": \"soon\""),
        ("\"settled\": \"-inf\"", "\"settled\": 9223372036854775806"),
        ("\"since\": \"-inf\"", "\"since\": 1772366400001"),
        ("\"blue-1\"", "\"red-1\""),
        ("\"at\": 1772366400000", "\"at\": \"+inf\""),
        ("\"at\": 1772366400000", "\"at\": \"-inf\""),
        ("\"to\": \"green-1\"", "\"to\": \"blue-1\""),
        ("\"attempts\": 1", "\"attempts\": 2"),
        ("\"lateness_ms\": 0", "\"lateness_ms\": -1"),
        ("\"state\": \"proposed\"", "\"state\": \"settled\""),
        ("\"tries_left\": 5", "\"tries_left\": -5"),
    ] {
        assert_eq!(code(&replaced(PROPOSED, from, to)), "DocumentDamaged", "{from} -> {to}");
    }
}

#[test]
fn owners_that_are_empty_or_do_not_ascend_are_damage() {
    let (document, nonce) = v1::read_document(DOCUMENT.as_bytes()).unwrap();
    for damage in [(|document: &mut Document| document.owners.clear()) as fn(&mut Document), |document| {
        document.owners.reverse()
    }] {
        let mut damaged = document.clone();
        damage(&mut damaged);
        let written = String::from_utf8(v1::write_document(&damaged, &nonce)).unwrap();
        assert_eq!(code(&written), "DocumentDamaged");
    }
}

fn time() -> impl Strategy<Value = EventTime> {
    prop_oneof![
        4 => (-1_000_i64..1_000).prop_map(EventTime::from_millis),
        1 => any::<i64>().prop_map(EventTime::from_millis),
    ]
}

fn member() -> impl Strategy<Value = Member> {
    (any::<bool>(), any::<u32>())
        .prop_map(|(blue, generation)| Member::new(if blue { Color::Blue } else { Color::Green }, generation))
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Fresh),
        (member(), any::<u64>())
            .prop_map(|(member, id)| { Origin::Snapshot(Snapshot { member, checkpoint: CheckpointId(id) }) }),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    (member(), origin(), time(), any::<bool>()).prop_map(|(to, origin, at, ordered)| Terms {
        attempt: Attempt(0),
        to,
        origin,
        at,
        hand_over: if ordered { HandOver::Ordered } else { HandOver::Overlapped },
        proposed: WallTime::from_millis(5),
    })
}

/// Documents that changes lead to: changes that are not allowed are left out.
fn document() -> impl Strategy<Value = Document> {
    (member(), origin(), prop::collection::vec((terms(), 0_u8..5), 0..12)).prop_map(
        |(member, origin, changes)| {
            let mut document = Document::first("orders", member, origin, Settings::default());
            for (terms, kind) in changes {
                let now = WallTime::from_millis(9);
                let next = match kind {
                    0 => document.propose(terms, now, Some(3)),
                    1 => document.commit(now),
                    2 => document.finish(now),
                    3 => document.abort("Asked", "asked for", now),
                    _ => document.settle(),
                };
                document = next.unwrap_or(document);
            }
            document
        },
    )
}

proptest! {
    #[test]
    fn an_order_covers_all_of_event_time_in_ascending_spans(document in document(), member in member(), time in time()) {
        for member in document.owners.iter().map(|owner| owner.member).chain([member]) {
            let order = Order::new(&document, member);
            prop_assert_eq!(order.spans[0].since, EventTime::MIN);
            prop_assert!(order.spans.windows(2).all(|pair| pair[0].since < pair[1].since && pair[0].disposition != pair[1].disposition));
            let (since, until, disposition) = order.span(time);
            prop_assert!(since <= time && (time < until || until == EventTime::MAX));
            prop_assert_eq!(order.disposition(time), disposition);
            let text = serde_json::to_vec(&order).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Order>(&text).unwrap(), order);
        }
    }
}
