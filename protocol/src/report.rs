//! What a member tells the others: per gate, aggregated over its subtasks, so that it does not grow with parallelism.

use std::collections::BTreeMap;

use crate::identity::{Attempt, CheckpointId, Epoch, Incarnation, Member, Origin};
use crate::time::{EventTime, WallTime};

/// How many subtasks a report names at most, per gate and kind.
pub const NAMED: usize = 3;

/// One member's word, in the slot of its newest incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// Who speaks.
    pub member: Member,
    /// Which life of its agent.
    pub incarnation: Incarnation,
    /// A name that no other life of any agent has.
    pub instance: String,
    /// The Flink job that it runs in.
    pub job: String,
    /// When this was written, for people; nothing is decided by it.
    pub written: WallTime,
    /// The epoch of the document that its newest orders come from, or a higher one that a former life or another member has
    /// told; `None` before any.
    pub epoch: Option<Epoch>,
    /// What it was first started from; `None` before every subtask has told.
    pub origin: Option<Origin>,
    /// Its sources were started at the beginning, so it needs no snapshot to have missed nothing.
    pub from_beginning: bool,
    /// Event time that goes by, in milliseconds per second of wall-clock time.
    pub event_rate: i64,
    /// Its gates do not follow the document, and why.
    pub trouble: Vec<Trouble>,
    /// By name.
    pub gates: BTreeMap<String, GateReport>,
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trouble {
    /// Its stable name.
    pub code: String,
    /// What it is, and the way out.
    pub message: String,
}

/// The subtasks' replies to the attempt that is newest among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replies {
    /// The attempt.
    pub attempt: Attempt,
    /// How many subtasks acknowledged it.
    pub acknowledged: u32,
    /// The highest timestamp of those that refused it; `None` when none did.
    pub refused_high: Option<EventTime>,
    /// Some that have not acknowledged, lowest index first, at most [`NAMED`].
    pub missing: Vec<u32>,
}

/// One subtask, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlowSubtask {
    /// Its index.
    pub subtask: u32,
    /// Everything below it has arrived.
    pub watermark: EventTime,
    /// Everything below it is committed.
    pub frontier: EventTime,
    /// Records that it holds.
    pub held: u64,
}

/// A record from the far future, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FarRecord {
    /// The subtask that it came to.
    pub subtask: u32,
    /// What it was dated.
    pub time: EventTime,
}

/// One gate of one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GateReport {
    /// How many subtasks it has.
    pub parallelism: u32,
    /// How many of them have told their status.
    pub ready: u32,
    /// How many have ended.
    pub ended: u32,
    /// How many are idle.
    pub idle: u32,
    /// Replies to the newest attempt.
    pub replies: Option<Replies>,
    /// The highest timestamp that was emitted.
    pub emitted_high: EventTime,
    /// The highest timestamp that was discarded.
    pub discarded_high: EventTime,
    /// The lowest watermark of the subtasks that are neither idle nor ended.
    pub watermark_low: EventTime,
    /// The highest watermark.
    pub watermark_high: EventTime,
    /// Everything below it is committed.
    pub frontier: EventTime,
    /// The last checkpoint whose output is known to be committed.
    pub committed: Option<CheckpointId>,
    /// Records held.
    pub held: u64,
    /// Subtasks whose bound of holding is reached.
    pub full: u32,
    /// Records emitted since its subtasks were started.
    pub emitted: u64,
    /// Records discarded since its subtasks were started.
    pub discarded: u64,
    /// Records that were late, without a time, and from the far future.
    pub odd: [u64; 3],
    /// One of those from the far future, the one that is dated furthest.
    pub furthest: Option<FarRecord>,
    /// The subtasks with the lowest frontiers, at most [`NAMED`].
    pub slowest: Vec<SlowSubtask>,
}

impl Report {
    /// Everything below it is committed, in every gate.
    pub fn frontier(&self) -> EventTime {
        self.gates.values().map(|gate| gate.frontier).min().unwrap_or(EventTime::MIN)
    }

    /// The highest of something over the gates.
    pub fn highest(&self, of: impl Fn(&GateReport) -> EventTime) -> EventTime {
        self.gates.values().map(of).max().unwrap_or(EventTime::MIN)
    }

    /// Every subtask of every gate has told its status.
    pub fn is_complete(&self) -> bool {
        !self.gates.is_empty()
            && self.gates.values().all(|gate| gate.parallelism > 0 && gate.ready == gate.parallelism)
    }
}
