//! The member machine: one per job, over all its gates. It follows the document, gives its subtasks their orders, gathers
//! what they tell into one report, and knows what has been committed.
//!
//! It gives no order before it has claimed its slot and has then read the document; an order goes to an execution attempt
//! that has told its status, and statuses of other attempts are dropped. When the document is away, older than what was
//! known, or not to be followed, subtasks keep the orders that they have, and the report says so.

mod event;
mod gate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

pub use event::{Event, EventError, Evidence, MAX_PARALLELISM};
use gate::Gate;

use crate::document::{Cutover, Document, Settings};
use crate::identity::{Epoch, Incarnation, Member, Origin};
use crate::order::{Order, question};
use crate::report::{Report, Trouble};
use crate::time::{EventTime, WallTime};

/// The event-time rate is measured over this much wall-clock time, in milliseconds.
const RATE_WINDOW_MS: u64 = 3_000;
/// The first wait after a checkpoint that was asked for, before it is asked for again; doubled each time, in milliseconds.
const DEMAND_MS: u64 = 500;
const DEMAND_MAX_MS: u64 = 16_000;

/// Who a member is, and what it asks of the rollout if it is the first one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The rollout's name.
    pub rollout: String,
    /// Color and generation.
    pub member: Member,
    /// The Flink job's id.
    pub job: String,
    /// A name that no other life of any agent has.
    pub instance: String,
    /// All gates of the job; a job without one of them is not complete.
    pub gates: Vec<String>,
    /// The job's sources start at the beginning.
    pub from_beginning: bool,
    /// For the first document.
    pub settings: Settings,
}

/// What a member hears from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "told one at a time, never stored in numbers")]
pub enum News {
    /// The report slot is this incarnation's.
    Claimed(Incarnation),
    /// A former life of this member, or another member, has told that it followed a document of this epoch.
    Followed(Epoch),
    /// The slot cannot be claimed now.
    SlotRefused(Trouble),
    /// A newer incarnation has the slot.
    Superseded,
    /// The document, by a linearizable read made after the claim.
    Document(Option<Document>),
    /// The document cannot be read; `None` when it can again.
    StoreTrouble(Option<Trouble>),
    /// Time goes by.
    Tick,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "only orders come in numbers")]
pub enum Effect {
    /// Send this order to that execution attempt.
    Order {
        /// The gate.
        gate: String,
        /// The subtask.
        subtask: u32,
        /// The execution attempt.
        attempt: u32,
        /// The order.
        order: Order,
    },
    /// Trigger a checkpoint.
    Checkpoint,
    /// Create the rollout's first document, if there still is none.
    Create(Document),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Standing {
    Unclaimed,
    Claimed(Incarnation),
    Superseded(Incarnation),
}

/// One job's part in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberState {
    config: Config,
    standing: Standing,
    document: Option<Document>,
    /// The epoch that former lives and other members have told: nothing older is followed.
    followed: Epoch,
    gates: BTreeMap<String, Gate>,
    slot_trouble: Option<Trouble>,
    store_trouble: Option<Trouble>,
    document_trouble: Option<Trouble>,
    samples: VecDeque<(WallTime, EventTime)>,
    demanded: Option<(WallTime, u64)>,
}

fn trouble(code: &str, message: String) -> Trouble {
    Trouble { code: code.to_owned(), message }
}

fn older(found: Epoch, known: Epoch) -> Trouble {
    trouble(
        "DocumentOlder",
        format!(
            "the document has epoch {}, but {} was known: somebody has put back an old one; the gates keep their orders \
             until the newer one is restored",
            found.0, known.0
        ),
    )
}

/// A member that owns something must have been started from what the document says; what is wrong when it was not.
pub fn wrong_state(document: &Document, member: Member, origin: Origin) -> Option<Trouble> {
    document.binding_origin(member).filter(|bound| *bound != origin).map(|bound| {
        let message = format!(
            "{member} owns a part of event time and must have been started from {bound:?}, not {origin:?}; its gates stay \
             closed: restore its own last checkpoint, or start it as a new generation"
        );
        trouble("WrongState", message)
    })
}

impl MemberState {
    /// A member that has not claimed its slot.
    pub fn new(config: Config) -> MemberState {
        let gates = config.gates.iter().map(|gate| (gate.clone(), Gate::default())).collect();
        MemberState {
            config,
            standing: Standing::Unclaimed,
            document: None,
            followed: Epoch(0),
            gates,
            slot_trouble: None,
            store_trouble: None,
            document_trouble: None,
            samples: VecDeque::new(),
            demanded: None,
        }
    }

