//! The status of a rollout as it is shown, in both forms.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_protocol::conductor::{Seen, Waiting};
use tidegate_protocol::document::{Cutover, Document, Outcome};
use tidegate_protocol::identity::Member;
use tidegate_protocol::report::{GateReport, Trouble};
use tidegate_protocol::time::EventTime;

/// Event time as epoch milliseconds; `None` for an infinity.
type Millis = Option<i64>;

/// A rollout. Times are epoch milliseconds of event time, `null` where there is none (yet).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct View {
    pub(crate) rollout: String,
    pub(crate) store: String,
    pub(crate) epoch: u64,
    pub(crate) active: Member,
    pub(crate) settled: Millis,
    /// People have set the key `pause`.
    pub(crate) paused: bool,
    pub(crate) cutover: Option<CutoverView>,
    pub(crate) members: Vec<MemberView>,
    pub(crate) waiting: Vec<WaitingView>,
    pub(crate) trouble: Vec<TroubleView>,
    pub(crate) history: Vec<PastView>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CutoverView {
    pub(crate) state: &'static str,
    pub(crate) attempt: u64,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) at: Millis,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MemberView {
    pub(crate) member: Member,
    /// active, former, taking-over, standby, starting, closed, silent, gone
    pub(crate) role: &'static str,
    /// May be stopped for good: it owns nothing, and no cutover names it.
    pub(crate) retirable: bool,
    pub(crate) owns: Vec<Part>,
    pub(crate) job: Option<String>,
    pub(crate) incarnation: Option<u64>,
    pub(crate) silent_ms: Option<u64>,
    pub(crate) trouble: Vec<TroubleView>,
    pub(crate) gates: Vec<GateView>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) since: Millis,
    pub(crate) until: Millis,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GateView {
    pub(crate) gate: String,
    pub(crate) parallelism: u32,
    pub(crate) ready: u32,
    pub(crate) watermark: Millis,
    pub(crate) frontier: Millis,
    pub(crate) emitted: u64,
    pub(crate) discarded: u64,
    pub(crate) held: u64,
    pub(crate) late: u64,
    pub(crate) untimed: u64,
    pub(crate) future: u64,
    /// The record from the far future that is dated furthest.
    pub(crate) furthest: Option<FarView>,
    pub(crate) slowest: Vec<SlowView>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FarView {
    pub(crate) subtask: u32,
    pub(crate) time: Millis,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SlowView {
    pub(crate) subtask: u32,
    pub(crate) watermark: Millis,
    pub(crate) frontier: Millis,
    pub(crate) held: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct WaitingView {
    pub(crate) r#for: &'static str,
    pub(crate) member: Option<Member>,
    pub(crate) gate: Option<String>,
    pub(crate) subtask: Option<u32>,
    pub(crate) text: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TroubleView {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PastView {
    pub(crate) attempt: u64,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) at: Millis,
    pub(crate) outcome: String,
    pub(crate) seconds: f64,
}

impl View {
    pub(crate) fn new(
        store: &str,
        document: &Document,
        paused: bool,
        reports: &BTreeMap<Member, Seen>,
        waiting: &[Waiting],
        trouble: &[Trouble],
    ) -> View {
        let mut names: Vec<Member> = document.owners.iter().map(|owner| owner.member).collect();
        names.extend(reports.keys());
        names.sort_unstable();
        names.dedup();
        View {
            rollout: document.rollout.clone(),
            store: store.to_owned(),
            epoch: document.epoch.0,
            active: document.active().member,
            settled: document.settled.finite(),
            paused,
            cutover: cutover(document),
            members: names
                .into_iter()
                .map(|member| MemberView::new(document, member, reports.get(&member)))
                .collect(),
            waiting: waiting.iter().map(WaitingView::new).collect(),
            trouble: trouble.iter().map(TroubleView::new).collect(),
            history: document.history.iter().map(PastView::new).collect(),
        }
    }
}

fn cutover(document: &Document) -> Option<CutoverView> {
    let (state, terms) = match document.cutover.as_ref()? {
        Cutover::Proposed { terms, .. } => ("proposed", terms),
        Cutover::Committed { terms, .. } => ("committed", terms),
    };
    let from = document.active().member;
    Some(CutoverView { state, attempt: terms.attempt.0, from, to: terms.to, at: terms.at.finite() })
}

impl MemberView {
    fn new(document: &Document, member: Member, seen: Option<&Seen>) -> MemberView {
        let report = seen.map(|seen| &seen.report);
        MemberView {
            member,
            role: role(document, member, seen),
            retirable: document.may_retire(member),
            owns: parts(document, member),
            job: report.map(|report| report.job.clone()),
            incarnation: report.map(|report| report.incarnation.0),
            silent_ms: seen.map(|seen| seen.silent_ms),
            trouble: report
                .map(|report| report.trouble.iter().map(TroubleView::new).collect())
                .unwrap_or_default(),
            gates: report
                .map(|report| report.gates.iter().map(|(name, gate)| GateView::new(name, gate)).collect())
                .unwrap_or_default(),
        }
    }
}

fn role(document: &Document, member: Member, seen: Option<&Seen>) -> &'static str {
    if document.gone.contains(&member) {
        return "gone";
    }
    let Some(seen) = seen.filter(|seen| seen.is_alive()) else { return "silent" };
    if document.active().member == member {
        "active"
    } else if document.terms().is_some_and(|terms| terms.to == member) {
        "taking-over"
    } else if document.owns(member) {
        "former"
    } else if !seen.report.trouble.is_empty() {
        "closed"
    } else if seen.report.is_complete() && seen.report.epoch.is_some() {
        "standby"
    } else {
        "starting"
    }
}

fn parts(document: &Document, member: Member) -> Vec<Part> {
    let ends = document.owners.iter().skip(1).map(|owner| owner.since).chain([EventTime::MAX]);
    let parts = document.owners.iter().zip(ends).filter(|(owner, _)| owner.member == member);
    parts.map(|(owner, end)| Part { since: owner.since.finite(), until: end.finite() }).collect()
}

impl GateView {
    fn new(name: &str, gate: &GateReport) -> GateView {
        let [late, untimed, future] = gate.odd;
        GateView {
            gate: name.to_owned(),
            parallelism: gate.parallelism,
            ready: gate.ready,
            watermark: gate.watermark_low.finite(),
            frontier: gate.frontier.finite(),
            emitted: gate.emitted,
            discarded: gate.discarded,
            held: gate.held,
            late,
            untimed,
            future,
            furthest: gate.furthest.map(|far| FarView { subtask: far.subtask, time: far.time.finite() }),
            slowest: gate
                .slowest
                .iter()
                .map(|slow| SlowView {
                    subtask: slow.subtask,
                    watermark: slow.watermark.finite(),
                    frontier: slow.frontier.finite(),
                    held: slow.held,
                })
                .collect(),
        }
    }
}

impl WaitingView {
    fn new(waiting: &Waiting) -> WaitingView {
        WaitingView {
            r#for: waiting.what.code(),
            member: waiting.member,
            gate: waiting.gate.clone(),
            subtask: waiting.subtask,
            text: waiting.to_string(),
        }
    }
}

impl TroubleView {
    fn new(trouble: &Trouble) -> TroubleView {
        TroubleView { code: trouble.code.clone(), message: trouble.message.clone() }
    }
}

impl PastView {
    fn new(past: &tidegate_protocol::document::Past) -> PastView {
        PastView {
            attempt: past.terms.attempt.0,
            from: past.from,
            to: past.terms.to,
            at: past.terms.at.finite(),
            outcome: match &past.outcome {
                Outcome::Done => "done".to_owned(),
                Outcome::Aborted { code, .. } => format!("aborted ({code})"),
            },
            seconds: past.ended.since(past.terms.proposed) as f64 / 1_000.0,
        }
    }
}
