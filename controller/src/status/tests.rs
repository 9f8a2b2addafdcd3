//! The view and its text, from documents and reports.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::{Decision, Observation, SILENT_MS, Seen, conduct};
use tidegate_protocol::document::{Document, HandOver, Settings, Terms};
use tidegate_protocol::identity::{
    Attempt, CheckpointId, Color, Epoch, Incarnation, Member, Origin, Snapshot,
};
use tidegate_protocol::report::{FarRecord, GateReport, Report, SlowSubtask, Trouble};
use tidegate_protocol::time::{EventTime, WallTime};

use super::text;
use super::view::View;

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 1);
const NOW: WallTime = WallTime::from_millis(1_000);

fn t(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

fn report(member: Member, frontier: i64) -> Report {
    let slow = SlowSubtask { subtask: 1, watermark: t(frontier + 500), frontier: t(frontier), held: 2 };
    let gate = GateReport {
        parallelism: 2,
        ready: 2,
        ended: 0,
        idle: 0,
        replies: None,
        emitted_high: t(0),
        discarded_high: EventTime::MIN,
        watermark_low: t(frontier + 500),
        watermark_high: EventTime::MAX,
        frontier: t(frontier),
        committed: Some(CheckpointId(3)),
        held: 2,
        full: 0,
        emitted: 7,
        discarded: 8,
        odd: [1, 2, 3],
        furthest: Some(FarRecord { subtask: 1, time: t(4_102_444_800_000) }),
        slowest: vec![slow],
    };
    Report {
        member,
        incarnation: Incarnation(4),
        instance: "i".to_owned(),
        job: "j".to_owned(),
        written: NOW,
        epoch: Some(Epoch(1)),
        origin: Some(Origin::Fresh),
        from_beginning: false,
        event_rate: 0,
        trouble: Vec::new(),
        gates: BTreeMap::from([("orders".to_owned(), gate)]),
    }
}

fn proposed() -> Document {
    let first = Document::first("orders", BLUE, Origin::Fresh, Settings::default());
    let origin = Origin::Snapshot(Snapshot { member: BLUE, checkpoint: CheckpointId(7) });
    let hand_over = HandOver::Ordered;
    let terms = Terms {
        attempt: Attempt(0),
        to: GREEN,
        origin,
        at: t(60_000),
        hand_over,
        proposed: WallTime::default(),
    };
    first.propose(terms, NOW.plus(9_000), Some(3)).unwrap()
}

fn view(document: &Document, seen: &[(Report, u64)]) -> View {
    let reports: BTreeMap<Member, Seen> =
        seen.iter().cloned().map(|(report, silent_ms)| (report.member, Seen { report, silent_ms })).collect();
    let waiting =
        match conduct(Observation { document, reports: &reports, asked: None, paused: false, now: NOW }) {
            Decision::Wait(waiting) => waiting,
            Decision::Change(..) => Vec::new(),
        };
    View::new("directory:///s", document, false, &reports, &waiting, &[])
}

fn roles(view: &View) -> Vec<&'static str> {
    view.members.iter().map(|member| member.role).collect()
}

#[test]
fn the_tree_shows_who_owns_what_and_what_is_waited_for() {
    let document = proposed().commit(NOW).unwrap();
    let tree = text::tree(&view(&document, &[(report(BLUE, 1_000), 0), (report(GREEN, 2_000), 0)]));
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(
        lines,
        [
            "rollout orders (epoch 3, directory:///s)",
            "  cutover committed: attempt 1, blue-1 -> green-1 at 1970-01-01T00:01:00Z",
            "  blue-1 active, owns [-inf, +inf)",
            "    gate orders: 2/2 subtasks, watermark 1970-01-01T00:00:01.5Z, committed 1970-01-01T00:00:01Z, emitted 7, \
             discarded 8, held 2, late 1, dated too far in the future 3 (up to 2100-01-01T00:00:00Z, at subtask 1)",
            "      subtask 1: watermark 1970-01-01T00:00:01.5Z, committed 1970-01-01T00:00:01Z, held 2",
            "  green-1 taking-over, owns nothing",
            "    gate orders: 2/2 subtasks, watermark 1970-01-01T00:00:02.5Z, committed 1970-01-01T00:00:02Z, emitted 7, \
             discarded 8, held 2, late 1, dated too far in the future 3 (up to 2100-01-01T00:00:00Z, at subtask 1)",
            "      subtask 1: watermark 1970-01-01T00:00:02.5Z, committed 1970-01-01T00:00:02Z, held 2",
            "  waiting for blue-1, gate orders, subtask 1: frontier 1970-01-01T00:00:01Z < 1970-01-01T00:01:00Z (watermark \
             1970-01-01T00:00:01.5Z, 2 held)",
        ]
    );
}