    /// Takes an event from the job.
    pub fn step(&mut self, event: Event, now: WallTime, effects: &mut Vec<Effect>) {
        let gate = self.gates.entry(event.gate().to_owned()).or_default();
        match event {
            Event::GateOpened { parallelism, evidence, .. } => gate.opened(parallelism, evidence),
            Event::CommittersOpened { parallelism, .. } => gate.committers_opened(parallelism),
            Event::SubtaskReady { subtask, attempt, parallelism, .. } => {
                gate.ready(subtask, attempt, parallelism)
            }
            Event::SubtaskGone { subtask, .. } => gate.gone(subtask),
            Event::SubtaskStatus { subtask, attempt, status, .. } => gate.status(subtask, attempt, status),
            Event::Committed { subtask, checkpoint, .. } => gate.committed(subtask, checkpoint),
            Event::CheckpointCompleted { checkpoint, .. } => gate.checkpoint_completed(checkpoint),
            Event::Reset { .. } => gate.reset(),
        }
        self.compare_epochs();
        self.give_orders(effects);
        self.demand_checkpoint(now, effects);
    }

    /// Takes news from the store.
    pub fn hear(&mut self, news: News, now: WallTime, effects: &mut Vec<Effect>) {
        match news {
            News::Claimed(incarnation) => {
                if self.standing != Standing::Claimed(incarnation) {
                    // Whatever was read before the claim may be older than what the life before this one has told.
                    self.document = None;
                }
                self.standing = Standing::Claimed(incarnation);
                self.slot_trouble = None;
            }
            News::Followed(epoch) => self.followed = self.followed.max(epoch),
            News::SlotRefused(trouble) => self.slot_trouble = Some(trouble),
            News::Superseded => self.supersede(),
            News::Document(document) => self.read(document, effects),
            News::StoreTrouble(trouble) => self.store_trouble = trouble,
            News::Tick => self.sample(now),
        }
        self.give_orders(effects);
        self.demand_checkpoint(now, effects);
    }

    /// The document that is followed.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// Whether this incarnation may speak for its member.
    pub fn is_claimed(&self) -> bool {
        matches!(self.standing, Standing::Claimed(_))
    }

    /// What is wrong, if anything.
    pub fn trouble(&self) -> Vec<Trouble> {
        let full = self.gates.iter().filter(|(_, gate)| gate.full() > 0).map(|(name, gate)| {
            let message = format!(
                "{} subtasks of gate {name} hold as many records as they may and wait for an order; if that lasts, raise \
                 tidegate.hold.max-records or tidegate.hold.max-bytes, or abort the cutover",
                gate.full()
            );
            trouble("HoldFull", message)
        });
        let parts = [&self.slot_trouble, &self.store_trouble, &self.document_trouble];
        parts.into_iter().flatten().cloned().chain(self.origin_trouble()).chain(full).collect()
    }

    /// What this member tells the others; `None` before it has claimed its slot.
    pub fn report(&self, now: WallTime) -> Option<Report> {
        let Standing::Claimed(incarnation) = self.standing else { return None };
        let question = self.document.as_ref().and_then(|document| question(document, self.config.member));
        let former = (self.followed > Epoch(0)).then_some(self.followed);
        Some(Report {
            member: self.config.member,
            incarnation,
            instance: self.config.instance.clone(),
            job: self.config.job.clone(),
            written: now,
            epoch: self.document.as_ref().map(|document| document.epoch).max(former),
            origin: self.origin(),
            from_beginning: self.config.from_beginning,
            event_rate: self.event_rate(),
            trouble: self.trouble(),
            gates: self.gates.iter().map(|(name, gate)| (name.clone(), gate.report(question))).collect(),
        })
    }

    /// What all gates were first started from; `None` before all subtasks have told. A member with a gate that was started
    /// from nothing counts as started from nothing.
    pub fn origin(&self) -> Option<Origin> {
        let mut common: Option<Origin> = None;
        for gate in self.gates.values() {
            let origin = gate.origin()?;
            common = match common {
                None => Some(origin),
                Some(before) if before == origin => Some(before),
                Some(_) => Some(Origin::Fresh),
            };
        }
        common
    }

    fn supersede(&mut self) {
        let incarnation = match self.standing {
            Standing::Claimed(incarnation) | Standing::Superseded(incarnation) => incarnation,
            Standing::Unclaimed => Incarnation(0),
        };
        self.standing = Standing::Superseded(incarnation);
        let member = self.config.member;
        self.slot_trouble = Some(trouble(
            "Superseded",
            format!(
                "a newer incarnation speaks for {member}; this one's gates are closed, and its job should be stopped"
            ),
        ));
    }

