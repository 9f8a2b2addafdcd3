//! A member's agent: the member machine, and its dealings with the store, one small step at a time, as the shell that ships
//! has them: claim, then read; a report over the version that was written last; a step over the version that was read.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use tidegate_protocol::conductor::{Decision, Observation, Seen, conduct};
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::{Epoch, Incarnation, Member};
use tidegate_protocol::member::{Config, Effect, Event, MemberState, News};
use tidegate_protocol::report::{Report, Trouble};
use tidegate_protocol::time::EventTime;

use super::clock::Clock;
use super::store::{Decided, Ghost, Slot, Store, Told};

/// What one look may add to a silence at most, in milliseconds.
const LOOK_MS: u64 = 2_000;

/// A conductor between its read and its write.
#[derive(Debug)]
enum Conducting {
    Read(u64, Rc<Document>),
    Decided(Decided),
}

/// What waits to be heard.
#[derive(Debug)]
enum Heard {
    /// In one go, as the shell tells it.
    Claimed(Incarnation, Option<Epoch>),
    Trouble(Option<Trouble>),
    Superseded,
    /// What anybody had told to have followed by then, before the first document that is found.
    Told(Epoch),
    Document(Option<(u64, Rc<Document>)>),
}

/// How a step on the store goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Luck {
    /// No answer comes in time; a write may still be applied.
    pub no_answer: bool,
    /// Each report is read as it was so many versions ago.
    pub ages: [u8; 3],
}

/// The slot as it was, before it is claimed.
#[derive(Clone, Copy, Debug)]
struct Claim {
    version: Option<u64>,
    incarnation: Incarnation,
    followed: Option<Epoch>,
}

/// For how long a report has been as it is, as far as somebody has looked.
#[derive(Debug)]
struct Silence {
    member: Member,
    version: u64,
    looked: u64,
    silent_ms: u64,
}

/// One life of an agent.
#[derive(Debug)]
pub struct Agent {
    /// The very machine.
    pub state: MemberState,
    /// What the machine wants done.
    pub effects: Vec<Effect>,
    /// What it takes for the time.
    pub clock: Clock,
    config: Config,
    slot: Option<u64>,
    claiming: Option<Claim>,
    inbox: VecDeque<Heard>,
    followed: Option<u64>,
    /// A document was read after the claim.
    found_document: bool,
    unreachable: bool,
    writing: Option<Rc<Told>>,
    /// Partitions whose tasks it takes for resting, so that a frontier says nothing of them.
    pub rests: Vec<bool>,
    /// The frontier of the report that was made last, until somebody takes it.
    pub frontier: Option<EventTime>,
    conducting: Option<Conducting>,
    silences: Vec<Silence>,
}

impl Agent {
    /// An agent that has not claimed its slot.
    pub fn new(config: Config, clock: Clock, rests: Vec<bool>) -> Agent {
        Agent {
            state: MemberState::new(config.clone()),
            effects: Vec::new(),
            clock,
            config,
            slot: None,
            claiming: None,
            inbox: VecDeque::new(),
            followed: None,
            found_document: false,
            unreachable: false,
            writing: None,
            rests,
            frontier: None,
            conducting: None,
            silences: Vec::new(),
        }
    }

    /// Something happens in the job.
    pub fn step(&mut self, event: Event, now: u64) {
        self.state.step(event, self.clock.at(now), &mut self.effects);
    }

    /// The next news is heard.
    pub fn hear(&mut self, now: u64) {
        let news = match self.inbox.pop_front() {
            None => return,
            Some(Heard::Superseded) => News::Superseded,
            Some(Heard::Told(epoch)) => News::Followed(epoch),
            Some(Heard::Trouble(trouble)) => News::StoreTrouble(trouble),
            Some(Heard::Claimed(incarnation, followed)) => {
                self.state.hear(News::Claimed(incarnation), self.clock.at(now), &mut self.effects);
                let Some(epoch) = followed else { return };
                News::Followed(epoch)
            }
            Some(Heard::Document(found)) => {
                let version = found.as_ref().map(|(version, _)| *version);
                if version.is_some() && version == self.followed && self.state.document().is_some() {
                    return; // It is followed already.
                }
                self.followed = version;
                News::Document(found.map(|(_, document)| (*document).clone()))
            }
        };
        self.state.hear(news, self.clock.at(now), &mut self.effects);
    }

    /// Time goes by.
    pub fn tick(&mut self, now: u64) {
        self.state.hear(News::Tick, self.clock.at(now), &mut self.effects);
    }

    /// Whether the store answers; the machine hears when that changes.
    fn reaches(&mut self, store: &Store, now: u64) -> bool {
        let away = store.is_away(now);
        if away != self.unreachable {
            self.unreachable = away;
            let trouble = Trouble { code: "StoreTimeout".to_owned(), message: String::new() };
            self.inbox.push_back(Heard::Trouble(away.then_some(trouble)));
        }
        !away
    }

    /// What was read before the slot is claimed, perhaps while the life before this one still went on.
    pub fn has_read(&mut self, document: Rc<Document>) {
        self.inbox.push_back(Heard::Document(Some((0, document))));
    }

    /// Reads the document; what comes of a read before the claim is for the machine to leave alone.
    pub fn read(&mut self, store: &Store, now: u64) {
        if self.inbox.len() < 3 && self.reaches(store, now) {
            if self.slot.is_some() && !self.found_document {
                self.inbox.extend(store.told().map(Heard::Told));
                self.found_document = store.document.is_some();
            }
            self.inbox.push_back(Heard::Document(store.document.clone()));
        }
    }

