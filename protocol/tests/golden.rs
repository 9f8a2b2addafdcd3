//! What is written down stays readable: golden files that Rust and Java both read. `UPDATE_GOLDEN=1` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_protocol::conductor::Asked;
use tidegate_protocol::document::{Answer, Document, HandOver, LatePolicy, Reclaim, Settings, Terms};
use tidegate_protocol::documents::v1;
use tidegate_protocol::edit::{self, Keys, Turn};
use tidegate_protocol::identity::{
    Attempt, CheckpointId, Color, Epoch, Incarnation, Member, Origin, Snapshot,
};
use tidegate_protocol::member::{Event, Evidence};
use tidegate_protocol::order::Order;
use tidegate_protocol::report::{FarRecord, GateReport, Replies, Report, SlowSubtask, Trouble};
use tidegate_protocol::request::Request;
use tidegate_protocol::subtask::{Header, Reply, Status};
use tidegate_protocol::time::{EventTime, WallTime, When};

const BLUE: Member = Member::new(Color::Blue, 1);
const BLUE2: Member = Member::new(Color::Blue, 2);
const GREEN: Member = Member::new(Color::Green, 1);
const SNAPSHOT: Snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(7) };
const NOON: i64 = 1_772_366_400_000;
const NONCE: &str = "b9c7d0c2";

fn t(seconds: i64) -> EventTime {
    EventTime::from_millis(NOON + seconds * 1_000)
}

fn w(seconds: i64) -> WallTime {
    WallTime::from_millis((NOON + seconds * 1_000) as u64)
}

fn golden(name: &str, written: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(String::from_utf8_lossy(written), expected, "{name} is written differently");
}

fn first() -> Document {
    Document::first("orders", BLUE, Origin::Fresh, Settings::default())
}

fn propose(document: &Document, to: Member, origin: Origin, at: i64) -> Document {
    let terms = Terms {
        attempt: Attempt(0),
        to,
        origin,
        at: t(at),
        hand_over: HandOver::Ordered,
        proposed: w(at - 5),
    };
    document.propose(terms, w(at + 25), Some(5)).unwrap()
}

fn proposed() -> Document {
    let answer = Answer { request: "4711".to_owned(), attempt: Some(Attempt(1)), refusal: None };
    propose(&first(), GREEN, Origin::Snapshot(SNAPSHOT), 0).with_answer(answer)
}

fn committed() -> Document {
    proposed().commit(w(1)).unwrap()
}

fn there_and_back() -> Document {
    let document = committed().finish(w(9)).unwrap();
    propose(&document, BLUE, Origin::Fresh, 60).commit(w(61)).unwrap().finish(w(69)).unwrap()
}

fn reclaimed() -> Document {
    let mut document = there_and_back().settle().unwrap();
    document.settings =
        Settings { hand_over: HandOver::Overlapped, late: LatePolicy::Drop, ..document.settings };
    let named = Document { cutover: None, ..propose(&document, GREEN, Origin::Snapshot(SNAPSHOT), 120) };
    let refusal = Some(("NoStandby".to_owned(), "no other member is alive".to_owned()));
    let aborted = propose(&named, GREEN, Origin::Snapshot(SNAPSHOT), 180)
        .abort("DeadlinePassed", "not everybody acknowledged in time", w(181))
        .unwrap()
        .with_answer(Answer { request: "4712".to_owned(), attempt: None, refusal });
    let reclaim = Reclaim { dead: BLUE, frontier: t(150), by: BLUE2, snapshot: SNAPSHOT };
    aborted.reclaim(&reclaim).unwrap().0
}

