use serde_json::{Value, json};
use tidegate_protocol::rollout::{Cause, Failed, Failure, Phase, Revision};

use super::*;
use crate::resource::intent::channel;
use crate::resource::status::Condition;

const PLACE: Place<'static> = Place { uid: "u", namespace: "shop", name: "flights" };
const NOW: WallTime = WallTime::from_millis(1_767_225_600_000);

fn channels(list: Value) -> Vec<Channel> {
    channel::usable(&serde_json::from_value::<Vec<_>>(list).unwrap())
}

fn slack(name: &str, from: &str, stages: &[&str]) -> Value {
    json!({ "name": name, "from": from, "stages": stages, "slack": { "secret": { "name": "s", "key": "k" } } })
}

fn line(what: &str, phase: &str, warning: bool) -> Entry {
    Entry {
        at: NOW,
        who: "tidegate".to_owned(),
        what: what.to_owned(),
        why: "because".to_owned(),
        attempt: 2,
        phase: phase.to_owned(),
        warning,
    }
}

fn record(phase: Phase) -> Record {
    Record { attempt: 2, phase, ..Record::default() }
}

fn failed() -> Record {
    let failure = Failure { cause: Cause::Unstable, message: "it crashed".to_owned() };
    let failed = Some(Failed { revision: Revision("r2".to_owned()), failure, at: NOW });
    Record { failed, ..record(Phase::Idle) }
}

fn go(before: &Notifications, channels: &[Channel], news: &News<'_>, now: WallTime) -> Notifications {
    next(before, PLACE, channels, news, &BTreeSet::new(), now).outbox
}

fn told(outbox: &Notifications) -> Vec<(&str, Severity, Stage, Vec<&str>)> {
    let messages = outbox.pending.iter();
    messages
        .map(|message| {
            let names = message.to.iter().map(String::as_str).collect();
            (message.what.as_str(), message.severity, message.stage, names)
        })
        .collect()
}

#[test]
fn each_new_line_is_told_to_those_who_want_it() {
    let channels = channels(json!([
        slack("all", "info", &[]),
        slack("bad", "warning", &[]),
        slack("promoter", "info", &["promotion"]),
    ]));
    let lines = [
        line("began", "Idle", false),
        line("ready", "Ready", false),
        line("gave up", "Proving", true),
        line("back", "Reversing", true),
    ];
    let record = failed();
    let outbox =
        go(&Notifications::default(), &channels, &News { record: &record, lines: &lines, call: None }, NOW);
    let (info, warning) = (Severity::Info, Severity::Warning);
    assert_eq!(
        told(&outbox),
        [
            ("began", info, Stage::Begin, vec!["all"]),
            ("ready", info, Stage::Promotion, vec!["all", "promoter"]),
            ("gave up", warning, Stage::Start, vec!["all", "bad"]),
            ("back", warning, Stage::Back, vec!["all", "bad"]),
        ]
    );
    let gave_up = &outbox.pending[2];
    assert_eq!((gave_up.id.as_str(), gave_up.time.as_str()), ("u-1767225600000-3", "2026-01-01T00:00:00Z"));
    assert_eq!((gave_up.who.as_str(), gave_up.why.as_str(), gave_up.attempt), ("tidegate", "because", 2));
    assert_eq!(gave_up.command, "tidegate retry flights -n shop --id notified-2-3");
    let none = News { record: &record, lines: &[], call: None };
    assert_eq!(go(&outbox, &channels, &none, NOW), outbox, "nothing is told twice");
}

#[test]
fn nothing_is_kept_for_nobody() {
    let news = News { record: &failed(), lines: &[line("gave up", "Proving", true)], call: None };
    assert_eq!(go(&Notifications::default(), &[], &news, NOW), Notifications::default());
    let critical = channels(json!([slack("a", "critical", &[])]));
    assert_eq!(go(&Notifications::default(), &critical, &news, NOW), Notifications::default());
}

