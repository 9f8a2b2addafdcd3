//! What the checker knows of the world at one moment.

use std::collections::VecDeque;

use tidegate_protocol::conductor::Step;
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::{CheckpointId, Epoch, Member};
use tidegate_protocol::member::MemberState;
use tidegate_protocol::order::Order;
use tidegate_protocol::report::Report;
use tidegate_protocol::subtask::{Header, Held, Status, Subtask};
use tidegate_protocol::time::EventTime;

use super::scenario::Faults;
use super::shared::{Own, Shared};
use crate::properties::{Boundary, Fate};

/// A record in a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) id: u8,
    /// Its event time, fixed at arrival.
    pub(crate) time: EventTime,
    /// It was not behind its subtask's watermark when it arrived.
    pub(crate) on_time: bool,
    /// It was further behind than the allowed lateness.
    pub(crate) late: bool,
    /// Its input had rested.
    pub(crate) rested: bool,
}

/// One subtask with the source before it and the writer behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    pub(crate) machine: Subtask<Item>,
    /// Its execution attempt.
    pub(crate) attempt: u32,
    /// Written since the last snapshot.
    pub(crate) open: Vec<Item>,
    /// Orders on their way, with the document's `settled`.
    pub(crate) down: VecDeque<Shared<(Order, EventTime)>>,
    /// An order that will arrive a second time.
    pub(crate) kept: Option<Shared<(Order, EventTime)>>,
    /// `settled` of the order that is followed.
    pub(crate) settled: EventTime,
    /// The last watermark that arrived, and the last one that left.
    pub(crate) watermark: EventTime,
    pub(crate) forwarded: EventTime,
    pub(crate) idle: bool,
    pub(crate) ended: bool,
    /// It has ended, and its last snapshot is complete: it hears nothing any more.
    pub(crate) finished: bool,
    /// Something has changed since it last told its status.
    pub(crate) untold: bool,
    /// Something has changed since its last snapshot.
    pub(crate) fresh: bool,
}

/// What happens in the job and is heard by the agent in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// All gates were opened, all subtasks can be reached.
    Opened,
    Gone(u8),
    Ready(u8),
}

/// A member's agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    pub(crate) machine: MemberState,
    /// The version of the slot that it wrote last.
    pub(crate) slot: Option<u32>,
    /// What it would report now.
    pub(crate) says: Option<Shared<Report>>,
    /// A document that was read and not heard yet.
    pub(crate) inbox: Option<Shared<Document>>,
}

/// One life of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Life {
    pub(crate) agent: Shared<Agent>,
    pub(crate) tasks: Vec<Shared<Task>>,
    pub(crate) parallelism: u8,
    /// Steps read, by partition.
    pub(crate) read: Vec<u8>,
    pub(crate) told: VecDeque<Told>,
    /// A status that arrives late: whose, of which attempt.
    pub(crate) stray: Option<(u8, u32, Shared<Status>)>,
}

/// What one task leaves in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub(crate) gate: u8,
    pub(crate) header: Header,
    pub(crate) held: Vec<Held<Item>>,
    /// Partition, steps read.
    pub(crate) read: Vec<(u8, u8)>,
    pub(crate) written: Vec<Item>,
    /// Nothing comes out of this task any more.
    pub(crate) over: bool,
}

/// A snapshot of all tasks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Checkpoint {
    pub(crate) id: CheckpointId,
    pub(crate) parts: Vec<Option<Shared<Part>>>,
}

/// One job, over all its lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) member: Member,
    pub(crate) life: Life,
    /// The life before, which does not know yet that it is over.
    pub(crate) former: Option<Life>,
    pub(crate) lives: u8,
    pub(crate) start: Option<Shared<Checkpoint>>,
    pub(crate) completed: Option<Shared<Checkpoint>>,
    pub(crate) pending: Option<Checkpoint>,
    pub(crate) next: u64,
    /// What each committer is to commit.
    pub(crate) commits: Vec<VecDeque<(CheckpointId, Vec<Item>)>>,
    /// Its agent has asked for a checkpoint.
    pub(crate) wanted: bool,
    /// Stopped for good, or dead.
    pub(crate) stopped: bool,
    pub(crate) failures: u8,
    /// Partitions that have rested.
    pub(crate) rested: u8,
    /// The way back: what was complete when its output was handed over.
    pub(crate) pinned: Option<Shared<Checkpoint>>,
}

