use super::*;
use crate::conductor::{Decision, Observation, conduct};
use crate::document::{Document, HandOver, Settings};
use crate::identity::{Attempt, Color, Member, Origin};
use crate::time::{EventTime, WallTime, When};

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 2);

fn of(pairs: &[(&str, &str)]) -> Keys {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn answer(id: &str) -> Answer {
    Answer { request: id.to_owned(), attempt: None, refusal: None }
}

fn put(turn: Turn) -> Keys {
    match turn {
        Turn::Put(keys) => keys,
        Turn::Rest | Turn::Answer(_) | Turn::Mend(_) => panic!("{turn:?}"),
    }
}

fn asked(turn: Turn) -> Asked {
    match turn {
        Turn::Answer(asked) => asked,
        Turn::Rest | Turn::Put(_) | Turn::Mend(_) => panic!("{turn:?}"),
    }
}

fn mend(turn: Turn) -> Refusal {
    match turn {
        Turn::Mend(refusal) => refusal,
        Turn::Rest | Turn::Put(_) | Turn::Answer(_) => panic!("{turn:?}"),
    }
}

#[test]
fn an_edit_is_taken_once_and_answered_once() {
    let edited = of(&[("promote", "now"), ("to", "green-2"), ("hand-over", "overlapped"), ("status", "old")]);
    let taken = put(turn(&edited, None, "r1"));
    assert_eq!(taken.keys().collect::<Vec<_>>(), ["status", "taken"]);
    let Asked { id, request } = asked(turn(&taken, None, "r2"));
    let hand_over = Some(HandOver::Overlapped);
    assert_eq!(
        (id.as_str(), request),
        ("r1", Request::Promote { at: When::Now, to: Some(GREEN), hand_over })
    );
    assert_eq!(turn(&taken, Some(&answer("r1")), "r2"), Turn::Rest);
}

#[test]
fn the_same_edit_again_is_a_new_request() {
    let mut keys = put(turn(&of(&[("promote", "now")]), None, "r1"));
    keys.insert("promote".to_owned(), "now".to_owned());
    assert_eq!(asked(turn(&keys, None, "r2")).id, "r1", "first things first");
    let again = put(turn(&keys, Some(&answer("r1")), "r2"));
    assert_eq!(asked(turn(&again, Some(&answer("r1")), "r3")).id, "r2");
}

#[test]
fn a_taken_request_that_comes_back_never_fires() {
    let first = put(turn(&of(&[("promote", "now")]), None, "r1"));
    let second = put(turn(&of(&[("abort", "true")]), Some(&answer("r1")), "r2"));
    let last = answer("r3");
    for old in [&first, &second] {
        let mended = put(turn(old, Some(&last), "r4"));
        assert!(!mended.contains_key("taken"), "{mended:?}");
    }
}

/// An editor that still has the text from before the last answer, saves it once more.
#[test]
fn an_edit_in_an_older_copy_is_not_taken() {
    let mut copy = put(turn(&of(&[("promote", "now")]), None, "r1"));
    copy.insert("promote".to_owned(), "now".to_owned());
    assert_eq!(mend(turn(&copy, Some(&answer("r2")), "r3")), Refusal::OldCopy);
    copy.remove("taken");
    assert_eq!(asked(turn(&put(turn(&copy, Some(&answer("r2")), "r3")), Some(&answer("r2")), "")).id, "r3");
}

#[test]
fn an_id_of_ones_own_is_answered_once_however_often_it_is_written() {
    let edited = of(&[("promote", "now"), ("id", "mine")]);
    assert_eq!(asked(turn(&put(turn(&edited, None, "r1")), None, "r2")).id, "mine");
    assert_eq!(put(turn(&edited, Some(&answer("mine")), "r1")), Keys::new());
}

#[test]
fn what_cannot_be_read_stays_until_it_is_mended() {
    for (key, value, part) in [
        ("promot", "now", "promot = \"now\" is not known; keys are promote, to"),
        ("promote", "soon", "+30s"),
        ("abort", "maybe", "neither true nor an attempt"),
        ("abort", "-1", "neither true nor an attempt"),
        ("pause", "ture", "pause = \"ture\" is neither true nor false"),
        ("id", "a b", "id = \"a b\" is no name"),
    ] {
        let refusal = mend(turn(&of(&[(key, value)]), None, "r1"));
        assert!(matches!(&refusal, Refusal::RequestUnreadable(text) if text.contains(part)), "{refusal}");
    }
    for (key, value, part) in
        [("abort", "true", "both set"), ("to", "green", "green-2"), ("hand-over", "fast", "overlapped")]
    {
        let refusal = mend(turn(&of(&[("promote", "now"), (key, value)]), None, "r1")).to_string();
        assert!(refusal.contains(part), "{refusal}");
    }
    let beside = of(&[("promote", "now"), ("notes", "ours")]);
    assert!(mend(turn(&beside, None, "r1")).to_string().contains("notes"));
}

/// What was taken before is answered, whatever somebody has written since.
#[test]
fn a_bad_edit_does_not_hold_up_what_was_taken() {
    let mut keys = put(turn(&of(&[("promote", "now")]), None, "r1"));
    keys.insert("promot".to_owned(), "now".to_owned());
    assert_eq!(asked(turn(&keys, None, "r2")).id, "r1");
    assert!(matches!(turn(&keys, Some(&answer("r1")), "r2"), Turn::Mend(_)));
}

#[test]
fn keys_that_ask_for_nothing_are_left_alone() {
    for nothing in [&[][..], &[("to", "green-2")], &[("id", "7")], &[("pause", "true")], &[("status", "x")]] {
        assert_eq!(turn(&of(nothing), None, "r1"), Turn::Rest);
    }
}

#[test]
fn a_damaged_taken_request_is_none() {
    for damaged in
        ["", "{", "[]", "{}", r#"{"id": "r1"}"#, r#"{"promote": "now"}"#, r#"{"id": "r1", "x": "y"}"#]
    {
        assert_eq!(turn(&of(&[("taken", damaged)]), None, "r2"), Turn::Rest, "{damaged}");
        let keys = put(turn(&of(&[("taken", damaged), ("promote", "now")]), None, "r2"));
        assert_eq!(asked(turn(&keys, None, "r3")).id, "r2");
    }
}

#[test]
fn what_was_asked_before_the_rollout_began_is_forgotten() {
    assert_eq!(forget(&of(&[("pause", "true"), ("status", "x")]), "r"), None);
    let edited = of(&[("promote", "now"), ("pause", "true")]);
    assert_eq!(forget(&edited, "r1"), Some((of(&[("pause", "true")]), "r1".to_owned())));
    let named = of(&[("abort", "true"), ("id", "mine")]);
    assert_eq!(forget(&named, "r1"), Some((Keys::new(), "mine".to_owned())));
    let taken = put(turn(&of(&[("promote", "now")]), None, "r0"));
    assert_eq!(forget(&taken, "r1"), Some((Keys::new(), "r0".to_owned())));
}

#[test]
fn a_command_asks_in_the_place_of_what_was_not_taken_yet() {
    let abort = Request::Abort { attempt: Some(Attempt(3)) };
    let edited = of(&[("promote", "now"), ("to", "green-2"), ("pause", "true")]);
    let keys = ask(&edited, &abort, "mine").unwrap();
    assert_eq!(keys, of(&[("abort", "3"), ("id", "mine"), ("pause", "true")]));
    assert!(holds(&keys, "mine") && !holds(&keys, "r"));
    let taken = put(turn(&keys, None, "r"));
    assert!(holds(&taken, "mine"));
    assert_eq!(withdraw(&keys, "mine"), of(&[("pause", "true")]));
    assert_eq!(withdraw(&taken, "mine"), of(&[("pause", "true")]));
    assert_eq!(withdraw(&taken, "another"), taken);
    assert!(ask(&of(&[("promot", "now")]), &abort, "mine").is_err(), "somebody is about to mend it");
}

#[test]
fn a_pause_is_set_and_taken_back() {
    for value in ["true", "yes", "on", " true "] {
        assert!(is_paused(&of(&[("pause", value)])), "{value}");
    }
    for value in ["false", "no", "off", "ture"] {
        assert!(!is_paused(&of(&[("pause", value)])), "{value}");
    }
    let paused = pause(&of(&[("status", "x")]), true);
    assert!(is_paused(&paused) && turn(&paused, None, "r") == Turn::Rest);
    assert_eq!(pause(&paused, false), of(&[("status", "x")]));
}

fn sentence(document: &Document, mend: Option<&Refusal>, paused: bool) -> Status {
    let reports = BTreeMap::new();
    let observation =
        Observation { document, reports: &reports, asked: None, paused, now: WallTime::default() };
    let waiting = match conduct(observation) {
        Decision::Wait(waiting) => waiting,
        Decision::Change(..) => Vec::new(),
    };
    status(Look { document, waiting: &waiting, paused, mend })
}

#[test]
fn the_sentence_says_what_is_going_on_and_what_it_waits_for() {
    let first = Document::first("orders", BLUE, Origin::Fresh, Settings::default());
    assert_eq!(sentence(&first, None, false).sentence, "blue-1 is active");
    let terms = crate::document::Terms {
        attempt: Attempt(0),
        to: GREEN,
        origin: Origin::Fresh,
        at: EventTime::from_millis(0),
        hand_over: HandOver::Ordered,
        proposed: WallTime::default(),
    };
    let proposed = first.propose(terms, WallTime::from_millis(9), None).unwrap();
    let told = sentence(&proposed, None, false).sentence;
    assert_eq!(
        told,
        "attempt 1 proposes that green-2 takes over from blue-1 at 1970-01-01T00:00:00Z; waiting for blue-1: it has never \
         reported; green-2: it has never reported"
    );
    let aborted = proposed.abort("Paused", "because", WallTime::default()).unwrap();
    let told = sentence(&aborted, None, true).sentence;
    assert!(told.contains("attempt 1 was aborted: Paused: because. blue-1 is active. paused: "), "{told}");
    let refused = Answer { refusal: Some(("NoStandby".to_owned(), "nobody".to_owned())), ..answer("r") };
    let told = sentence(&first.answer(refused), None, false).sentence;
    assert_eq!(told, "the last request was refused: NoStandby: nobody. blue-1 is active");
    let done = proposed.commit(WallTime::default()).unwrap().finish(WallTime::default()).unwrap();
    let told = sentence(&done, None, false).sentence;
    assert!(
        told.starts_with("attempt 1 is done. green-2 is active, and owns everything from 1970"),
        "{told}"
    );
}

#[test]
fn a_phase_changes_with_what_happens_and_not_with_how_far_it_is() {
    let first = Document::first("orders", BLUE, Origin::Fresh, Settings::default());
    let bad = Refusal::RequestUnreadable("x = 1".to_owned());
    let phase = |mend, paused| sentence(&first, mend, paused).phase;
    assert_eq!(phase(None, false), phase(None, false));
    assert_ne!(phase(None, false), phase(None, true));
    assert_ne!(phase(None, false), phase(Some(&bad), false));
    assert!(sentence(&first, Some(&bad), false).sentence.starts_with("RequestUnreadable: x = 1. blue-1"));
    assert_ne!(sentence(&first.answer(answer("r")), None, false).phase, phase(None, false));
}
