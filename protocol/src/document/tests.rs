use super::*;
use crate::identity::{CheckpointId, Color};

const BLUE: Member = Member::new(Color::Blue, 1);
const BLUE2: Member = Member::new(Color::Blue, 2);
const GREEN: Member = Member::new(Color::Green, 1);
const GREEN2: Member = Member::new(Color::Green, 2);
const NOW: WallTime = WallTime::from_millis(0);
const SNAPSHOT: Snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(7) };

fn t(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

fn first() -> Document {
    Document::first("orders", BLUE, Origin::Fresh, Settings { lateness_ms: 10, ..Settings::default() })
}

fn propose(document: &Document, to: Member, at: i64) -> Result<Document, NotAllowed> {
    let (origin, hand_over) = (Origin::Snapshot(SNAPSHOT), HandOver::Ordered);
    document.propose(
        Terms { attempt: Attempt(0), to, origin, at: t(at), hand_over, proposed: NOW },
        NOW,
        None,
    )
}

fn cut(document: &Document, to: Member, at: i64) -> Document {
    propose(document, to, at).unwrap().commit(NOW).unwrap().finish(NOW).unwrap()
}

fn reclaim(
    document: &Document,
    dead: Member,
    frontier: i64,
    by: Member,
) -> Result<(Document, EventTime), NotAllowed> {
    document.reclaim(&Reclaim { dead, frontier: t(frontier), by, snapshot: SNAPSHOT })
}

#[test]
fn every_change_has_the_next_epoch_and_every_proposal_the_next_attempt() {
    let one = propose(&first(), GREEN, 100).unwrap();
    let two = propose(&one, GREEN, 200).unwrap();
    let three = propose(&two.abort("Asked", "", NOW).unwrap(), GREEN, 300).unwrap();
    let epochs = [&first(), &one, &two, &three].map(|document| document.epoch.0);
    assert_eq!(epochs, [1, 2, 3, 5]);
    let attempts = [&one, &two, &three].map(|document| document.terms().unwrap().attempt.0);
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn a_boundary_is_above_what_the_active_member_and_the_past_begin_with() {
    let document = cut(&first(), GREEN, 100);
    assert_eq!(propose(&document, BLUE, 100), Err(NotAllowed::NotAbove(t(100))));
    assert_eq!(propose(&document, GREEN, 200), Err(NotAllowed::AlreadyActive(GREEN)));
    assert!(propose(&document, BLUE, 101).is_ok());
}

/// P11.
#[test]
fn a_committed_cutover_is_neither_aborted_nor_proposed_again() {
    let document = propose(&first(), GREEN, 100).unwrap().commit(NOW).unwrap();
    assert_eq!(document.abort("Asked", "", NOW), Err(NotAllowed::NoSuchCutover));
    assert_eq!(propose(&document, GREEN, 200), Err(NotAllowed::CutoverUnderWay));
    assert_eq!(document.commit(NOW), Err(NotAllowed::NoSuchCutover));
    assert_eq!(first().finish(NOW), Err(NotAllowed::NoSuchCutover));
}

/// P24.
#[test]
fn a_new_generation_owns_nothing_and_is_bound_to_nothing() {
    let document = cut(&first(), GREEN, 100);
    assert_eq!(document.binding_origin(GREEN), Some(Origin::Snapshot(SNAPSHOT)));
    assert_eq!((document.owns(GREEN2), document.binding_origin(GREEN2)), (false, None));
}

#[test]
fn only_a_committed_document_binds_the_new_owner() {
    let proposed = propose(&first(), GREEN, 100).unwrap();
    assert_eq!(proposed.binding_origin(GREEN), None);
    assert_eq!(proposed.commit(NOW).unwrap().binding_origin(GREEN), Some(Origin::Snapshot(SNAPSHOT)));
}

/// P36.
#[test]
fn a_member_is_not_retired_while_it_owns_or_a_cutover_names_it() {
    let document = cut(&first(), GREEN, 100);
    assert!(!document.may_retire(BLUE) && !document.may_retire(GREEN));
    let settled = document.settle().unwrap();
    assert!(settled.may_retire(BLUE) && settled.has_owned(BLUE));
    let reverse = propose(&settled, BLUE, 200).unwrap();
    assert!(!reverse.may_retire(BLUE));
    assert!(!reverse.commit(NOW).unwrap().may_retire(BLUE));
}

#[test]
fn a_member_of_an_aborted_cutover_has_owned_nothing() {
    let document = propose(&first(), GREEN, 100).unwrap().abort("Asked", "", NOW).unwrap();
    assert!(document.has_owned(BLUE) && !document.has_owned(GREEN));
}

#[test]
fn settle_drops_the_first_owner_and_never_falls_back() {
    assert_eq!(first().settle(), Err(NotAllowed::NothingToSettle));
    let document = cut(&cut(&first(), GREEN, 100), BLUE, 200).settle().unwrap();
    assert_eq!(
        (document.settled, document.owner_of(t(150)), document.owner_of(t(50))),
        (t(100), GREEN, GREEN)
    );
    assert_eq!(document.settle().unwrap().settled, t(200));
}

/// P34: F = max(since, frontier - lateness).
#[test]
fn a_reclaim_owns_from_the_frontier_less_the_lateness() {
    let document = cut(&first(), GREEN, 100);
    assert_eq!(reclaim(&document, GREEN, 150, BLUE2).unwrap().1, t(140));
    assert_eq!(reclaim(&document, GREEN, 105, BLUE2).unwrap().1, t(100));
}

/// P33.
#[test]
fn a_reclaim_replaces_no_entry_and_proves_the_dead_gone_until_it_owns_nothing() {
    let (document, _) = reclaim(&cut(&first(), GREEN, 100), GREEN, 100, BLUE2).unwrap();
    let members: Vec<Member> = document.owners.iter().map(|owner| owner.member).collect();
    assert_eq!(members, [BLUE, GREEN, BLUE2]);
    assert_eq!((document.owner_of(t(99)), document.owner_of(t(100))), (BLUE, BLUE2));
    let settled = document.settle().unwrap();
    assert!(settled.gone.contains(&GREEN));
    assert!(settled.settle().unwrap().gone.is_empty());
}

#[test]
fn in_a_committed_cutover_the_reclaiming_generation_becomes_from() {
    let document = propose(&cut(&first(), GREEN, 100), BLUE, 200).unwrap().commit(NOW).unwrap();
    let (next, since) = reclaim(&document, GREEN, 150, BLUE2).unwrap();
    assert_eq!((since, next.active().member, next.terms().unwrap().to), (t(140), BLUE2, BLUE));
    assert_eq!((next.owner_of(t(139)), next.owner_of(t(199))), (GREEN, BLUE2));
    assert_eq!(reclaim(&document, GREEN, 210, BLUE2), Err(NotAllowed::CutoverUnderWay));
    let done = next.finish(NOW).unwrap();
    assert_eq!((done.owner_of(t(199)), done.owner_of(t(200))), (BLUE2, BLUE));
}

#[test]
fn only_the_dead_active_member_is_reclaimed_from_by_a_new_generation_with_a_known_frontier() {
    let document = cut(&first(), GREEN, 100);
    assert_eq!(reclaim(&document, BLUE, 150, BLUE2), Err(NotAllowed::NotActive(BLUE)));
    assert_eq!(reclaim(&document, GREEN, 150, BLUE), Err(NotAllowed::NotNew(BLUE)));
    assert_eq!(reclaim(&document, GREEN, i64::MAX, BLUE2), Err(NotAllowed::FrontierUnknown(GREEN)));
    let proposed = propose(&document, BLUE, 200).unwrap();
    assert_eq!(reclaim(&proposed, GREEN, 150, BLUE2), Err(NotAllowed::CutoverUnderWay));
}

#[test]
fn history_is_bounded() {
    let mut document = first();
    for at in 1..=HISTORY as i64 + 5 {
        document = propose(&document, GREEN, at).unwrap().abort("Asked", "", NOW).unwrap();
    }
    assert_eq!((document.history.len(), document.history[0].terms.attempt), (HISTORY, Attempt(6)));
}

/// Found by the simulation: a member that had been active was refused because it was started from nothing.
#[test]
fn who_has_owned_stays_known_however_many_attempts_are_aborted() {
    let mut document = cut(&first(), GREEN, 100).settle().unwrap();
    for at in 101..=101 + HISTORY as i64 {
        document = propose(&document, BLUE, at).unwrap().abort("Asked", "", NOW).unwrap();
    }
    assert!(document.has_owned(BLUE) && document.history.len() == HISTORY);
    assert_eq!(document.history.last().unwrap().terms.attempt, document.attempts);
}