/// A decision that is not written yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decided {
    /// What was read.
    pub(crate) epoch: Epoch,
    pub(crate) next: Shared<Document>,
    pub(crate) step: Step,
}

/// A member's report slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) member: Member,
    pub(crate) version: u32,
    pub(crate) report: Shared<Report>,
    /// The version before, where reads may be old ones.
    pub(crate) previous: Option<Shared<Report>>,
    /// The highest frontier that was ever reported.
    pub(crate) promised: EventTime,
}

/// A write that its author takes for failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ghost {
    Document(Decided),
    Report { expected: Option<u32>, report: Shared<Report> },
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) document: Option<Shared<Document>>,
    /// The version before, where first reads may be old ones.
    pub(crate) previous: Option<Shared<Document>>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) ghost: Option<Ghost>,
}

/// What has become of the records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    pub(crate) fates: Vec<Fate>,
    /// Records that were behind a watermark, or whose input had rested, in one of the jobs.
    pub(crate) behind: Vec<bool>,
    /// Bits of the jobs that showed a record.
    pub(crate) shown_by: Vec<u8>,
    pub(crate) boundaries: Vec<Boundary>,
    /// From this event time on a reclaim may repeat what the dead one had shown.
    pub(crate) repeats_from: Option<EventTime>,
    /// The highest watermark that has ever arrived, where inputs may rest.
    pub(crate) reached: EventTime,
    /// Below this a record is late when its input had rested: it was settled, and event time itself had passed it.
    pub(crate) rest_excuses: EventTime,
    /// The frontier that the reclaim rested on: late records below it may be lost.
    pub(crate) dead_frontier: Option<EventTime>,
}

/// A broken property, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Broken {
    pub(crate) property: &'static str,
    pub(crate) text: String,
}

/// The world at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) jobs: Vec<Own<Job>>,
    pub(crate) conductors: Vec<Decided>,
    pub(crate) ledger: Shared<Ledger>,
    pub(crate) now: u64,
    pub(crate) left: Faults,
    /// Requests made.
    pub(crate) asked: u8,
    pub(crate) broken: Option<Shared<Broken>>,
}

/// A life of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) job: u8,
    pub(crate) former: bool,
}

/// A task of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct At {
    pub(crate) who: Who,
    pub(crate) task: u8,
}

impl State {
    pub(crate) fn life(&self, who: Who) -> &Life {
        let job = &self.jobs[usize::from(who.job)];
        if who.former { job.former.as_ref().expect("a former life") } else { &job.life }
    }

    pub(crate) fn life_mut(&mut self, who: Who) -> &mut Life {
        let job = &mut self.jobs[usize::from(who.job)];
        if who.former { job.former.as_mut().expect("a former life") } else { &mut job.life }
    }

    pub(crate) fn task(&self, at: At) -> &Shared<Task> {
        &self.life(at.who).tasks[usize::from(at.task)]
    }

    pub(crate) fn put(&mut self, at: At, task: Task) {
        self.life_mut(at.who).tasks[usize::from(at.task)] = Shared::new(task);
    }

    pub(crate) fn slot(&self, member: Member) -> Option<&Slot> {
        self.store.slots.iter().find(|slot| slot.member == member)
    }
}

impl Life {
    /// The task that reads a partition.
    pub(crate) fn reader(&self, gates: u8, partition: usize) -> usize {
        let (gate, share) = (partition % usize::from(gates), partition / usize::from(gates));
        gate * usize::from(self.parallelism) + share % usize::from(self.parallelism)
    }

    /// The gate and the subtask that a task is.
    pub(crate) fn place(&self, task: u8) -> (u8, u32) {
        (task / self.parallelism, u32::from(task % self.parallelism))
    }
}

/// A gate's name.
pub(crate) fn gate_name(gate: u8) -> String {
    ["a", "b"][usize::from(gate)].to_owned()
}
