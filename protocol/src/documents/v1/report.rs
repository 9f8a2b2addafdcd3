//! A member's report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Time, to_bytes, unique_keys};
use crate::documents::{Error, read_v1};
use crate::identity::{Attempt, CheckpointId, Epoch, Incarnation, Member, Origin};
use crate::report::{FarRecord, GateReport, Replies, Report, SlowSubtask, Trouble};
use crate::time::WallTime;

#[derive(Serialize, Deserialize)]
struct ReportV1 {
    version: u32,
    member: Member,
    incarnation: Incarnation,
    instance: String,
    job: String,
    written_at_ms: WallTime,
    epoch: Option<Epoch>,
    origin: Option<Origin>,
    from_beginning: bool,
    event_rate: i64,
    trouble: Vec<TroubleV1>,
    #[serde(deserialize_with = "unique_keys")]
    gates: BTreeMap<String, GateV1>,
}

#[derive(Serialize, Deserialize)]
struct TroubleV1 {
    code: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
struct GateV1 {
    parallelism: u32,
    ready: u32,
    ended: u32,
    idle: u32,
    replies: Option<RepliesV1>,
    emitted_high: Time,
    discarded_high: Time,
    watermark_low: Time,
    watermark_high: Time,
    frontier: Time,
    committed: Option<CheckpointId>,
    held: u64,
    full: u32,
    emitted: u64,
    discarded: u64,
    late: u64,
    untimed: u64,
    future: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    furthest: Option<FarV1>,
    slowest: Vec<SlowV1>,
}

#[derive(Serialize, Deserialize)]
struct FarV1 {
    subtask: u32,
    time: Time,
}

#[derive(Serialize, Deserialize)]
struct RepliesV1 {
    attempt: Attempt,
    acknowledged: u32,
    refused_high: Option<Time>,
    missing: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct SlowV1 {
    subtask: u32,
    watermark: Time,
    frontier: Time,
    held: u64,
}

/// Writes a report.
pub fn write_report(report: &Report) -> Vec<u8> {
    to_bytes(&ReportV1 {
        version: 1,
        member: report.member,
        incarnation: report.incarnation,
        instance: report.instance.clone(),
        job: report.job.clone(),
        written_at_ms: report.written,
        epoch: report.epoch,
        origin: report.origin,
        from_beginning: report.from_beginning,
        event_rate: report.event_rate,
        trouble: report
            .trouble
            .iter()
            .map(|trouble| TroubleV1 { code: trouble.code.clone(), message: trouble.message.clone() })
            .collect(),
        gates: report.gates.iter().map(|(name, gate)| (name.clone(), gate.into())).collect(),
    })
}

/// Reads a report. Unknown fields are passed over: a newer member may say more.
pub fn read_report(bytes: &[u8]) -> Result<Report, Error> {
    let read: ReportV1 = read_v1("report", bytes)?;
    Ok(Report {
        member: read.member,
        incarnation: read.incarnation,
        instance: read.instance,
        job: read.job,
        written: read.written_at_ms,
        epoch: read.epoch,
        origin: read.origin,
        from_beginning: read.from_beginning,
        event_rate: read.event_rate,
        trouble: read
            .trouble
            .into_iter()
            .map(|trouble| Trouble { code: trouble.code, message: trouble.message })
            .collect(),
        gates: read.gates.into_iter().map(|(name, gate)| (name, gate.into())).collect(),
    })
}

impl From<&GateReport> for GateV1 {
    fn from(gate: &GateReport) -> GateV1 {
        let [late, untimed, future] = gate.odd;
        GateV1 {
            parallelism: gate.parallelism,
            ready: gate.ready,
            ended: gate.ended,
            idle: gate.idle,
            replies: gate.replies.as_ref().map(|replies| RepliesV1 {
                attempt: replies.attempt,
                acknowledged: replies.acknowledged,
                refused_high: replies.refused_high.map(Time),
                missing: replies.missing.clone(),
            }),
            emitted_high: Time(gate.emitted_high),
            discarded_high: Time(gate.discarded_high),
            watermark_low: Time(gate.watermark_low),
            watermark_high: Time(gate.watermark_high),
            frontier: Time(gate.frontier),
            committed: gate.committed,
            held: gate.held,
            full: gate.full,
            emitted: gate.emitted,
            discarded: gate.discarded,
            late,
            untimed,
            future,
            furthest: gate.furthest.map(|far| FarV1 { subtask: far.subtask, time: Time(far.time) }),
            slowest: gate.slowest.iter().map(SlowV1::from).collect(),
        }
    }
}

impl From<GateV1> for GateReport {
    fn from(gate: GateV1) -> GateReport {
        GateReport {
            parallelism: gate.parallelism,
            ready: gate.ready,
            ended: gate.ended,
            idle: gate.idle,
            replies: gate.replies.map(|replies| Replies {
                attempt: replies.attempt,
                acknowledged: replies.acknowledged,
                refused_high: replies.refused_high.map(|time| time.0),
                missing: replies.missing,
            }),
            emitted_high: gate.emitted_high.0,
            discarded_high: gate.discarded_high.0,
            watermark_low: gate.watermark_low.0,
            watermark_high: gate.watermark_high.0,
            frontier: gate.frontier.0,
            committed: gate.committed,
            held: gate.held,
            full: gate.full,
            emitted: gate.emitted,
            discarded: gate.discarded,
            odd: [gate.late, gate.untimed, gate.future],
            furthest: gate.furthest.map(|far| FarRecord { subtask: far.subtask, time: far.time.0 }),
            slowest: gate.slowest.into_iter().map(SlowSubtask::from).collect(),
        }
    }
}

impl From<&SlowSubtask> for SlowV1 {
    fn from(slow: &SlowSubtask) -> SlowV1 {
        SlowV1 {
            subtask: slow.subtask,
            watermark: Time(slow.watermark),
            frontier: Time(slow.frontier),
            held: slow.held,
        }
    }
}

impl From<SlowV1> for SlowSubtask {
    fn from(slow: SlowV1) -> SlowSubtask {
        SlowSubtask {
            subtask: slow.subtask,
            watermark: slow.watermark.0,
            frontier: slow.frontier.0,
            held: slow.held,
        }
    }
}
