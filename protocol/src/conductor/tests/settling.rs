//! When the first owner's part becomes the past.

use super::*;

/// P32.
#[test]
fn settle_needs_the_frontier_of_all_live_owners_past_the_lateness() {
    let document = committed().finish(w(6)).unwrap();
    let mut reports = reports(100, 50);
    frontier(&mut reports, BLUE, t(1_110));
    frontier(&mut reports, GREEN, t(1_109));
    assert!(waits(decide(&document, &reports, None, 7))[0].starts_with("green-1, gate g, subtask 1: "));
    frontier(&mut reports, GREEN, t(1_110));
    let (next, step) = changed(decide(&document, &reports, None, 7));
    assert_eq!((step, next.settled, next.owners.len()), (Step::Settle, t(1_100), 1));
}

/// P33.
#[test]
fn settle_does_not_wait_for_a_member_that_is_proven_gone() {
    let mut document = committed().finish(w(6)).unwrap();
    let mut reports = reports(100, 50);
    frontier(&mut reports, GREEN, t(1_110));
    reports.remove(&BLUE);
    assert_eq!(waits(decide(&document, &reports, None, 7)), ["blue-1: it has never reported"]);
    document.gone = BTreeSet::from([BLUE]);
    assert_eq!(changed(decide(&document, &reports, None, 7)).1, Step::Settle);
}

/// All inputs rest: their frontiers are beyond everything, and records below the end may still come in time.
#[test]
fn settle_waits_for_event_time_itself() {
    let document = committed().finish(w(6)).unwrap();
    let mut reports = reports(100, 50);
    for member in [BLUE, GREEN] {
        frontier(&mut reports, member, EventTime::MAX);
        gates(&mut reports, member).for_each(|gate| gate.watermark_high = t(1_109));
    }
    assert_eq!(
        waits(decide(&document, &reports, None, 7)),
        [format!(
            "green-1: no watermark has reached {} yet, the highest is {}: its inputs rest",
            t(1_110),
            t(1_109)
        )]
    );
    gates(&mut reports, BLUE).for_each(|gate| gate.watermark_high = t(1_110));
    assert_eq!(changed(decide(&document, &reports, None, 7)).1, Step::Settle);
}