    /// Looks who has the slot, or takes it from whoever had it.
    pub fn claim(&mut self, store: &mut Store, luck: Luck, now: u64) {
        if self.slot.is_some() || store.is_away(now) {
            return;
        }
        let Some(claim) = self.claiming.take() else {
            return self.look_at_slot(store);
        };
        let mut blank = MemberState::new(self.config.clone());
        let news = claim.followed.map(News::Followed);
        for news in std::iter::once(News::Claimed(claim.incarnation)).chain(news) {
            blank.hear(news, self.clock.at(now), &mut Vec::new());
        }
        let report = blank.report(self.clock.at(now)).expect("a claimed member reports");
        let told = Rc::new(Told { report, rests: self.rests.clone() });
        if luck.no_answer {
            store.ghosts.push(Ghost::Report(claim.version, told));
        } else if let Some(version) = store.write_report(claim.version, told) {
            self.claimed(version, claim.incarnation, claim.followed);
        }
    }

    fn look_at_slot(&mut self, store: &Store) {
        match store.report(self.config.member) {
            Some((version, told)) if told.report.instance == self.config.instance => {
                self.claimed(*version, told.report.incarnation, told.report.epoch);
            }
            Some((version, told)) => {
                let (version, incarnation) = (Some(*version), Incarnation(told.report.incarnation.0 + 1));
                self.claiming = Some(Claim { version, incarnation, followed: told.report.epoch });
            }
            None => {
                self.claiming = Some(Claim { version: None, incarnation: Incarnation(1), followed: None });
            }
        }
    }

    fn claimed(&mut self, version: u64, incarnation: Incarnation, followed: Option<Epoch>) {
        self.slot = Some(version);
        self.inbox.push_back(Heard::Claimed(incarnation, followed));
    }

    /// Writes the report that was made before, or makes the next one.
    pub fn report(&mut self, store: &mut Store, luck: Luck, now: u64) {
        let Some(told) = self.writing.take() else {
            if self.slot.is_some() {
                let report = self.state.report(self.clock.at(now));
                self.frontier = report.as_ref().map(Report::frontier);
                self.writing = report.map(|report| Rc::new(Told { report, rests: self.rests.clone() }));
            }
            return;
        };
        if luck.no_answer {
            store.ghosts.push(Ghost::Report(self.slot, told));
            return;
        }
        if !self.reaches(store, now) {
            return;
        }
        if let Some(version) = store.write_report(self.slot, told.clone()) {
            self.slot = Some(version);
            return;
        }
        match store.report(self.config.member) {
            Some((_, holder)) if supersedes(&holder.report, &told.report) => {
                self.inbox.push_back(Heard::Superseded);
            }
            holder => self.slot = holder.map(|(version, _)| *version),
        }
    }

    /// Takes the next step as a conductor: reads the document, then the reports, then writes. Returns what was done.
    pub fn conduct(&mut self, store: &mut Store, luck: Luck, now: u64) -> Option<Decided> {
        if store.is_away(now) {
            self.conducting = None;
            return None;
        }
        match self.conducting.take() {
            None => {
                let (version, document) = store.document.as_ref()?;
                self.conducting = Some(Conducting::Read(*version, document.clone()));
            }
            Some(Conducting::Read(version, document)) => {
                let (decision, heard) = self.decide(store, &document, luck, now);
                if let Decision::Change(next, step) = decision {
                    let decided = Decided { version, next: Rc::new(*next), step, heard };
                    self.conducting = Some(Conducting::Decided(decided));
                }
            }
            Some(Conducting::Decided(decided)) if luck.no_answer => {
                store.ghosts.push(Ghost::Document(decided));
            }
            Some(Conducting::Decided(decided)) => {
                if store.write_document(Some(decided.version), decided.next.clone()) {
                    return Some(decided);
                }
            }
        }
        None
    }

    fn decide(
        &mut self,
        store: &Store,
        document: &Document,
        luck: Luck,
        now: u64,
    ) -> (Decision, Vec<Rc<Told>>) {
        let (mut reports, mut heard) = (BTreeMap::new(), Vec::new());
        for (slot, age) in store.slots.iter().zip(luck.ages.into_iter().cycle()) {
            let Slot { member, versions } = slot;
            let place = versions.len().saturating_sub(1 + usize::from(age));
            let Some((version, told)) = versions.get(place) else { continue };
            let silent_ms = self.silent_ms(*member, *version, now);
            reports.insert(*member, Seen { report: told.report.clone(), silent_ms });
            heard.push(told.clone());
        }
        let (asked, now) = (store.asked.as_ref(), self.clock.at(now));
        (conduct(Observation { document, reports: &reports, asked, paused: false, now }), heard)
    }

    fn silent_ms(&mut self, member: Member, version: u64, now: u64) -> u64 {
        let Some(silence) = self.silences.iter_mut().find(|silence| silence.member == member) else {
            self.silences.push(Silence { member, version, looked: now, silent_ms: 0 });
            return 0;
        };
        if silence.version == version {
            silence.silent_ms += (now - silence.looked).min(LOOK_MS);
        } else {
            (silence.version, silence.silent_ms) = (version, 0);
        }
        silence.looked = now;
        silence.silent_ms
    }
}

/// Whether a slot that is not as this one left it belongs to a newer incarnation.
fn supersedes(holder: &Report, own: &Report) -> bool {
    holder.incarnation > own.incarnation
        || (holder.incarnation == own.incarnation && holder.instance != own.instance)
}
