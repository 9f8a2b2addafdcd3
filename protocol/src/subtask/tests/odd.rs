//! Records that are late, without a time, or from the far future.

use super::*;

/// F6.
#[test]
fn a_record_without_a_time_gets_the_watermark_of_its_arrival() {
    let mut gate = following(BLUE, &proposed(&first(), GREEN, 100, HandOver::Ordered));
    watermark(&mut gate, 40);
    let untimed = |record| Event::Record { time: None, bytes: 1, record };
    assert_eq!(step(&mut gate, untimed("a")), [emit("a")]);
    watermark(&mut gate, 150);
    assert_eq!(step(&mut gate, untimed("b")), []);
    assert_eq!((gate.held().next().unwrap().time, gate.counts().untimed), (t(150), 2));
}

/// F7.
#[test]
fn a_record_from_the_far_future_cannot_block_a_cutover() {
    let limits = Limits { max_ahead_ms: Some(1_000), ..Limits::default() };
    let mut gate = Gate::new(BLUE, limits, &[], Vec::new()).unwrap();
    order(&mut gate, &first());
    watermark(&mut gate, 40);
    assert_eq!(record(&mut gate, 1_041, "a"), [emit("a")]);
    assert_eq!(record(&mut gate, 1_040, "b"), [emit("b")]);
    assert_eq!((gate.counts().future, gate.status().emitted_high), (1, t(1_040)));
}

/// F7, by default: above the watermark *and* above the clock, each by more than a day.
#[test]
fn without_max_ahead_a_record_is_believed_up_to_a_day_above_watermark_or_clock() {
    let mut gate = following(BLUE, &first());
    let clock = |days: i64| Event::Clock(WallTime::from_millis((days * DAY_MS) as u64));
    step(&mut gate, clock(100));
    assert_eq!(gate.lease().unwrap().until, t(101 * DAY_MS + 1));
    record(&mut gate, 101 * DAY_MS + 1, "before the first watermark");
    assert_eq!(
        (gate.counts().future, gate.last_time(), gate.status().emitted_high),
        (1, EventTime::MIN, EventTime::MIN)
    );
    // History is replayed: everything up to the clock is believed, however far it is above the watermark.
    watermark(&mut gate, 3 * DAY_MS);
    record(&mut gate, 101 * DAY_MS, "after a quiet time");
    assert_eq!((gate.counts().future, gate.status().emitted_high), (1, t(101 * DAY_MS)));
    // Event time runs ahead of the clock: the watermark says what is believed.
    watermark(&mut gate, 300 * DAY_MS);
    record(&mut gate, 301 * DAY_MS, "a day above the watermark");
    record(&mut gate, 301 * DAY_MS + 1, "more than that");
    assert_eq!((gate.counts().future, gate.last_time()), (2, t(300 * DAY_MS)));
    assert_eq!(gate.status().future_time, Some(t(301 * DAY_MS + 1)));
    // The clock goes on, and never back.
    step(&mut gate, clock(301));
    step(&mut gate, clock(2));
    record(&mut gate, 301 * DAY_MS + 1, "now");
    assert_eq!((gate.counts().future, gate.status().emitted_high), (2, t(301 * DAY_MS + 1)));
}

/// F7: `max-ahead` goes by the watermark alone, and before there is one by the clock.
#[test]
fn with_max_ahead_the_clock_speaks_only_before_the_first_watermark() {
    let limits = Limits { max_ahead_ms: Some(1_000), ..Limits::default() };
    let mut gate = Gate::new(BLUE, limits, &[], Vec::new()).unwrap();
    order(&mut gate, &first());
    step(&mut gate, Event::Clock(WallTime::from_millis(50 * DAY_MS as u64)));
    record(&mut gate, 51 * DAY_MS + 1, "dated ahead");
    record(&mut gate, 51 * DAY_MS, "believed");
    watermark(&mut gate, 40);
    record(&mut gate, 1_041, "dated ahead");
    assert_eq!((gate.counts().future, gate.status().emitted_high), (2, t(51 * DAY_MS)));
}

/// P7: every version counts what is late, whoever sees to it, also on the fast path.
#[test]
fn late_records_are_counted_by_both_sides() {
    let settled = |late| {
        let document = committed(100, HandOver::Ordered).finish(NOW).unwrap().settle().unwrap();
        Document { settings: Settings { late, ..document.settings }, ..document }
    };
    for (policy, first_owner) in [
        (LatePolicy::Emit, Disposition::LateEmit),
        (LatePolicy::Drop, Disposition::LateDrop),
        (LatePolicy::SideOutput, Disposition::LateSideOutput),
    ] {
        let (mut green, mut blue) = (following(GREEN, &settled(policy)), following(BLUE, &settled(policy)));
        assert_eq!(record(&mut green, 99, "late"), [Effect::Dispose(first_owner, "late")]);
        assert_eq!(record(&mut blue, 99, "late"), [Effect::Dispose(Disposition::LateDiscard, "late")]);
        assert_eq!(record(&mut green, 100, "in time"), [emit("in time")]);
        assert_eq!((green.counts().late, blue.counts().late), (1, 1));
        let emitted = 1 + u64::from(policy == LatePolicy::Emit);
        assert_eq!(
            (green.counts().emitted, green.counts().discarded),
            (emitted, u64::from(policy == LatePolicy::Drop))
        );

        let lease = blue.lease().unwrap();
        assert_eq!((lease.until, lease.disposition), (t(100), Disposition::LateDiscard));
        let passed = Passed { discarded: 5, discarded_high: Some(t(98)), ..Passed::default() };
        step(&mut blue, Event::Passed(passed));
        let passed = Passed { discarded: 7, discarded_high: Some(t(120)), ..Passed::default() };
        step(&mut blue, Event::Passed(passed));
        assert_eq!((blue.counts().late, blue.counts().discarded), (6, 13));
    }
}