#[test]
fn documents_are_written_and_read_as_ever() {
    for (name, document) in [
        ("document-v1-first.json", first()),
        ("document-v1-proposed.json", proposed()),
        ("document-v1-committed.json", committed()),
        ("document-v1-there-and-back.json", there_and_back()),
        ("document-v1-settled.json", there_and_back().settle().unwrap()),
        ("document-v1-reclaimed.json", reclaimed()),
    ] {
        let written = v1::write_document(&document, NONCE);
        golden(name, &written);
        assert_eq!(v1::read_document(&written).unwrap(), (document, NONCE.to_owned()));
    }
    assert_eq!(reclaimed().gone, BTreeSet::from([BLUE]));
}

fn report() -> Report {
    let gate = GateReport {
        parallelism: 4,
        ready: 3,
        ended: 1,
        idle: 1,
        replies: Some(Replies {
            attempt: Attempt(1),
            acknowledged: 2,
            refused_high: Some(t(3)),
            missing: vec![1, 3],
        }),
        emitted_high: t(-1),
        discarded_high: EventTime::MIN,
        watermark_low: t(-9),
        watermark_high: EventTime::MAX,
        frontier: t(-30),
        committed: Some(CheckpointId(12)),
        held: 17,
        full: 0,
        emitted: 100_000,
        discarded: 0,
        odd: [1, 2, 3],
        furthest: Some(FarRecord { subtask: 1, time: t(4_102_444_800_000) }),
        slowest: vec![SlowSubtask { subtask: 3, watermark: t(-9), frontier: t(-30), held: 17 }],
    };
    Report {
        member: BLUE,
        incarnation: Incarnation(3),
        instance: "8f14e45f".to_owned(),
        job: "a1b2c3".to_owned(),
        written: w(0),
        epoch: Some(Epoch(2)),
        origin: Some(Origin::Snapshot(SNAPSHOT)),
        from_beginning: false,
        event_rate: 1_000,
        trouble: vec![Trouble { code: "HoldFull".to_owned(), message: "1 subtasks hold".to_owned() }],
        gates: BTreeMap::from([("orders".to_owned(), gate)]),
    }
}

#[test]
fn reports_are_written_and_read_as_ever() {
    let written = v1::write_report(&report());
    golden("report-v1.json", &written);
    assert_eq!(v1::read_report(&written).unwrap(), report());
    let more = String::from_utf8(written).unwrap().replacen('{', "{\"newer\": 1, ", 1);
    assert_eq!(v1::read_report(more.as_bytes()).unwrap(), report());
}

#[test]
fn requests_are_written_and_read_as_ever() {
    let text = |keys: &Keys| (serde_json::to_string_pretty(keys).unwrap() + "\n").into_bytes();
    let promote = |at, to, hand_over| Request::Promote { at, to, hand_over };
    for (name, request) in [
        ("request-promote-now.json", promote(When::Now, None, None)),
        ("request-promote-in.json", promote(When::In(30_000), Some(GREEN), Some(HandOver::Overlapped))),
        ("request-promote-at.json", promote(When::At(t(0)), Some(GREEN), Some(HandOver::Ordered))),
        ("request-abort.json", Request::Abort { attempt: None }),
        ("request-abort-one.json", Request::Abort { attempt: Some(Attempt(3)) }),
    ] {
        let keys = edit::ask(&Keys::new(), &request, "1").unwrap();
        golden(name, &text(&keys));
        let last = Answer { request: "0".to_owned(), attempt: None, refusal: None };
        let Turn::Put(taken) = edit::turn(&keys, Some(&last), "unused") else {
            panic!("{keys:?} is not taken")
        };
        let name = name.replace("request", "request-taken");
        golden(&name, &text(&taken));
        let asked = Asked { id: "1".to_owned(), request };
        assert_eq!(edit::turn(&taken, Some(&last), "unused"), Turn::Answer(asked));
    }
}

