use tidegate_protocol::conductor::Seen;
use tidegate_protocol::document::{Cutover, Document, HandOver, Outcome as Ending, Past, Settings, Terms};
use tidegate_protocol::identity::CheckpointId;
use tidegate_protocol::identity::{Attempt, Color, Epoch, Incarnation, Member, Origin, Snapshot};
use tidegate_protocol::report::{GateReport, Replies, Report};
use tidegate_protocol::rollout::{
    Baseline, Cause, Condition, ConditionKind, Entry, Failed, Failure, Launch, Phase, Plan, Purpose, Record,
    Revision, Savepoint, Start, Verdict, Version,
};
use tidegate_protocol::time::{EventTime, WallTime};

use super::sample::{
    Outcome as Ended, acknowledgements_missing, boundary_seconds, duration_ms, outcome, paused_ms,
};
use super::*;

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 2);

fn at(millis: u64) -> WallTime {
    WallTime::from_millis(millis)
}

fn version(member: Member, revision: &str) -> Version {
    let (launch, revision) = (Launch::first(member), Revision(revision.to_owned()));
    Version { launch, revision, start: Start::Empty, scale: None, ran: true, rooted: true }
}

fn baseline() -> Baseline {
    Baseline { at: at(0), restarts: 0, failed_checkpoints: 0, completed_checkpoints: 0 }
}

fn way_back() -> Savepoint {
    let snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(3) };
    Savepoint { snapshot, path: "s".to_owned() }
}

fn failure() -> Failure {
    Failure { cause: Cause::Unstable, message: "it crashed".to_owned() }
}

/// With blue active, in its second rollout.
fn record(phase: Phase) -> Record {
    Record { attempt: 2, active: Some(version(BLUE, "r1")), phase, ..Record::default() }
}

fn watching() -> Phase {
    let (former, baseline) = (version(BLUE, "r1"), baseline());
    Phase::Watching { former, way_back: way_back(), baseline, condemned: None, since: at(0) }
}

fn proving(purpose: Purpose) -> Phase {
    Phase::Proving { purpose, baseline: None, caught_up: None, waived: false, since: at(0) }
}

fn plan(record: Record) -> Plan {
    let condition = |kind, status| Condition { kind, status, reason: "x", message: String::new() };
    let conditions = vec![condition(ConditionKind::Ready, false), condition(ConditionKind::Available, true)];
    Plan { record, action: None, waiting: Vec::new(), conditions, lag_ms: Some(1_500), wake: None }
}

fn terms(attempt: u64, millis: i64) -> Terms {
    Terms {
        attempt: Attempt(attempt),
        to: GREEN,
        origin: Origin::Fresh,
        at: EventTime::from_millis(millis),
        hand_over: HandOver::Ordered,
        proposed: at(0),
    }
}

fn document(cutover: Option<Cutover>) -> Document {
    Document { cutover, ..Document::first("orders", BLUE, Origin::Fresh, Settings::default()) }
}

fn proposed() -> Document {
    document(Some(Cutover::Proposed { terms: terms(7, 90_500), deadline: at(0), tries_left: None }))
}

/// A gate's subtasks, and how many of them have acknowledged which attempt.
type Gate = (u32, Option<(u64, u32)>);

fn seen(member: Member, gates: &[Gate]) -> Seen {
    let gate = |(index, (parallelism, replies)): (usize, &Gate)| {
        let replies = replies.map(|(attempt, acknowledged)| Replies {
            attempt: Attempt(attempt),
            acknowledged,
            refused_high: None,
            missing: Vec::new(),
        });
        let low = EventTime::MIN;
        let report = GateReport {
            parallelism: *parallelism,
            ready: *parallelism,
            ended: 0,
            idle: 0,
            replies,
            emitted_high: low,
            discarded_high: low,
            watermark_low: low,
            watermark_high: low,
            frontier: low,
            committed: None,
            held: 0,
            full: 0,
            emitted: 0,
            discarded: 0,
            odd: [0; 3],
            furthest: None,
            slowest: Vec::new(),
        };
        (format!("gate-{index}"), report)
    };
    let report = Report {
        member,
        incarnation: Incarnation(1),
        instance: "i".to_owned(),
        job: "j".to_owned(),
        written: at(0),
        epoch: Some(Epoch(1)),
        origin: None,
        from_beginning: false,
        event_rate: 0,
        trouble: Vec::new(),
        gates: gates.iter().enumerate().map(gate).collect(),
    };
    Seen { report, silent_ms: 0 }
}

