//! A pause is a level: it holds back what is not final yet, and nothing else.

use super::*;

fn paused(document: &Document, reports: &Reports, request: Option<Request>, now: u64) -> Decision {
    let asked = request.map(|request| Asked { id: "another".to_owned(), request });
    conduct(Observation { document, reports, asked: asked.as_ref(), paused: true, now: w(now) })
}

fn code(document: &Document) -> Option<String> {
    document.answered.as_ref()?.refusal.as_ref().map(|(code, _)| code.clone())
}

#[test]
fn while_paused_a_promotion_is_refused_with_the_way_out() {
    let (next, step) = changed(paused(&first(), &reports(100, 50), Some(promote("now")), 0));
    assert_eq!((step, next.cutover.as_ref()), (Step::Refuse, None));
    let (code, message) = next.answered.and_then(|answer| answer.refusal).unwrap();
    assert_eq!(code, "Paused");
    assert!(message.contains("remove the key pause"), "{message}");
}

#[test]
fn a_pause_ends_what_is_only_proposed() {
    let (next, step) = changed(paused(&proposed(), &reports(100, 50), None, 1));
    assert_eq!((step, next.cutover.as_ref()), (Step::Abort, None));
    assert!(matches!(&next.history[0].outcome, Outcome::Aborted { code, .. } if code == "Paused"));
    assert_eq!(waits(paused(&next, &reports(100, 50), None, 2)), [""; 0], "and that is all");
}

#[test]
fn a_pause_ends_a_proposal_that_everybody_has_acknowledged() {
    let mut acknowledged = reports(100, 50);
    acknowledge(&mut acknowledged, 1);
    assert_eq!(changed(decide(&proposed(), &acknowledged, None, 1)).1, Step::Commit);
    assert_eq!(changed(paused(&proposed(), &acknowledged, None, 1)).1, Step::Abort);
}

#[test]
fn a_committed_cutover_goes_on_to_its_finish_through_a_pause() {
    let committed = proposed().commit(w(1)).unwrap();
    let terms = committed.terms().unwrap().clone();
    let mut done = reports(100, 50);
    frontier(&mut done, BLUE, terms.at);
    let (next, step) = changed(paused(&committed, &done, None, 2));
    assert_eq!((step, next.active().member), (Step::Finish, GREEN));
}

#[test]
fn an_abort_is_answered_while_paused() {
    let (next, step) =
        changed(paused(&proposed(), &reports(100, 50), Some(Request::Abort { attempt: None }), 1));
    assert_eq!((step, code(&next)), (Step::Abort, None));
    assert!(matches!(&next.history[0].outcome, Outcome::Aborted { code, .. } if code == "Asked"));
}