#[test]
fn headers_are_written_and_read_as_ever() {
    let header = Header {
        member: GREEN,
        checkpoint: CheckpointId(12),
        origin: Origin::Snapshot(SNAPSHOT),
        epoch: Epoch(4),
        emitted_high: EventTime::MIN,
        discarded_high: t(-1),
        seen_high: t(2),
        watermark: t(-9),
        frontier: EventTime::MAX,
    };
    let written = v1::write_header(&header);
    golden("header-v1.json", &written);
    assert_eq!(v1::read_header(&written).unwrap(), header);
}

fn message<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let mut written = serde_json::to_vec_pretty(message).unwrap();
    written.push(b'\n');
    golden(name, &written);
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), *message);
}

#[test]
fn messages_are_written_and_read_as_ever() {
    for (name, order) in [
        ("order-emit-all.json", Order::new(&first(), BLUE)),
        ("order-discard-all.json", Order::new(&first(), GREEN)),
        ("order-proposed-from.json", Order::new(&proposed(), BLUE)),
        ("order-proposed-to.json", Order::new(&proposed(), GREEN)),
        ("order-committed-from.json", Order::new(&committed(), BLUE)),
        ("order-committed-to-ordered.json", Order::new(&committed(), GREEN)),
        ("order-adopt.json", Order::new(&reclaimed(), BLUE2)),
        ("order-closed.json", Order::closed(Epoch(2))),
    ] {
        message(name, &order);
    }
    message("status.json", &status());
}

fn status() -> Status {
    Status {
        epoch: Some(Epoch(2)),
        known: Epoch(2),
        origin: Origin::Fresh,
        reply: Some(Reply { attempt: Attempt(1), acknowledged: true, high: t(-1) }),
        emitted_high: t(-1),
        discarded_high: EventTime::MIN,
        watermark: t(-9),
        idle: false,
        ended: false,
        held: 2,
        full: false,
        snapshots: vec![(CheckpointId(11), t(-40)), (CheckpointId(12), t(-30))],
        emitted: 100_000,
        discarded: 0,
        odd: [1, 2, 3],
        future_time: Some(t(4_102_444_800_000)),
    }
}

/// One of each kind that crosses from a job to its agent.
#[test]
fn events_are_written_and_read_as_ever() {
    let gate = || "orders".to_owned();
    let (subtask, attempt, checkpoint) = (3, 1, CheckpointId(12));
    for (name, event) in [
        (
            "event-gate-opened.json",
            Event::GateOpened { gate: gate(), parallelism: 4, evidence: Evidence::Committer },
        ),
        ("event-committers-opened.json", Event::CommittersOpened { gate: gate(), parallelism: 4 }),
        ("event-subtask-ready.json", Event::SubtaskReady { gate: gate(), subtask, attempt, parallelism: 4 }),
        ("event-subtask-gone.json", Event::SubtaskGone { gate: gate(), subtask }),
        (
            "event-subtask-status.json",
            Event::SubtaskStatus { gate: gate(), subtask, attempt, status: status() },
        ),
        ("event-committed.json", Event::Committed { gate: gate(), subtask, checkpoint }),
        ("event-checkpoint-completed.json", Event::CheckpointCompleted { gate: gate(), checkpoint }),
        ("event-reset.json", Event::Reset { gate: gate() }),
    ] {
        assert_eq!(event.check(), Ok(()));
        message(name, &event);
    }
}

/// What a newer version writes is not guessed at.
#[test]
fn a_newer_version_of_each_versioned_object_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["document-v1-first.json", "report-v1.json", "header-v1.json"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let newer = text.replacen("\"version\": 1", "\"version\": 2, \"more\": {}", 1);
        assert_ne!(newer, text, "{name} has no version");
        let error = match name.split('-').next() {
            Some("document") => v1::read_document(newer.as_bytes()).unwrap_err(),
            Some("report") => v1::read_report(newer.as_bytes()).unwrap_err(),
            _ => v1::read_header(newer.as_bytes()).unwrap_err(),
        };
        assert_eq!(error.code(), "DocumentVersion");
        assert!(error.to_string().contains("has version 2"), "{error}");
    }
}