fn reports(list: Vec<Seen>) -> BTreeMap<Member, Seen> {
    list.into_iter().map(|seen| (seen.report.member, seen)).collect()
}

fn entry(millis: u64, what: &str, attempt: u64) -> Entry {
    Entry {
        at: at(millis),
        who: String::new(),
        what: what.to_owned(),
        why: String::new(),
        attempt,
        phase: String::new(),
        warning: false,
    }
}

/// All there is to tell about one resource, and what is told.
fn told() -> (Metrics, String) {
    let metrics = Metrics::new().unwrap();
    let (before, after) = (record(watching()), record(Phase::Idle));
    let history = vec![entry(0, "began", 1), entry(1_000, "began", 2)];
    let plan = plan(Record { history, ..after });
    let document = proposed();
    let reports = reports(vec![seen(BLUE, &[(2, None)])]);
    let checks = BTreeMap::from([
        ("totals".to_owned(), Verdict::Passed),
        ("page".to_owned(), Verdict::Pending("0 of 3".to_owned())),
    ]);
    let look = Look {
        before: &before,
        plan: &plan,
        document: Some(&document),
        reports: &reports,
        checks: &checks,
        now: at(61_000),
    };
    metrics.lead(true);
    metrics.reconciled(Duration::from_millis(20), true);
    metrics.observe("shop", "orders", &look);
    metrics.store_error("shop", "orders");
    metrics.notified("shop", "orders", "chat", Outcome::Dropped);
    let text = metrics.text().unwrap();
    (metrics, text)
}

