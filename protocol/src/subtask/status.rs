//! What a subtask tells its agent.

use serde::{Deserialize, Serialize};

use super::{Counts, Subtask};
use crate::identity::{Attempt, CheckpointId, Epoch, Origin};
use crate::order::{Question, Side};
use crate::time::EventTime;

/// A subtask's answer to a proposed boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reply {
    /// The attempt that is answered.
    pub attempt: Attempt,
    /// The subtask holds from the boundary on, and has disposed of nothing at or above it.
    pub acknowledged: bool,
    /// The highest timestamp that it has disposed of: emitted for `from`, discarded for `to`.
    pub high: EventTime,
}

/// What a subtask tells its agent, as often as it likes; each status replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// The epoch of the order that it follows; `None` before the first one.
    pub epoch: Option<Epoch>,
    /// The highest epoch that it has ever known, from its snapshot too.
    pub known: Epoch,
    /// What its member was first started from.
    pub origin: Origin,
    /// Its answer to the question of its order.
    pub reply: Option<Reply>,
    /// The highest timestamp that it has emitted.
    pub emitted_high: EventTime,
    /// The highest timestamp that it has discarded.
    pub discarded_high: EventTime,
    /// Everything below it has arrived.
    pub watermark: EventTime,
    /// The input is idle.
    pub idle: bool,
    /// The input has ended.
    pub ended: bool,
    /// How many records it holds.
    pub held: u64,
    /// The bound of holding is reached, and the input waits.
    pub full: bool,
    /// The frontier of each snapshot that it has taken, ascending.
    pub snapshots: Vec<(CheckpointId, EventTime)>,
    /// How many records it has emitted.
    pub emitted: u64,
    /// How many records it has discarded.
    pub discarded: u64,
    /// How many were late, without a time, and from the far future.
    pub odd: [u64; 3],
    /// What the last one from the far future was dated.
    pub future_time: Option<EventTime>,
}

impl Reply {
    /// The answer of a subtask that has disposed of records up to these timestamps.
    pub(super) fn new(question: Question, emitted_high: EventTime, discarded_high: EventTime) -> Reply {
        let high = match question.side {
            Side::From => emitted_high,
            Side::To => discarded_high,
        };
        Reply { attempt: question.attempt, acknowledged: high < question.at, high }
    }
}

impl Status {
    /// Nothing can come out of it any more.
    pub(crate) fn is_finished(&self) -> bool {
        self.ended && self.held == 0 && self.epoch.is_some()
    }

    /// The answer that a finished subtask would give.
    pub(crate) fn reply_to(&self, question: Question) -> Reply {
        Reply::new(question, self.emitted_high, self.discarded_high)
    }
}

impl<R> Subtask<R> {
    /// What this subtask tells its agent now.
    pub fn status(&self) -> Status {
        let Counts { emitted, discarded, late, untimed, future, future_time } = self.counts;
        Status {
            epoch: self.order.as_ref().map(|order| order.epoch),
            known: self.known,
            origin: self.origin,
            reply: self.reply,
            emitted_high: self.emitted_high,
            discarded_high: self.discarded_high,
            watermark: self.watermark,
            idle: self.idle_since.is_some(),
            ended: self.ended,
            held: self.held.len() as u64,
            full: self.is_full(),
            snapshots: self.snapshots.iter().copied().collect(),
            emitted,
            discarded,
            odd: [late, untimed, future],
            future_time,
        }
    }
}