#[test]
fn what_was_delivered_goes_and_the_rest_stays() {
    let both = channels(json!([slack("a", "info", &[]), slack("b", "info", &[])]));
    let record = record(Phase::Idle);
    let news =
        News { record: &record, lines: &[line("x", "Idle", false), line("y", "Idle", false)], call: None };
    let outbox = go(&Notifications::default(), &both, &news, NOW);
    let first = |channel: &str| (outbox.pending[0].id.clone(), channel.to_owned());
    let none = News { record: &record, lines: &[], call: None };
    let after = |delivered: BTreeSet<Delivery>| next(&outbox, PLACE, &both, &none, &delivered, NOW).outbox;
    let one = after(BTreeSet::from([first("a")]));
    assert_eq!((one.pending[0].to.as_slice(), one.pending.len()), (["b".to_owned()].as_slice(), 2));
    let all = after(BTreeSet::from([first("a"), first("b")]));
    assert_eq!((all.pending.as_slice(), all.count), (&outbox.pending[1..], 2));
    // A channel that is gone is not waited for.
    let only = go(&outbox, &both[1..], &none, NOW);
    assert!(only.pending.iter().all(|message| message.to == ["b"]));
}

#[test]
fn a_receiver_that_never_takes_anything_does_not_pile_up() {
    let channels = channels(json!([slack("a", "info", &[])]));
    let (record, lines) = (record(Phase::Idle), [line("x", "Idle", false)]);
    let news = News { record: &record, lines: &lines, call: None };
    let mut outbox = Notifications::default();
    for _ in 0..PENDING {
        outbox = go(&outbox, &channels, &news, NOW);
    }
    let next = next(&outbox, PLACE, &channels, &news, &BTreeSet::new(), NOW);
    assert_eq!((next.outbox.pending.len(), next.dropped), (PENDING, vec!["a".to_owned()]));
    assert_eq!(next.outbox.pending[0], outbox.pending[1], "the oldest goes");
}

fn status(reason: &str, since: &str) -> Status {
    let condition = Condition {
        kind: "Degraded".to_owned(),
        status: "True".to_owned(),
        reason: reason.to_owned(),
        message: "blue-1 has ended by itself".to_owned(),
        observed_generation: None,
        last_transition_time: since.to_owned(),
    };
    Status { conditions: vec![condition], ..Status::default() }
}

#[test]
fn a_person_is_called_once_for_each_reason_and_told_when_nobody_is_needed_any_more() {
    let channels = channels(json!([slack("pager", "critical", &[])]));
    let record = record(Phase::Idle);
    let news = |reason: Option<&str>| News {
        record: &record,
        lines: &[],
        call: reason.and_then(|reason| Call::of(&status(reason, "2026-01-01T00:00:00Z"), &record)),
    };
    let at = |seconds: u64| NOW.plus(seconds * 1_000);
    let mut outbox = go(&Notifications::default(), &channels, &news(Some("ActiveEnded")), at(29));
    assert_eq!(outbox, Notifications::default(), "it may end by itself");
    for reason in ["ActiveEnded", "ActiveEnded", "StoreUnknown", "ActiveEnded"] {
        outbox = go(&outbox, &channels, &news(Some(reason)), at(30));
    }
    outbox = go(&outbox, &channels, &news(None), at(60));
    outbox = go(&outbox, &channels, &news(None), at(61));
    let (pager, begin) = (vec!["pager"], Stage::Begin);
    assert_eq!(
        told(&outbox),
        [
            ("a person is needed (ActiveEnded)", Severity::Critical, begin, pager.clone()),
            ("a person is needed (StoreUnknown)", Severity::Critical, begin, pager.clone()),
            ("no person is needed any more (ActiveEnded, StoreUnknown)", Severity::Info, begin, pager),
        ]
    );
    let command = &outbox.pending[0].command;
    assert_eq!(command, "tidegate replace flights -n shop --id notified-2-1");
    assert_eq!(outbox.pending[1].command, "tidegate doctor flights -n shop");
    assert_eq!(outbox.pending[0].why, "blue-1 has ended by itself");
}

#[test]
fn a_revision_that_was_given_up_calls_nobody() {
    let record = failed();
    assert_eq!(Call::of(&status("Unstable", "2026-01-01T00:00:00Z"), &record), None);
    assert!(Call::of(&status("CutoverOverdue", "2026-01-01T00:00:00Z"), &record).is_some());
}

#[test]
fn every_phase_belongs_to_a_stage() {
    let stages: BTreeSet<Stage> = Phase::NAMES.iter().map(|name| super::stage(name)).collect();
    assert_eq!(stages.len(), 7);
}
