mod pausing;
mod settling;

use std::collections::BTreeSet;

use super::*;
use crate::document::{HandOver, Outcome, Reclaim, Settings};
use crate::identity::{CheckpointId, Color, Epoch, Incarnation, Origin, Snapshot};
use crate::report::{GateReport, Replies, SlowSubtask, Trouble};

const BLUE: Member = Member::new(Color::Blue, 1);
const BLUE2: Member = Member::new(Color::Blue, 2);
const GREEN: Member = Member::new(Color::Green, 1);
const SNAPSHOT: Snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(7) };

type Reports = BTreeMap<Member, Seen>;
type Damage<'a> = &'a dyn Fn(&mut Reports);

fn t(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

fn w(millis: u64) -> WallTime {
    WallTime::from_millis(millis)
}

fn first() -> Document {
    Document::first("orders", BLUE, Origin::Fresh, Settings { lateness_ms: 10, ..Settings::default() })
}

fn gate(high: i64) -> GateReport {
    GateReport {
        parallelism: 2,
        ready: 2,
        ended: 0,
        idle: 0,
        replies: None,
        emitted_high: t(high),
        discarded_high: t(high),
        watermark_low: t(high),
        watermark_high: t(high),
        frontier: EventTime::MIN,
        committed: None,
        held: 0,
        full: 0,
        emitted: 0,
        discarded: 0,
        odd: [0; 3],
        furthest: None,
        slowest: Vec::new(),
    }
}

fn seen(member: Member, high: i64, origin: Origin) -> Seen {
    let report = Report {
        member,
        incarnation: Incarnation(1),
        instance: "i".to_owned(),
        job: "j".to_owned(),
        written: w(0),
        epoch: Some(Epoch(1)),
        origin: Some(origin),
        from_beginning: false,
        event_rate: 0,
        trouble: Vec::new(),
        gates: BTreeMap::from([("g".to_owned(), gate(high)), ("h".to_owned(), gate(high))]),
    };
    Seen { report, silent_ms: 0 }
}

fn reports(blue: i64, green: i64) -> Reports {
    BTreeMap::from([
        (BLUE, seen(BLUE, blue, Origin::Fresh)),
        (GREEN, seen(GREEN, green, Origin::Snapshot(SNAPSHOT))),
    ])
}

fn gates(reports: &mut Reports, member: Member) -> impl Iterator<Item = &mut GateReport> {
    reports.get_mut(&member).unwrap().report.gates.values_mut()
}

fn acknowledge(reports: &mut Reports, attempt: u64) {
    for member in [BLUE, GREEN] {
        for gate in gates(reports, member) {
            let attempt = Attempt(attempt);
            gate.replies =
                Some(Replies { attempt, acknowledged: 2, refused_high: None, missing: Vec::new() });
        }
    }
}

fn frontier(reports: &mut Reports, member: Member, frontier: EventTime) {
    for gate in gates(reports, member) {
        gate.frontier = frontier;
        gate.watermark_high = gate.watermark_high.max(frontier);
        gate.slowest = vec![SlowSubtask { subtask: 1, watermark: t(1), frontier, held: 3 }];
    }
}

fn promote(at: &str) -> Request {
    Request::Promote { at: at.parse().unwrap(), to: None, hand_over: None }
}

fn decide(document: &Document, reports: &Reports, request: Option<Request>, now: u64) -> Decision {
    let asked = request.map(|request| Asked { id: "r1".to_owned(), request });
    conduct(Observation { document, reports, asked: asked.as_ref(), paused: false, now: w(now) })
}

fn changed(decision: Decision) -> (Document, Step) {
    match decision {
        Decision::Change(document, step) => (*document, step),
        Decision::Wait(waiting) => panic!("waits for {waiting:?}"),
    }
}

fn waits(decision: Decision) -> Vec<String> {
    match decision {
        Decision::Wait(waiting) => waiting.iter().map(Waiting::to_string).collect(),
        Decision::Change(document, step) => panic!("{step:?}: {document:?}"),
    }
}

fn refused(document: &Document, reports: &Reports, request: Request) -> String {
    let (next, step) = changed(decide(document, reports, Some(request), 0));
    assert_eq!(step, Step::Refuse);
    assert_eq!((&next.cutover, &next.owners), (&document.cutover, &document.owners));
    next.answered.unwrap().refusal.unwrap().0
}

fn proposed() -> Document {
    changed(decide(&first(), &reports(100, 50), Some(promote("now")), 0)).0
}

fn committed() -> Document {
    proposed().commit(w(5)).unwrap()
}

fn at(document: &Document) -> EventTime {
    document.terms().unwrap().at
}

#[test]
fn a_request_proposes_above_both_sides_by_the_way_an_order_takes_at_the_event_rate() {
    let document = proposed();
    assert_eq!((at(&document), document.terms().unwrap().to), (t(100 + 1_000), GREEN));
    assert_eq!(document.answered.as_ref().unwrap().attempt, Some(Attempt(1)));
    let mut fast = reports(100, 5_000);
    fast.get_mut(&BLUE).unwrap().report.event_rate = 3_000;
    assert_eq!(at(&changed(decide(&first(), &fast, Some(promote("now")), 0)).0), t(5_000 + 3_000));
    // A standby that catches up sees days of event time go by in seconds.
    fast.get_mut(&GREEN).unwrap().report.event_rate = 200_000;
    assert_eq!(at(&changed(decide(&first(), &fast, Some(promote("now")), 0)).0), t(5_000 + 3_000));
}

#[test]
fn a_person_names_a_boundary_by_time_or_by_distance() {
    let (document, step) = changed(decide(&first(), &reports(100, 50), Some(promote("+30s")), 0));
    assert_eq!((at(&document), step), (t(30_100), Step::Propose));
    let (document, _) = changed(decide(&first(), &reports(100, 50), Some(promote("101")), 0));
    assert_eq!(at(&document), t(101));
    assert!(matches!(document.cutover, Some(Cutover::Proposed { tries_left: None, .. })));
    assert_eq!(refused(&first(), &reports(100, 50), promote("100")), "BoundaryInPast");
}

#[test]
fn a_named_boundary_is_refused_and_never_widened() {
    let (document, _) = changed(decide(&first(), &reports(100, 50), Some(promote("200")), 0));
    let mut late = reports(300, 50);
    refuse(&mut late, 1, 300);
    let (next, step) = changed(decide(&document, &late, None, 1));
    assert_eq!((step, next.cutover.is_none()), (Step::Abort, true));
    assert!(matches!(&next.history[0].outcome, Outcome::Aborted { code, .. } if code == "BoundaryInPast"));
}

fn refuse(reports: &mut Reports, attempt: u64, high: i64) {
    acknowledge(reports, attempt);
    let gate = gates(reports, BLUE).next().unwrap();
    let replies = gate.replies.as_mut().unwrap();
    (replies.acknowledged, replies.refused_high, replies.missing) = (1, Some(t(high)), vec![1]);
}

#[test]
fn a_standby_must_be_one_alive_complete_and_started_from_a_snapshot() {
    let good = reports(100, 50);
    let only = |reports: &mut Reports| drop(reports.remove(&GREEN));
    let silent = |reports: &mut Reports| reports.get_mut(&GREEN).unwrap().silent_ms = SILENT_MS;
    let two = |reports: &mut Reports| drop(reports.insert(BLUE2, seen(BLUE2, 5, Origin::Snapshot(SNAPSHOT))));
    let fresh = |reports: &mut Reports| reports.get_mut(&GREEN).unwrap().report.origin = Some(Origin::Fresh);
    let fewer = |reports: &mut Reports| drop(reports.get_mut(&GREEN).unwrap().report.gates.pop_first());
    let unready = |reports: &mut Reports| gates(reports, GREEN).for_each(|gate| gate.ready = 1);
    let unread = |reports: &mut Reports| reports.get_mut(&GREEN).unwrap().report.epoch = None;
    let trouble = |reports: &mut Reports| {
        let trouble = Trouble { code: "WrongState".to_owned(), message: String::new() };
        reports.get_mut(&GREEN).unwrap().report.trouble.push(trouble);
    };
    let dead = |reports: &mut Reports| drop(reports.remove(&BLUE));
    let cases: [(Damage, &str); 10] = [
        (&only, "NoStandby"),
        (&silent, "NoStandby"),
        (&two, "StandbyAmbiguous"),
        (&fresh, "StandbyWithoutSnapshot"),
        (&fewer, "GatesDiffer"),
        (&unready, "StandbyClosed"),
        (&unread, "StandbyClosed"),
        (&trouble, "StandbyClosed"),
        (&dead, "MemberNotAlive"),
        (&|_| (), ""),
    ];
    for (damage, code) in cases {
        let mut reports = good.clone();
        damage(&mut reports);
        if code.is_empty() {
            assert_eq!(changed(decide(&first(), &reports, Some(promote("now")), 0)).1, Step::Propose);
        } else {
            assert_eq!(refused(&first(), &reports, promote("now")), code);
        }
    }
}

#[test]
fn a_fresh_standby_may_take_over_when_its_sources_start_at_the_beginning() {
    let mut reports = reports(100, 50);
    let report = &mut reports.get_mut(&GREEN).unwrap().report;
    (report.origin, report.from_beginning) = (Some(Origin::Fresh), true);
    assert_eq!(changed(decide(&first(), &reports, Some(promote("now")), 0)).1, Step::Propose);
}

#[test]
fn a_named_standby_may_not_be_the_active_member_or_a_stranger() {
    let to = |to| Request::Promote { at: When::Now, to: Some(to), hand_over: Some(HandOver::Overlapped) };
    assert_eq!(refused(&first(), &reports(100, 50), to(BLUE)), "AlreadyActive");
    assert_eq!(refused(&first(), &reports(100, 50), to(BLUE2)), "MemberNotAlive");
    let (document, _) = changed(decide(&first(), &reports(100, 50), Some(to(GREEN)), 0));
    assert_eq!(document.terms().unwrap().hand_over, HandOver::Overlapped);
}

#[test]
fn without_event_time_or_at_its_very_end_nothing_is_proposed() {
    for high in [i64::MIN, i64::MAX, i64::MAX - 1] {
        assert_eq!(refused(&first(), &reports(high, high), promote("now")), "NoEventTime");
    }
}

/// F7.
#[test]
fn a_boundary_above_a_record_from_the_far_future_must_be_named() {
    let year = 365 * 86_400_000;
    let mut poisoned = reports(100, 50);
    gates(&mut poisoned, BLUE).for_each(|gate| gate.emitted_high = t(year));
    for chosen in ["now", "+30s"] {
        assert_eq!(refused(&first(), &poisoned, promote(chosen)), "FarFuture");
    }
    let named = promote(&(year + 1).to_string());
    assert_eq!(changed(decide(&first(), &poisoned, Some(named), 0)).1, Step::Propose);
    let report = &mut poisoned.get_mut(&BLUE).unwrap().report;
    report.event_rate = year / 600;
    assert_eq!(changed(decide(&first(), &poisoned, Some(promote("now")), 0)).1, Step::Propose);
}

/// F7: the record comes after the proposal, or there is no watermark yet to compare it with.
#[test]
fn no_boundary_is_chosen_above_a_record_from_the_far_future_that_is_seen_late() {
    let (mut late, high) = (reports(100, 50), t(365 * 86_400_000));
    acknowledge(&mut late, 1);
    gates(&mut late, BLUE).for_each(|gate| {
        gate.emitted_high = high;
        gate.replies.as_mut().unwrap().refused_high = Some(high);
    });
    let document = changed(decide(&proposed(), &late, None, 2)).0;
    assert!(matches!(&document.history[0].outcome, Outcome::Aborted { code, .. } if code == "FarFuture"));
    gates(&mut late, BLUE).for_each(|gate| gate.watermark_high = EventTime::MIN);
    assert_eq!(refused(&first(), &late, promote("now")), "NoEventTime");
}

/// P27.
#[test]
fn a_request_is_answered_once() {
    let document = proposed().abort("Asked", "asked for", w(1)).unwrap();
    assert_eq!(waits(decide(&document, &reports(100, 50), Some(promote("now")), 2)), [""; 0]);
    let refusal = changed(decide(&first(), &Reports::new(), Some(promote("now")), 0)).0;
    assert_eq!(waits(decide(&refusal, &reports(100, 50), Some(promote("now")), 2)), [""; 0]);
    let asked = Asked { id: "r2".to_owned(), request: promote("now") };
    let reports = reports(100, 50);
    let observation =
        Observation { document: &refusal, reports: &reports, asked: Some(&asked), paused: false, now: w(3) };
    assert_eq!(changed(conduct(observation)).1, Step::Propose);
}

/// P11.
#[test]
fn an_abort_ends_a_proposal_and_nothing_else() {
    let abort = |attempt: Option<u64>| Request::Abort { attempt: attempt.map(Attempt) };
    let asked = |document: &Document, request| {
        let document = Document { answered: None, ..document.clone() };
        changed(decide(&document, &reports(100, 50), Some(request), 0))
    };
    let (next, step) = asked(&proposed(), abort(None));
    assert_eq!((step, next.cutover.is_none()), (Step::Abort, true));
    assert_eq!(asked(&proposed(), abort(Some(1))).1, Step::Abort);
    for (document, request, code) in [
        (first(), abort(None), "NothingToAbort"),
        (proposed(), abort(Some(2)), "OtherAttempt"),
        (committed(), abort(None), "AlreadyCommitted"),
        (proposed(), promote("now"), "CutoverUnderWay"),
    ] {
        let document = Document { answered: None, ..document };
        assert_eq!(refused(&document, &reports(100, 50), request), code);
    }
}

/// P4.
#[test]
fn a_commit_needs_every_subtask_of_every_gate_of_both_for_this_attempt() {
    let mut all = reports(100, 50);
    acknowledge(&mut all, 1);
    assert_eq!(changed(decide(&proposed(), &all, None, 1)).1, Step::Commit);

    for member in [BLUE, GREEN] {
        let mut missing = all.clone();
        let replies = gates(&mut missing, member).next().unwrap().replies.as_mut().unwrap();
        (replies.acknowledged, replies.missing) = (1, vec![1]);
        let expected =
            format!("{member}, gate g, subtask 1: has not acknowledged attempt 1 (1 of 2 have, 2 are ready)");
        assert_eq!(waits(decide(&proposed(), &missing, None, 1)), [expected]);

        let mut gone = all.clone();
        gone.remove(&member);
        assert_eq!(waits(decide(&proposed(), &gone, None, 1)), [format!("{member}: it has never reported")]);

        let mut silent = all.clone();
        silent.get_mut(&member).unwrap().silent_ms = 9_000;
        assert_eq!(
            waits(decide(&proposed(), &silent, None, 1)),
            [format!("{member}: no sign of life for 9 s")]
        );
    }
}

/// P10, P12.
#[test]
fn acknowledgements_of_another_attempt_do_not_count() {
    let mut other = reports(100, 50);
    acknowledge(&mut other, 2);
    assert_eq!(waits(decide(&proposed(), &other, None, 1)).len(), 8);
    acknowledge(&mut other, 1);
    let again = proposed().propose(proposed().terms().unwrap().clone(), w(9), None).unwrap();
    assert_eq!(waits(decide(&again, &other, None, 1)).len(), 8);
}

/// P4.
#[test]
fn a_gate_that_has_not_opened_is_waited_for() {
    for replies in
        [None, Some(Replies { attempt: Attempt(1), acknowledged: 0, refused_high: None, missing: vec![] })]
    {
        let mut reports = reports(100, 50);
        acknowledge(&mut reports, 1);
        let gate = gates(&mut reports, GREEN).next().unwrap();
        (gate.parallelism, gate.ready, gate.replies) = (0, 0, replies);
        assert_eq!(waits(decide(&proposed(), &reports, None, 1)).len(), 1);
    }
}

/// P2.
#[test]
fn a_refusal_proposes_higher_with_twice_the_margin_until_the_tries_are_used_up() {
    let mut document = proposed();
    let mut margins = Vec::new();
    for attempt in 1.. {
        let high = at(&document).as_millis() + 7;
        let mut refusing = reports(100, 50);
        refuse(&mut refusing, attempt, high);
        let (next, step) = changed(decide(&document, &refusing, None, 1));
        if step == Step::Abort {
            assert!(matches!(&next.history[0].outcome, Outcome::Aborted { code, .. } if code == "GaveUp"));
            break;
        }
        assert_eq!((step, next.terms().unwrap().attempt), (Step::ProposeHigher, Attempt(attempt + 1)));
        margins.push(at(&next).as_millis() - high);
        document = next;
    }
    assert_eq!(margins, [2_000, 4_000, 8_000, 16_000, 32_000]);
}

/// C5.
#[test]
fn at_the_deadline_a_proposal_is_aborted_with_the_list() {
    let (next, step) = changed(decide(&proposed(), &reports(100, 50), None, 30_000));
    assert_eq!(step, Step::Abort);
    let Outcome::Aborted { code, message } = &next.history[0].outcome else { panic!("{next:?}") };
    assert!(code == "DeadlinePassed" && message.contains("green-1, gate h, subtask 1: "), "{message}");
}

#[test]
fn a_standby_that_was_started_anew_aborts_the_proposal() {
    let mut reports = reports(100, 50);
    acknowledge(&mut reports, 1);
    let other = Snapshot { checkpoint: CheckpointId(9), ..SNAPSHOT };
    reports.get_mut(&GREEN).unwrap().report.origin = Some(Origin::Snapshot(other));
    assert_eq!(changed(decide(&proposed(), &reports, None, 1)).1, Step::Abort);
}

/// P1, P5, P32.
#[test]
fn finish_needs_the_committed_frontier_of_from_and_not_its_watermark() {
    let mut reports = reports(5_000, 5_000);
    frontier(&mut reports, BLUE, t(1_099));
    let waiting = waits(decide(&committed(), &reports, None, 6));
    assert_eq!(
        waiting[0],
        "blue-1, gate g, subtask 1: frontier 1970-01-01T00:00:01.099Z < 1970-01-01T00:00:01.100Z \
         (watermark 1970-01-01T00:00:00.001Z, 3 held)"
            .replace("01.100Z", "01.1Z")
    );
    gates(&mut reports, BLUE).next().unwrap().frontier = t(1_100);
    assert_eq!(waits(decide(&committed(), &reports, None, 6)).len(), 1);
    frontier(&mut reports, BLUE, t(1_100));
    reports.remove(&GREEN);
    let (next, step) = changed(decide(&committed(), &reports, None, 6));
    assert_eq!((step, next.active().member, next.active().since), (Step::Finish, GREEN, t(1_100)));
}

/// C5.
#[test]
fn a_committed_cutover_that_lasts_is_overdue_and_never_guessed() {
    let waiting = waits(decide(&committed(), &reports(100, 50), None, 600_005));
    assert!(waiting[0].contains("committed 600 s ago"), "{waiting:?}");
    assert!(waiting.len() > 1);
}

/// P20.
#[test]
fn a_reverse_cutover_is_above_both_sides_highs_and_needs_no_snapshot() {
    let mut document = committed().finish(w(6)).unwrap();
    document.answered = None;
    let mut reports = reports(2_000, 0);
    gates(&mut reports, GREEN).for_each(|gate| gate.emitted_high = t(9_000));
    let (next, step) = changed(decide(&document, &reports, Some(promote("now")), 7));
    assert_eq!((step, at(&next), next.terms().unwrap().to), (Step::Propose, t(10_000), BLUE));

    gates(&mut reports, BLUE).for_each(|gate| gate.discarded_high = t(20_000));
    let (next, _) = changed(decide(&document, &reports, Some(promote("now")), 7));
    assert_eq!(at(&next), t(21_000));

    let settled = document.settle().unwrap();
    assert_eq!(changed(decide(&settled, &reports, Some(promote("now")), 7)).1, Step::Propose);
}

/// P26.
#[test]
fn nothing_is_built_on_a_document_that_is_older_than_one_that_was_followed() {
    let mut reports = reports(100, 50);
    reports.get_mut(&GREEN).unwrap().report.epoch = Some(Epoch(4));
    let waiting = waits(decide(&proposed(), &reports, Some(promote("now")), 60_000));
    assert_eq!(waiting, ["green-1: it has followed epoch 4, but the document has epoch 2"]);
}

/// P33, P34.
#[test]
fn after_a_reclaim_the_new_generation_is_from() {
    let document = committed().finish(w(6)).unwrap();
    let reclaim = Reclaim { dead: GREEN, frontier: t(1_500), by: BLUE2, snapshot: SNAPSHOT };
    let (document, since) = document.reclaim(&reclaim).unwrap();
    assert_eq!(since, t(1_490));
    let mut reports = reports(1_600, 50);
    reports.remove(&GREEN);
    reports.insert(BLUE2, seen(BLUE2, 1_600, Origin::Snapshot(SNAPSHOT)));
    frontier(&mut reports, BLUE, t(1_110));
    frontier(&mut reports, BLUE2, t(1_110));
    let (document, step) = changed(decide(&document, &reports, None, 8));
    assert_eq!((step, document.gone.contains(&GREEN)), (Step::Settle, true));
}