#[test]
fn a_member_s_role_follows_from_the_document_and_its_life() {
    let mut closed = report(GREEN, 0);
    closed.trouble = vec![Trouble { code: "HoldFull".to_owned(), message: "3 subtasks wait".to_owned() }];
    let mut starting = report(GREEN, 0);
    starting.epoch = None;
    let first = Document::first("orders", BLUE, Origin::Fresh, Settings::default());
    let blue = (report(BLUE, 0), 0);
    for (document, green, role) in [
        (&first, (report(GREEN, 0), 0), "standby"),
        (&first, (report(GREEN, 0), SILENT_MS), "silent"),
        (&first, (closed.clone(), 0), "closed"),
        (&first, (starting, 0), "starting"),
        (&proposed(), (report(GREEN, 0), 0), "taking-over"),
    ] {
        assert_eq!(roles(&view(document, &[blue.clone(), green])), ["active", role]);
    }
    let done = proposed().commit(NOW).unwrap().finish(NOW).unwrap();
    assert_eq!(roles(&view(&done, &[blue.clone(), (report(GREEN, 0), 0)])), ["former", "active"]);
    assert_eq!(roles(&view(&done, &[])), ["silent", "silent"], "owners that never told are shown too");
    let why = text::why(&view(&first, &[blue, (closed, 0)]));
    assert_eq!(why, "green-1: HoldFull: 3 subtasks wait");
}

#[test]
fn after_a_cutover_both_own_their_part_and_the_past_is_told() {
    let document = proposed().commit(NOW).unwrap().finish(NOW).unwrap();
    let view = view(&document, &[]);
    let parts: Vec<_> =
        view.members.iter().flat_map(|member| &member.owns).map(|part| (part.since, part.until)).collect();
    assert_eq!(parts, [(None, Some(60_000)), (Some(60_000), None)]);
    assert!(view.members.iter().all(|member| !member.retirable));
    assert!(
        text::tree(&view)
            .contains("\n  last: attempt 1, blue-1 -> green-1 at 1970-01-01T00:01:00Z: done after 1.0 s")
    );
}

#[test]
fn json_has_numbers_for_times_and_null_where_there_is_none() {
    let json = serde_json::to_value(view(&proposed(), &[(report(BLUE, 1_000), 12)])).unwrap();
    assert_eq!(
        json["cutover"],
        serde_json::json!({"state": "proposed", "attempt": 1, "from": "blue-1", "to": "green-1", "at": 60000})
    );
    assert_eq!(
        (&json["settled"], &json["members"][0]["owns"][0]["until"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(
        (&json["members"][0]["silent_ms"], &json["members"][1]["silent_ms"]),
        (&serde_json::json!(12), &serde_json::Value::Null)
    );
    let gate = &json["members"][0]["gates"][0];
    assert_eq!(
        (&gate["late"], &gate["untimed"], &gate["future"], &gate["frontier"]),
        (&1.into(), &2.into(), &3.into(), &1000.into())
    );
    assert_eq!(gate["furthest"], serde_json::json!({"subtask": 1, "time": 4_102_444_800_000_i64}));
    assert_eq!(
        (&json["waiting"][0]["for"], &json["waiting"][0]["member"]),
        (&"Acknowledgement".into(), &"blue-1".into())
    );
}
