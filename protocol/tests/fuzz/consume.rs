//! What the product does with what it has read, in one step: none of it may panic. Shared with the fuzz targets.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::{Asked, Decision, Observation, Seen, conduct};
use tidegate_protocol::document::Document;
use tidegate_protocol::documents::v1;
use tidegate_protocol::edit::{self, Look};
use tidegate_protocol::identity::{COUNT_MAX, Incarnation, Member};
use tidegate_protocol::member::{Config, Event, MemberState, News};
use tidegate_protocol::order::Order;
use tidegate_protocol::report::Report;
use tidegate_protocol::request::Request;
use tidegate_protocol::subtask::{self, Limits, Subtask};
use tidegate_protocol::time::{EventTime, WallTime};

/// The largest text that an error may have, in bytes: it goes into logs, reports and documents.
pub(crate) const LONGEST: usize = 4_000;

/// The largest sentence that people are told, in bytes: a refusal, an outcome, and what is waited for.
const SENTENCE: usize = 20_000;

/// Everything that the conductor, the members and their subtasks make of a document, of reports and of a request.
pub(crate) fn observation(document: &Document, reports: &[Report], request: Option<Request>, now: WallTime) {
    if document.epoch.0 == COUNT_MAX || document.attempts.0 == COUNT_MAX {
        return; // nobody counts that far, and what was damaged so is not readable after one more change
    }
    let seen = |report: &Report| (report.member, Seen { report: report.clone(), silent_ms: 0 });
    let reports: BTreeMap<Member, Seen> = reports.iter().map(seen).collect();
    let asked = request.map(|request| Asked { id: "another".to_owned(), request });
    for paused in [false, true] {
        let observation = Observation { document, reports: &reports, asked: asked.as_ref(), paused, now };
        decision(document, conduct(observation), paused);
    }
    members(document);
}

fn decision(document: &Document, decision: Decision, paused: bool) {
    let waiting = match &decision {
        Decision::Wait(waiting) => waiting.as_slice(),
        Decision::Change(..) => &[],
    };
    let told = edit::status(Look { document, waiting, paused, mend: None });
    assert!(told.sentence.len() < SENTENCE, "a sentence of {} bytes", told.sentence.len());
    if let Decision::Change(next, _) = decision {
        assert!(next.epoch > document.epoch, "a change does not raise the epoch");
        let written = v1::write_document(&next, "nonce");
        let (read, _) = v1::read_document(&written).expect("what the conductor writes can be read");
        assert_eq!(read, *next);
        assert!(
            written.len() < 900 * 1024 || document_size(document) > 400 * 1024,
            "it has become too large"
        );
        members(&next);
    }
}

fn document_size(document: &Document) -> usize {
    v1::write_document(document, "nonce").len()
}

/// Every member that a document names follows it.
fn members(document: &Document) {
    let named =
        document.owners.iter().map(|owner| owner.member).chain(document.terms().map(|terms| terms.to));
    for member in named {
        let config = Config {
            rollout: document.rollout.clone(),
            member,
            job: "a job".to_owned(),
            instance: "an instance".to_owned(),
            gates: vec!["orders".to_owned()],
            from_beginning: false,
            settings: document.settings,
        };
        let (mut machine, mut effects) = (MemberState::new(config), Vec::new());
        let now = WallTime::from_millis(u64::MAX);
        machine.hear(News::Claimed(Incarnation(1)), now, &mut effects);
        machine.hear(News::Document(Some(document.clone())), now, &mut effects);
        machine.hear(News::Tick, now, &mut effects);
        machine.report(now).expect("it has claimed its slot");
        order(&Order::new(document, member));
    }
}

/// A subtask follows an order, with records around each of its ends.
pub(crate) fn order(order: &Order) {
    if order.spans.is_empty() {
        return; // the bridge refuses it
    }
    let member = Member::new(tidegate_protocol::identity::Color::Blue, 1);
    let limits = Limits { max_ahead_ms: Some(1), ..Limits::default() };
    let mut subtask = Subtask::new(member, limits, &[], Vec::new()).expect("no headers, no difference");
    let mut effects = Vec::new();
    let ends = order.spans.iter().flat_map(|span| [span.since.plus(-1), span.since, span.since.plus(1)]);
    let times: Vec<EventTime> = ends.chain([EventTime::MIN, EventTime::MAX]).collect();
    for follow in [false, true] {
        if follow {
            subtask.step(subtask::Event::Order(order.clone()), &mut effects);
        }
        for time in &times {
            subtask.step(subtask::Event::Record { time: Some(*time), bytes: 1, record: () }, &mut effects);
            subtask.step(subtask::Event::Watermark(*time), &mut effects);
            subtask.lease();
        }
    }
    let now = WallTime::from_millis(u64::MAX);
    subtask.step(subtask::Event::Snapshot(tidegate_protocol::identity::CheckpointId(1), now), &mut effects);
    subtask.status();
}

/// A member machine takes an event that the bridge has let through.
pub(crate) fn events(document: &Document, events: &[Event]) {
    let owner = document.active();
    let config = Config {
        rollout: document.rollout.clone(),
        member: owner.member,
        job: "a job".to_owned(),
        instance: "an instance".to_owned(),
        gates: vec!["orders".to_owned()],
        from_beginning: true,
        settings: document.settings,
    };
    let (mut machine, mut effects) = (MemberState::new(config), Vec::new());
    let now = WallTime::from_millis(1);
    machine.hear(News::Claimed(Incarnation(1)), now, &mut effects);
    for event in events {
        machine.step(event.clone(), now, &mut effects);
        machine.hear(News::Document(Some(document.clone())), now, &mut effects);
        machine.hear(News::Tick, WallTime::from_millis(u64::MAX), &mut effects);
        let report = machine.report(now).expect("it has claimed its slot");
        assert_eq!(v1::read_report(&v1::write_report(&report)).expect("a report can be read"), report);
        observation(document, &[report], None, now);
    }
}
