use super::*;
use crate::document::{Document, HandOver, LatePolicy, Reclaim, Settings, Terms};
use crate::identity::{Attempt, Color, Snapshot};

mod odd;

type Gate = Subtask<&'static str>;

const BLUE: Member = Member::new(Color::Blue, 1);
const BLUE2: Member = Member::new(Color::Blue, 2);
const GREEN: Member = Member::new(Color::Green, 1);
const NOW: WallTime = WallTime::from_millis(0);
const SNAPSHOT: Snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(7) };

fn t(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

fn first() -> Document {
    Document::first("orders", BLUE, Origin::Fresh, Settings::default())
}

fn proposed(document: &Document, to: Member, at: i64, hand_over: HandOver) -> Document {
    let origin = Origin::Snapshot(SNAPSHOT);
    let terms = Terms { attempt: Attempt(0), to, origin, at: t(at), hand_over, proposed: NOW };
    document.propose(terms, NOW, Some(3)).unwrap()
}

fn committed(at: i64, hand_over: HandOver) -> Document {
    proposed(&first(), GREEN, at, hand_over).commit(NOW).unwrap()
}

fn gate(member: Member) -> Gate {
    Subtask::new(member, Limits { idle_after_ms: 100, ..Limits::default() }, &[], Vec::new()).unwrap()
}

fn step(gate: &mut Gate, event: Event<&'static str>) -> Vec<Effect<&'static str>> {
    let mut effects = Vec::new();
    gate.step(event, &mut effects);
    effects
}

fn order(gate: &mut Gate, document: &Document) -> Vec<Effect<&'static str>> {
    let member = gate.member;
    step(gate, Event::Order(Order::new(document, member)))
}

fn following(member: Member, document: &Document) -> Gate {
    let mut gate = gate(member);
    order(&mut gate, document);
    gate
}

fn record(gate: &mut Gate, time: i64, record: &'static str) -> Vec<Effect<&'static str>> {
    step(gate, Event::Record { time: Some(t(time)), bytes: 10, record })
}

fn watermark(gate: &mut Gate, time: i64) -> Vec<Effect<&'static str>> {
    step(gate, Event::Watermark(t(time)))
}

fn snapshot(gate: &mut Gate, id: u64, now: u64) -> Header {
    step(gate, Event::Snapshot(CheckpointId(id), WallTime::from_millis(now)));
    gate.header(CheckpointId(id))
}

fn emit(record: &'static str) -> Effect<&'static str> {
    Effect::Dispose(Disposition::Emit, record)
}

fn discard(record: &'static str) -> Effect<&'static str> {
    Effect::Dispose(Disposition::Discard, record)
}

fn frontier(gate: &Gate) -> EventTime {
    gate.status().snapshots.last().unwrap().1
}

/// P9.
#[test]
fn before_the_first_order_it_holds_and_forwards_no_watermark() {
    let mut gate = gate(BLUE);
    assert_eq!(record(&mut gate, 5, "a"), []);
    assert_eq!(watermark(&mut gate, 9), []);
    assert_eq!(step(&mut gate, Event::Idle(true, NOW)), []);
    assert_eq!(gate.lease(), None);
    assert_eq!(order(&mut gate, &first()), [emit("a"), Effect::Watermark(t(9)), Effect::Idle(true)]);
}

/// P2.
#[test]
fn from_acknowledges_only_above_what_it_has_emitted() {
    let mut gate = following(BLUE, &first());
    record(&mut gate, 99, "a");
    order(&mut gate, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    assert_eq!(gate.status().reply, Some(Reply { attempt: Attempt(1), acknowledged: true, high: t(99) }));

    let mut ahead = following(BLUE, &first());
    record(&mut ahead, 100, "b");
    order(&mut ahead, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    assert_eq!(ahead.status().reply, Some(Reply { attempt: Attempt(1), acknowledged: false, high: t(100) }));
}

/// P3.
#[test]
fn to_acknowledges_only_above_what_it_has_discarded() {
    let mut gate = following(GREEN, &first());
    assert_eq!(record(&mut gate, 100, "a"), [discard("a")]);
    order(&mut gate, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    assert_eq!(gate.status().reply, Some(Reply { attempt: Attempt(1), acknowledged: false, high: t(100) }));
    let mut document = proposed(&first(), GREEN, 100, HandOver::Ordered);
    document = proposed(&document, GREEN, 101, HandOver::Ordered);
    order(&mut gate, &document);
    assert_eq!(gate.status().reply, Some(Reply { attempt: Attempt(2), acknowledged: true, high: t(100) }));
}

#[test]
fn the_fast_path_counts_for_the_acknowledgement() {
    let mut gate = following(BLUE, &first());
    let passed = Passed { emitted: 3, emitted_high: Some(t(120)), ..Passed::default() };
    step(&mut gate, Event::Passed(passed));
    order(&mut gate, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    assert!(!gate.status().reply.unwrap().acknowledged);
    assert_eq!((gate.counts().emitted, gate.status().emitted_high), (3, t(120)));
}

#[test]
fn from_the_acknowledgement_on_it_holds_from_the_boundary_on() {
    for (member, below) in [(BLUE, emit("a")), (GREEN, discard("a"))] {
        let mut gate = following(member, &proposed(&first(), GREEN, 100, HandOver::Ordered));
        assert_eq!(record(&mut gate, 99, "a"), [below]);
        assert_eq!(record(&mut gate, 100, "b"), []);
        assert_eq!(gate.held().len(), 1);
        assert!(gate.status().reply.unwrap().acknowledged);
    }
}

#[test]
fn an_abort_releases_in_arrival_order_to_whoever_owned() {
    let document = proposed(&first(), GREEN, 100, HandOver::Ordered);
    for (member, disposition) in [(BLUE, Disposition::Emit), (GREEN, Disposition::Discard)] {
        let mut gate = following(member, &document);
        for (time, name) in [(120, "b"), (100, "a"), (130, "c")] {
            record(&mut gate, time, name);
        }
        let released = order(&mut gate, &document.abort("Asked", "asked for", NOW).unwrap());
        assert_eq!(released, ["b", "a", "c"].map(|name| Effect::Dispose(disposition, name)));
        assert_eq!(gate.status().reply, None);
    }
}

#[test]
fn overlapped_opens_the_new_owner_at_the_commit_held_ones_first() {
    let mut to = following(GREEN, &proposed(&first(), GREEN, 100, HandOver::Overlapped));
    record(&mut to, 120, "b");
    record(&mut to, 110, "a");
    assert_eq!(order(&mut to, &committed(100, HandOver::Overlapped)), [emit("b"), emit("a")]);
    assert_eq!(record(&mut to, 100, "c"), [emit("c")]);
}

/// P15.
#[test]
fn ordered_opens_the_new_owner_only_at_finish() {
    let mut to = following(GREEN, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    record(&mut to, 120, "b");
    let document = committed(100, HandOver::Ordered);
    assert_eq!(order(&mut to, &document), []);
    assert_eq!(record(&mut to, 110, "a"), []);
    assert_eq!(order(&mut to, &document.finish(NOW).unwrap()), [emit("b"), emit("a")]);
}

#[test]
fn a_commit_discards_what_from_holds() {
    let mut from = following(BLUE, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    record(&mut from, 120, "a");
    assert_eq!(order(&mut from, &committed(100, HandOver::Ordered)), [discard("a")]);
    assert_eq!(record(&mut from, 99, "b"), [emit("b")]);
}

/// P16.
#[test]
fn a_watermark_stops_at_the_boundary_and_at_the_lowest_held_record() {
    let document = proposed(&first(), GREEN, 100, HandOver::Ordered);
    let mut gate = following(BLUE, &document);
    assert_eq!(watermark(&mut gate, 90), [Effect::Watermark(t(90))]);
    assert_eq!(watermark(&mut gate, 150), [Effect::Watermark(t(100))]);
    assert_eq!(watermark(&mut gate, 160), []);
    let released = order(&mut gate, &document.abort("Asked", "", NOW).unwrap());
    assert_eq!(released, [Effect::Watermark(t(160))]);
}

#[test]
fn what_was_held_leaves_before_the_watermark_that_waited_for_it() {
    let document = proposed(&first(), GREEN, 100, HandOver::Ordered);
    let mut gate = following(BLUE, &document);
    record(&mut gate, 110, "a");
    watermark(&mut gate, 150);
    let released = order(&mut gate, &document.abort("Asked", "", NOW).unwrap());
    assert_eq!(released, [emit("a"), Effect::Watermark(t(150))]);
}

#[test]
fn it_does_not_become_idle_while_it_may_hold() {
    let document = proposed(&first(), GREEN, 100, HandOver::Ordered);
    let mut gate = following(BLUE, &document);
    assert_eq!(step(&mut gate, Event::Idle(true, NOW)), []);
    assert_eq!(order(&mut gate, &document.abort("Asked", "", NOW).unwrap()), [Effect::Idle(true)]);
    assert_eq!(step(&mut gate, Event::Idle(false, NOW)), [Effect::Idle(false)]);
}

/// P32.
#[test]
fn the_frontier_of_a_snapshot_is_the_lower_of_watermark_and_lowest_held() {
    let mut gate = gate(BLUE);
    record(&mut gate, 5, "a");
    watermark(&mut gate, 50);
    assert_eq!(snapshot(&mut gate, 1, 0).frontier, t(5));
    order(&mut gate, &first());
    assert_eq!(snapshot(&mut gate, 2, 0).frontier, t(50));
    assert_eq!(gate.status().snapshots, [(CheckpointId(1), t(5)), (CheckpointId(2), t(50))]);
}

/// P28.
#[test]
fn an_ended_subtask_has_no_frontier_once_nothing_is_held() {
    let mut gate = following(BLUE, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    record(&mut gate, 120, "a");
    watermark(&mut gate, 130);
    step(&mut gate, Event::EndOfInput);
    snapshot(&mut gate, 1, 0);
    assert_eq!(frontier(&gate), t(120));
    order(&mut gate, &committed(100, HandOver::Ordered));
    snapshot(&mut gate, 2, 0);
    assert_eq!(frontier(&gate), EventTime::MAX);
}

/// P28: the end of the input is no order.
#[test]
fn an_ended_subtask_without_an_order_keeps_its_frontier() {
    let mut gate = gate(BLUE);
    watermark(&mut gate, 10);
    step(&mut gate, Event::EndOfInput);
    snapshot(&mut gate, 1, 0);
    assert_eq!(frontier(&gate), t(10));
}

/// P8.
#[test]
fn a_subtask_that_is_idle_for_long_has_no_frontier_until_it_wakes() {
    let mut gate = following(BLUE, &first());
    watermark(&mut gate, 10);
    step(&mut gate, Event::Idle(true, NOW));
    snapshot(&mut gate, 1, 99);
    assert_eq!(frontier(&gate), t(10));
    snapshot(&mut gate, 2, 100);
    assert_eq!(frontier(&gate), EventTime::MAX);
    assert_eq!(gate.header(CheckpointId(2)).frontier, t(10));
    step(&mut gate, Event::Idle(false, WallTime::from_millis(110)));
    assert_eq!(frontier(&gate), t(10));
    snapshot(&mut gate, 3, 300);
    assert_eq!(gate.status().snapshots.iter().map(|(_, frontier)| *frontier).max(), Some(t(10)));
}

/// P32: after a failure it has the watermark of the snapshot again.
#[test]
fn what_a_snapshot_at_rest_covers_does_not_grow_until_it_wakes() {
    let mut gate = following(BLUE, &first());
    watermark(&mut gate, 10);
    step(&mut gate, Event::Idle(true, NOW));
    snapshot(&mut gate, 1, 10_000);
    assert_eq!(frontier(&gate), EventTime::MAX);
    watermark(&mut gate, 40);
    step(&mut gate, Event::Idle(false, WallTime::from_millis(10_100)));
    assert_eq!(frontier(&gate), t(10));
}

/// P8.
#[test]
fn an_idle_subtask_answers() {
    let mut gate = following(BLUE, &first());
    step(&mut gate, Event::Idle(true, NOW));
    order(&mut gate, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    assert!(gate.status().reply.unwrap().acknowledged);
}

fn header(member: Member, highs: [i64; 3], watermark: i64, frontier: i64) -> Header {
    Header {
        member,
        checkpoint: CheckpointId(7),
        origin: Origin::Fresh,
        epoch: Epoch(4),
        emitted_high: t(highs[0]),
        discarded_high: t(highs[1]),
        seen_high: t(highs[2]),
        watermark: t(watermark),
        frontier: t(frontier),
    }
}

fn restored(member: Member, headers: &[Header], held: Vec<Held<&'static str>>) -> Gate {
    Subtask::new(member, Limits::default(), headers, held).unwrap()
}

/// P13.
#[test]
fn a_rescale_takes_the_highest_highs_and_the_lowest_watermark_and_frontier() {
    let headers = [header(BLUE, [10, 2, 30], 8, 6), header(BLUE, [5, 20, 20], 4, 3)];
    let status = restored(BLUE, &headers, Vec::new()).status();
    assert_eq!((status.emitted_high, status.discarded_high, status.watermark), (t(10), t(20), t(4)));
    assert_eq!(status.snapshots, [(CheckpointId(7), t(3))]);
    assert_eq!((status.epoch, status.known), (None, Epoch(4)));
}

/// P13.
#[test]
fn a_restored_subtask_keeps_what_it_held_and_holds_until_its_first_order() {
    let mut before = following(BLUE, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    record(&mut before, 120, "a");
    record(&mut before, 110, "b");
    let header = snapshot(&mut before, 7, 0);
    let mut after = restored(BLUE, &[header], before.held().cloned().collect());
    assert_eq!((record(&mut after, 50, "c"), after.lease()), (Vec::new(), None));
    let document = proposed(&first(), GREEN, 100, HandOver::Ordered).abort("Asked", "", NOW).unwrap();
    assert_eq!(order(&mut after, &document), [emit("a"), emit("b"), emit("c")]);
}

/// P14, P22.
#[test]
fn of_a_foreign_snapshot_only_the_seen_high_is_adopted_as_discarded() {
    let status = restored(GREEN, &[header(BLUE, [10, 2, 30], 8, 6)], Vec::new()).status();
    assert_eq!((status.emitted_high, status.discarded_high), (EventTime::MIN, t(30)));
    assert_eq!((status.watermark, status.snapshots.len()), (EventTime::MIN, 0));
    assert_eq!(status.origin, Origin::Snapshot(SNAPSHOT));
}

/// P22.
#[test]
fn the_seen_high_counts_held_records() {
    let mut gate = following(BLUE, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    record(&mut gate, 50, "a");
    record(&mut gate, 120, "b");
    let header = snapshot(&mut gate, 1, 0);
    assert_eq!((header.emitted_high, header.seen_high), (t(50), t(120)));
}

#[test]
fn a_restart_from_its_own_checkpoint_does_not_hide_what_a_member_was_started_from() {
    let mut gate = restored(GREEN, &[header(BLUE, [10, 2, 30], 8, 6)], Vec::new());
    let own = snapshot(&mut gate, 1, 0);
    assert_eq!(restored(GREEN, &[own], Vec::new()).status().origin, Origin::Snapshot(SNAPSHOT));
    let mut fresh = Subtask::<&'static str>::new(GREEN, Limits::default(), &[], Vec::new()).unwrap();
    let own = snapshot(&mut fresh, 1, 0);
    assert_eq!(restored(GREEN, &[own], Vec::new()).status().origin, Origin::Fresh);
}

#[test]
fn headers_of_two_snapshots_are_refused() {
    let other = Header { checkpoint: CheckpointId(8), ..header(BLUE, [1, 1, 1], 1, 1) };
    let headers = [header(BLUE, [1, 1, 1], 1, 1), other];
    let error = Gate::new(BLUE, Limits::default(), &headers, Vec::new()).unwrap_err();
    assert!(error.to_string().starts_with("GateStateMixed: "), "{error}");
}

fn inherited() -> Gate {
    let held = Held { time: t(120), bytes: 10, inherited: false, record: "a" };
    let below = Held { time: t(60), record: "b", ..held.clone() };
    restored(BLUE2, &[header(BLUE, [10, 2, 120], 8, 6)], vec![held, below])
}

#[test]
fn inherited_records_wait_for_an_order_that_says_whose_they_are() {
    let mut gate = inherited();
    assert_eq!(step(&mut gate, Event::Order(Order::closed(Epoch(9)))), []);
    assert!(gate.held().all(|held| held.inherited));
    let header = snapshot(&mut gate, 1, 0);
    let again = restored(BLUE2, &[header], gate.held().cloned().collect());
    assert!(again.held().all(|held| held.inherited));
}

/// P14.
#[test]
fn a_standby_forgets_what_it_inherited() {
    let mut gate = inherited();
    assert_eq!(order(&mut gate, &Document { epoch: Epoch(9), ..first() }), [discard("a"), discard("b")]);
    assert_eq!((gate.held().len(), gate.counts().discarded), (0, 0));
}

/// P34.
#[test]
fn a_reclaiming_generation_adopts_what_it_inherited() {
    let mut gate = inherited();
    let document = Document { epoch: Epoch(9), ..committed(50, HandOver::Ordered).finish(NOW).unwrap() };
    let reclaim = Reclaim { dead: GREEN, frontier: t(100), by: BLUE2, snapshot: SNAPSHOT };
    let (document, _) = document.reclaim(&reclaim).unwrap();
    assert_eq!(order(&mut gate, &document), [emit("a"), discard("b")]);
}

/// P10, P26.
#[test]
fn an_order_of_a_lower_epoch_than_known_is_not_followed() {
    let mut gate = following(BLUE, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    record(&mut gate, 120, "a");
    assert_eq!(order(&mut gate, &first()), []);
    assert_eq!(gate.status().epoch, Some(Epoch(2)));

    let mut restored = restored(BLUE, &[header(BLUE, [1, 1, 1], 1, 1)], Vec::new());
    order(&mut restored, &first());
    assert_eq!((restored.status().epoch, restored.status().known), (None, Epoch(4)));
    assert_eq!(record(&mut restored, 5, "b"), []);
}

#[test]
fn the_bounds_of_holding_are_records_and_bytes() {
    let limits = Limits { hold_records: 2, hold_bytes: 25, ..Limits::default() };
    let mut gate = Gate::new(BLUE, limits, &[], Vec::new()).unwrap();
    record(&mut gate, 1, "a");
    assert!(!gate.is_full());
    gate.resize_last_held(25);
    assert!(gate.is_full());
    gate.resize_last_held(1);
    assert!(!gate.is_full());
    record(&mut gate, 2, "b");
    assert!(gate.is_full() && gate.status().full);
    order(&mut gate, &first());
    assert!(!gate.is_full());
}

#[test]
fn a_lease_covers_neither_a_hold_nor_a_late_record_nor_one_without_a_usable_time() {
    let limits = Limits { max_ahead_ms: Some(1_000), ..Limits::default() };
    let mut gate = Gate::new(BLUE, limits, &[], Vec::new()).unwrap();
    order(&mut gate, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    let lease = gate.lease().unwrap();
    assert_eq!((lease.from, lease.until), (EventTime::from_millis(i64::MIN + 1), t(100)));
    record(&mut gate, 120, "held");
    assert_eq!(gate.lease(), None);

    order(&mut gate, &Document { epoch: Epoch(9), ..first() });
    watermark(&mut gate, 40);
    assert_eq!(gate.lease().unwrap().until, t(1_041));

    let mut settled = first();
    (settled.epoch, settled.settled) = (Epoch(10), t(30));
    settled.settings.late = LatePolicy::Drop;
    order(&mut gate, &settled);
    assert_eq!(gate.lease().unwrap().from, t(30));
    assert_eq!(record(&mut gate, 20, "late"), [Effect::Dispose(Disposition::LateDrop, "late")]);
    assert_eq!((gate.lease(), gate.counts().late), (None, 1));
}

#[test]
fn a_lease_says_what_a_record_told_one_by_one_would_meet() {
    let documents =
        [first(), proposed(&first(), GREEN, 100, HandOver::Ordered), committed(100, HandOver::Overlapped)];
    for (document, member) in documents.iter().flat_map(|document| [(document, BLUE), (document, GREEN)]) {
        for near in [50, 99, 100, 150] {
            let mut gate = following(member, document);
            record(&mut gate, near, "near");
            let Some(lease) = gate.lease() else { continue };
            for time in
                [0, 99, 100, 200].map(t).into_iter().filter(|time| lease.from <= *time && *time < lease.until)
            {
                assert_eq!(Order::new(document, member).disposition(time), lease.disposition);
            }
        }
    }
}