#[test]
fn everything_about_a_resource_is_told() {
    let (_, text) = told();
    let of = r#"name="orders",namespace="shop""#;
    for line in [
        format!("tidegate_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
        "tidegate_controller_leader 1".to_owned(),
        "tidegate_controller_reconciles_total{result=\"ok\"} 1".to_owned(),
        "tidegate_controller_reconciles_total{result=\"error\"} 0".to_owned(),
        "tidegate_controller_reconcile_duration_seconds_bucket{le=\"0.05\"} 1".to_owned(),
        format!("tidegate_rollout_phase{{{of},phase=\"Idle\"}} 1"),
        format!("tidegate_rollout_phase{{{of},phase=\"Watching\"}} 0"),
        format!("tidegate_rollout_condition{{condition=\"Available\",{of}}} 1"),
        format!("tidegate_rollout_condition{{condition=\"Ready\",{of}}} 0"),
        format!("tidegate_rollout_check{{check=\"totals\",{of},verdict=\"passed\"}} 1"),
        format!("tidegate_rollout_check{{check=\"totals\",{of},verdict=\"pending\"}} 0"),
        format!("tidegate_rollout_check{{check=\"page\",{of},verdict=\"pending\"}} 1"),
        format!("tidegate_cutover_boundary_timestamp_seconds{{{of}}} 90.5"),
        format!("tidegate_rollout_lag_seconds{{{of}}} 1.5"),
        format!("tidegate_cutover_acknowledgements_missing{{{of}}} 3"),
        format!("tidegate_rollout_duration_seconds_sum{{{of},outcome=\"completed\"}} 60"),
        format!("tidegate_rollout_paused_seconds_total{{{of}}} 0"),
        format!("tidegate_store_errors_total{{{of}}} 1"),
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is missing in:\n{text}");
    }
    let phases = text.lines().filter(|line| line.starts_with("tidegate_rollout_phase{"));
    assert_eq!(phases.filter(|line| line.ends_with(" 1")).count(), 1);
}

#[test]
fn a_resource_takes_its_series_with_it() {
    let (metrics, text) = told();
    assert!(text.contains("orders"));
    metrics.store_error("shop", "others");
    metrics.forget("shop", "orders");
    metrics.notified("shop", "orders", "chat", Outcome::Sent);
    let text = metrics.text().unwrap();
    assert!(!text.contains("orders") && text.contains("others"), "{text}");
    // It may come again.
    metrics.store_error("shop", "orders");
    assert!(metrics.text().unwrap().contains("orders"));
    metrics.lead(false);
    let text = metrics.text().unwrap();
    assert!(!text.contains("shop") && text.contains("tidegate_controller_leader 0"), "{text}");
}

#[test]
fn what_is_not_known_is_not_told() {
    let (metrics, _) = told();
    let record = record(Phase::Idle);
    let plan = Plan { lag_ms: None, ..plan(record.clone()) };
    let (reports, checks) = (BTreeMap::new(), BTreeMap::new());
    let look = Look {
        before: &record,
        plan: &plan,
        document: None,
        reports: &reports,
        checks: &checks,
        now: at(62_000),
    };
    metrics.observe("shop", "orders", &look);
    let text = metrics.text().unwrap();
    for name in ["lag_seconds{", "boundary_timestamp_seconds{", "acknowledgements_missing{", "rollout_check{"]
    {
        assert!(!text.contains(name), "{name} in {text}");
    }
}

#[test]
fn the_boundary_is_that_of_the_cutover_under_way_or_of_the_last_one_done() {
    let past =
        |attempt, millis, outcome| Past { terms: terms(attempt, millis), from: BLUE, outcome, ended: at(0) };
    let aborted = || Ending::Aborted { code: "c".to_owned(), message: "m".to_owned() };
    let history = vec![past(1, 1_000, Ending::Done), past(2, 2_000, aborted())];
    assert_eq!(boundary_seconds(&document(None)), None);
    assert_eq!(boundary_seconds(&Document { history: history.clone(), ..document(None) }), Some(1.0));
    assert_eq!(boundary_seconds(&Document { history, ..proposed() }), Some(90.5));
}

#[test]
fn an_acknowledgement_counts_for_its_attempt_and_nobody_is_missing_once() {
    let missing = |list| acknowledgements_missing(&proposed(), &reports(list));
    assert_eq!(missing(vec![]), Some(2));
    assert_eq!(missing(vec![seen(BLUE, &[(4, Some((7, 4)))]), seen(GREEN, &[(2, Some((7, 2)))])]), Some(0));
    assert_eq!(missing(vec![seen(BLUE, &[(4, Some((6, 4)))]), seen(GREEN, &[(2, Some((7, 1)))])]), Some(5));
    assert_eq!(
        missing(vec![seen(BLUE, &[(2, None), (3, Some((7, 3)))]), seen(GREEN, &[(0, None)])]),
        Some(3)
    );
    let committed = document(Some(Cutover::Committed { terms: terms(7, 1), committed: at(0) }));
    assert_eq!(acknowledgements_missing(&committed, &BTreeMap::new()), None);
    assert_eq!(acknowledgements_missing(&document(None), &BTreeMap::new()), None);
}

#[test]
fn a_rollout_ends_where_it_comes_to_rest() {
    let (blue, green) = (version(BLUE, "r1"), version(GREEN, "r2"));
    let idle = |active: &Version, failed: Option<&str>| Record {
        active: Some(active.clone()),
        failed: failed.map(|revision| Failed {
            revision: Revision(revision.to_owned()),
            failure: failure(),
            at: at(0),
        }),
        ..record(Phase::Idle)
    };
    let ready = Phase::Ready { target: green.clone(), baseline: baseline(), promoted: false, since: at(0) };
    let reversing = Phase::Reversing {
        back: blue.clone(),
        way_back: None,
        before: Attempt(1),
        tries: 1,
        failure: failure(),
        abandoned: false,
        since: at(0),
    };
    let in_place = |fallback: Option<&Version>| proving(Purpose::InPlace { fallback: fallback.cloned() });
    for (phase, active, failed, ending) in [
        (proving(Purpose::First), &blue, None, Some(Ended::Completed)),
        (watching(), &green, None, Some(Ended::Completed)),
        (proving(Purpose::Standby(green.clone())), &blue, Some("r2"), Some(Ended::GivenUp)),
        (ready, &blue, Some("r2"), Some(Ended::GivenUp)),
        (reversing.clone(), &blue, Some("r2"), Some(Ended::RolledBack)),
        (reversing, &green, None, Some(Ended::Completed)),
        (proving(Purpose::Reclaim), &blue, Some("r2"), Some(Ended::RolledBack)),
        (in_place(Some(&blue)), &blue, None, Some(Ended::Completed)),
        (in_place(None), &blue, Some("r2"), Some(Ended::RolledBack)),
        (in_place(None), &blue, Some("r1"), Some(Ended::Completed)),
        (Phase::Idle, &blue, None, None),
    ] {
        assert_eq!(outcome(&record(phase.clone()), &idle(active, failed)), ending, "{phase:?}");
    }
    assert_eq!(outcome(&record(watching()), &record(watching())), None);
}

#[test]
fn a_duration_has_no_pauses_of_people_in_it() {
    let of = |history: Vec<Entry>| duration_ms(&Record { history, ..record(Phase::Idle) }, at(100));
    assert_eq!(of(vec![entry(5, "began", 1), entry(10, "began", 2)]), Some(90));
    let held =
        [entry(5, "x", 1), entry(10, "began", 2), entry(20, Entry::PAUSED, 2), entry(50, Entry::RESUMED, 2)];
    assert_eq!(of(held.to_vec()), Some(60));
    assert_eq!(of(held[..3].to_vec()), Some(10));
    // Its beginning is not in the history any more.
    assert_eq!(of(vec![entry(10, "later", 2)]), None);
    assert_eq!(of(vec![]), None);
}

#[test]
fn pauses_are_counted_while_they_last_and_only_what_was_seen() {
    let paused = |before: Option<u64>, after: Option<u64>, last: Option<u64>| {
        let before = Record { paused: before.map(at), ..record(Phase::Idle) };
        let plan = plan(Record { paused: after.map(at), ..record(Phase::Idle) });
        let (reports, checks) = (BTreeMap::new(), BTreeMap::new());
        let look = Look {
            before: &before,
            plan: &plan,
            document: None,
            reports: &reports,
            checks: &checks,
            now: at(100),
        };
        paused_ms(&look, last.map(at))
    };
    assert_eq!(paused(None, None, Some(90)), 0);
    assert_eq!(paused(None, Some(100), Some(90)), 0);
    assert_eq!(paused(Some(95), Some(95), Some(90)), 5);
    assert_eq!(paused(Some(50), Some(50), Some(90)), 10);
    assert_eq!(paused(Some(50), None, Some(90)), 10);
    assert_eq!(paused(Some(50), Some(50), None), 0);
}

/// As promtool's linter has it: every family has help and a type, a counter and nothing else ends in `_total`, and units are
/// base units, written out.
#[test]
fn names_and_help_are_as_the_field_wants_them() {
    let (_, text) = told();
    let families = families(&text);
    assert!(families.len() > 10, "{families:?}");
    for (name, kind, help) in families {
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(plain && name.starts_with("tidegate_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        for suffix in ["_count", "_sum", "_bucket", "_counter", "_gauge", "_histogram"] {
            assert!(!name.ends_with(suffix), "{name}");
        }
        let words: Vec<&str> = name.split('_').collect();
        for unit in ["ms", "milliseconds", "minutes", "hours", "sec", "secs", "percent", "kb", "mb"] {
            assert!(!words.contains(&unit), "{name}");
        }
        assert!(help.ends_with('.') && help.len() > 20, "{name}: {help}");
    }
}

#[test]
fn the_page_about_metrics_lists_just_these() {
    let (_, text) = told();
    let mut listed: Vec<(String, String, String)> = include_str!("../../../../docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `tidegate_"))
        .map(|rest| {
            let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
            (format!("tidegate_{}", cells[0].trim_matches('`')), cells[1].to_owned(), cells[3].to_owned())
        })
        .collect();
    listed.sort();
    let told: Vec<_> = families(&text)
        .into_iter()
        .map(|(name, kind, help)| (name.to_owned(), kind.to_owned(), help.to_owned()))
        .collect();
    assert_eq!(listed, told);
}

#[test]
fn the_page_about_metrics_has_their_labels() {
    let (_, text) = told();
    for line in include_str!("../../../../docs/metrics.md").lines() {
        let Some(rest) = line.strip_prefix("| `tidegate_") else { continue };
        let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
        let name = format!("tidegate_{}", cells[0].trim_matches('`'));
        let series = text.lines().find(|line| {
            line.starts_with(&format!("{name}{{"))
                || line.starts_with(&format!("{name} "))
                || line.starts_with(&format!("{name}_sum"))
        });
        let series = series.unwrap_or_else(|| panic!("there is no {name}"));
        let labels = series
            .split_once('{')
            .and_then(|(_, rest)| rest.rsplit_once('}'))
            .map_or("", |(labels, _)| labels);
        let mut found: Vec<&str> =
            labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        let mut listed: Vec<&str> = cells[2]
            .split(", ")
            .map(|label| label.trim_matches('`'))
            .filter(|label| !label.is_empty())
            .collect();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, found, "{name}");
    }
}

/// Name, type and help, by name.
fn families(text: &str) -> Vec<(&str, &str, &str)> {
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let types: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    helps.map(|(name, help)| (name, types[name], help)).collect()
}