    fn read(&mut self, document: Option<Document>, effects: &mut Vec<Effect>) {
        if self.standing == Standing::Unclaimed {
            return;
        }
        let known = self.known().max(self.document.as_ref().map_or(Epoch(0), |document| document.epoch));
        let rollout = &self.config.rollout;
        self.document_trouble = match document {
            Some(document) if document.rollout != *rollout => Some(trouble(
                "DocumentForeign",
                format!(
                    "the document is of rollout {:?}, not {rollout:?}; the gates keep their orders",
                    document.rollout
                ),
            )),
            Some(document) if document.epoch < known => Some(older(document.epoch, known)),
            Some(document) => {
                self.document = Some(document);
                None
            }
            None if self.document.is_some() => Some(trouble(
                "DocumentMissing",
                format!(
                    "the document of epoch {} is gone; the gates keep their orders until it is restored",
                    known.0
                ),
            )),
            None if known > Epoch(0) => Some(self.unknown_rollout()),
            None => self.create(effects),
        };
    }

    /// The highest epoch that a subtask knows, from its snapshot too, or that somebody has told.
    fn known(&self) -> Epoch {
        self.gates.values().map(Gate::known).max().unwrap_or_default().max(self.followed)
    }

    /// A document that was read before the subtasks told what they know may turn out to be an old one.
    fn compare_epochs(&mut self) {
        let known = self.known();
        if let Some(document) = self.document.take_if(|document| document.epoch < known) {
            self.document_trouble = Some(older(document.epoch, known));
        }
    }

    /// Only a member without any gate state may create the first document.
    fn create(&self, effects: &mut Vec<Effect>) -> Option<Trouble> {
        let Config { rollout, member, settings, .. } = &self.config;
        match self.origin()? {
            Origin::Fresh if self.gates.values().all(|gate| gate.origin() == Some(Origin::Fresh)) => {
                effects.push(Effect::Create(Document::first(rollout, *member, Origin::Fresh, *settings)));
                None
            }
            Origin::Fresh | Origin::Snapshot(_) => Some(self.unknown_rollout()),
        }
    }

    fn unknown_rollout(&self) -> Trouble {
        let Config { rollout, member, .. } = &self.config;
        let message = format!(
            "rollout {rollout:?} has no document, and {member} was started from gate state, so it may not create one; \
             check tidegate.rollout and tidegate.store, or restore the document"
        );
        trouble("UnknownRollout", message)
    }

    fn origin_trouble(&self) -> Option<Trouble> {
        wrong_state(self.document.as_ref()?, self.config.member, self.origin()?)
    }

    fn give_orders(&mut self, effects: &mut Vec<Effect>) {
        let Some(document) = &self.document else { return };
        let order = match self.standing {
            Standing::Unclaimed => return,
            Standing::Claimed(_) => Order::new(document, self.config.member),
            Standing::Superseded(_) => Order::closed(document.epoch),
        };
        let closed = matches!(self.standing, Standing::Superseded(_));
        let bound = if closed { None } else { document.binding_origin(self.config.member) };
        for (name, gate) in &mut self.gates {
            for (subtask, attempt) in gate.take_due_orders(document.epoch, closed, bound) {
                effects.push(Effect::Order { gate: name.clone(), subtask, attempt, order: order.clone() });
            }
        }
    }

    /// Asks for a checkpoint when nothing else is missing for a committed cutover of which this member is `from`.
    fn demand_checkpoint(&mut self, now: WallTime, effects: &mut Vec<Effect>) {
        let at = match self.document.as_ref() {
            Some(document) if self.is_claimed() && document.active().member == self.config.member => {
                match &document.cutover {
                    Some(Cutover::Committed { terms, .. }) => Some(terms.at),
                    Some(Cutover::Proposed { .. }) | None => None,
                }
            }
            Some(_) | None => None,
        };
        let missing = |at: EventTime| {
            let arrived = self.gates.values().all(|gate| gate.is_ready() && gate.arrived() >= at);
            arrived && self.gates.values().any(|gate| gate.frontier() < at)
        };
        if !at.is_some_and(missing) {
            self.demanded = None;
            return;
        }
        let wait = match self.demanded {
            Some((when, wait)) if now.since(when) < wait => return,
            Some((_, wait)) => (wait * 2).min(DEMAND_MAX_MS),
            None => DEMAND_MS,
        };
        self.demanded = Some((now, wait));
        effects.push(Effect::Checkpoint);
    }

    fn sample(&mut self, now: WallTime) {
        let high = self.gates.values().map(Gate::watermark_high).max().unwrap_or(EventTime::MIN);
        if high.finite().is_none() {
            return;
        }
        self.samples.push_back((now, high));
        while self.samples.len() > 2 && now.since(self.samples[1].0) >= RATE_WINDOW_MS {
            self.samples.pop_front();
        }
    }

    fn event_rate(&self) -> i64 {
        let (Some((began, low)), Some((ended, high))) = (self.samples.front(), self.samples.back()) else {
            return 0;
        };
        let wall = i64::try_from(ended.since(*began)).unwrap_or(i64::MAX);
        if wall == 0 {
            0
        } else {
            high.as_millis().saturating_sub(low.as_millis()).saturating_mul(1_000) / wall
        }
    }
}
