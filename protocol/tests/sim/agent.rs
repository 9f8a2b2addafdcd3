//! A member's agent: the member machine, and its dealings with the store, one small step at a time.

use std::collections::VecDeque;

use fastrand::Rng;
use tidegate_protocol::conductor::{Decision, Observation, Seen, Step, conduct};
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::{Incarnation, Member};
use tidegate_protocol::member::{Config, Effect, Event, MemberState, News};
use tidegate_protocol::report::Report;
use tidegate_protocol::time::WallTime;

use super::store::Store;

/// A conductor between its read and its write.
#[derive(Debug)]
enum Conducting {
    Read(u64, Box<Document>),
    Decided(u64, Box<Document>, Step),
}

/// One life of an agent.
#[derive(Debug)]
pub struct Agent {
    /// The very machine.
    pub state: MemberState,
    /// What the machine wants done.
    pub effects: Vec<Effect>,
    config: Config,
    slot: Option<u64>,
    inbox: VecDeque<News>,
    writing: Option<Report>,
    conducting: Option<Conducting>,
}

impl Agent {
    /// An agent that has not claimed its slot.
    pub fn new(config: Config) -> Agent {
        Agent {
            state: MemberState::new(config.clone()),
            effects: Vec::new(),
            config,
            slot: None,
            inbox: VecDeque::new(),
            writing: None,
            conducting: None,
        }
    }

    /// Something happens in the job.
    pub fn step(&mut self, event: Event, now: WallTime) {
        self.state.step(event, now, &mut self.effects);
    }

    /// The next news is heard.
    pub fn hear(&mut self, now: WallTime) {
        if let Some(news) = self.inbox.pop_front() {
            self.state.hear(news, now, &mut self.effects);
        }
    }

    /// Time goes by.
    pub fn tick(&mut self, now: WallTime) {
        self.state.hear(News::Tick, now, &mut self.effects);
    }

    /// Claims the slot, or reads the document.
    pub fn read(&mut self, store: &Store) {
        if self.inbox.is_empty() && self.slot.is_some() {
            self.inbox
                .push_back(News::Document(store.document.as_ref().map(|(_, document)| document.clone())));
        }
    }

    /// Takes the slot from whoever had it.
    pub fn claim(&mut self, store: &mut Store, now: WallTime) {
        if self.slot.is_some() {
            return;
        }
        let holder = store.report(self.config.member);
        let incarnation = Incarnation(holder.map_or(1, |(_, report)| report.incarnation.0 + 1));
        let version = holder.map(|(version, _)| *version);
        let mut blank = MemberState::new(self.config.clone());
        blank.hear(News::Claimed(incarnation), now, &mut Vec::new());
        let report = blank.report(now).expect("a claimed member reports");
        self.slot = store.write_report(version, report);
        self.inbox.push_back(News::Claimed(incarnation));
    }

    /// Writes the report that was made before, and makes the next one.
    pub fn report(&mut self, store: &mut Store, now: WallTime) {
        if let Some(report) = self.writing.take() {
            match store.write_report(self.slot, report) {
                Some(version) => self.slot = Some(version),
                None => self.inbox.push_back(News::Superseded),
            }
        } else {
            self.writing = self.state.report(now);
        }
    }

    /// Takes the next step as a conductor: reads the document, then the reports, then writes. Returns what was done.
    pub fn conduct(
        &mut self,
        store: &mut Store,
        rng: &mut Rng,
        old: bool,
        now: WallTime,
    ) -> Option<(Step, Document)> {
        match self.conducting.take() {
            None => {
                let (version, document) = store.document.as_ref()?;
                self.conducting = Some(Conducting::Read(*version, Box::new(document.clone())));
            }
            Some(Conducting::Read(version, document)) => {
                let mut pick = |member: &Member| {
                    let slot = store.reports.get(member)?;
                    let age = if old && rng.u8(..3) == 0 { rng.usize(..slot.len()) } else { 0 };
                    let (_, report) = slot.get(slot.len() - 1 - age)?;
                    let silent_ms = if store.retired.contains(member) { u64::MAX } else { 0 };
                    Some((*member, Seen { report: report.clone(), silent_ms }))
                };
                let reports = store.reports.keys().filter_map(&mut pick).collect();
                let asked = store.asked.as_ref();
                let observation = Observation { document: &document, reports: &reports, asked, now };
                if let Decision::Change(next, step) = conduct(observation) {
                    self.conducting = Some(Conducting::Decided(version, next, step));
                }
            }
            Some(Conducting::Decided(version, next, step)) => {
                if store.write_document(Some(version), (*next).clone()) {
                    return Some((step, *next));
                }
            }
        }
        None
    }
}
