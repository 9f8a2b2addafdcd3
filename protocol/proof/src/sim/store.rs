//! A store with compare-and-set, which remembers what it has held so that reads of reports can be old ones, and in which
//! writes that were given up still lie about.

use std::collections::VecDeque;
use std::rc::Rc;

use tidegate_protocol::conductor::{Asked, Step};
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::{Epoch, Member};
use tidegate_protocol::report::Report;
use tidegate_protocol::time::EventTime;

use crate::properties::{self, Violation};

/// How many old versions of a report may still be read.
const OLD: usize = 4;

/// A report, and what was known when it was made.
#[derive(Debug)]
pub struct Told {
    /// The report.
    pub report: Report,
    /// Partitions whose tasks the agent took for resting then, so that the report's frontier says nothing of them.
    pub rests: Vec<bool>,
}

/// A step of the protocol that somebody has decided on.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The version of the document that was read.
    pub version: u64,
    /// The next document.
    pub next: Rc<Document>,
    /// The step.
    pub step: Step,
    /// The reports that were read.
    pub heard: Vec<Rc<Told>>,
}

/// A write that its author believes to have failed.
#[derive(Debug)]
pub enum Ghost {
    /// Of the document.
    Document(Decided),
    /// Of a report.
    Report(Option<u64>, Rc<Told>),
}

/// A report slot.
#[derive(Debug)]
pub struct Slot {
    /// Whose it is.
    pub member: Member,
    /// Its versions, newest last.
    pub versions: VecDeque<(u64, Rc<Told>)>,
}

/// The store.
#[derive(Debug, Default)]
pub struct Store {
    /// The document, and its version.
    pub document: Option<(u64, Rc<Document>)>,
    /// Reports.
    pub slots: Vec<Slot>,
    /// The newest request.
    pub asked: Option<Asked>,
    /// Nobody reaches it before this time.
    pub away_until: u64,
    /// Writes that may still be applied.
    pub ghosts: Vec<Ghost>,
    /// The newest document, while somebody has put an older one in its place.
    pub replaced: Option<Rc<Document>>,
    /// Older documents, newest last, for somebody to put back.
    pub former: VecDeque<Rc<Document>>,
    /// `settled` by epoch.
    pub settled: Vec<EventTime>,
    /// What a write has broken.
    pub broken: Option<Violation>,
    version: u64,
}

impl Store {
    /// Whether it cannot be reached.
    pub fn is_away(&self, now: u64) -> bool {
        now < self.away_until
    }

    /// The newest document that there is, whatever somebody has put in its place.
    pub fn newest(&self) -> Option<&Rc<Document>> {
        self.replaced.as_ref().or(self.document.as_ref().map(|(_, document)| document))
    }

    /// Writes the document if it has this version still; `None` creates it.
    pub fn write_document(&mut self, expected: Option<u64>, document: Rc<Document>) -> bool {
        if self.document.as_ref().map(|(version, _)| *version) != expected {
            return false;
        }
        let (epoch, last) = (document.epoch.0, self.settled.len().max(1) as u64 - 1);
        if let Err(violation) = properties::an_epoch_has_one_document(last, epoch) {
            self.broken.get_or_insert(violation);
            return false;
        }
        self.settled.resize(epoch as usize + 1, EventTime::MIN);
        self.settled[epoch as usize] = document.settled;
        self.put(document);
        true
    }

    fn put(&mut self, document: Rc<Document>) {
        self.version += 1;
        if let Some((_, former)) = self.document.replace((self.version, document)) {
            self.former.push_back(former);
            if self.former.len() > OLD {
                self.former.pop_front();
            }
        }
    }

    /// Somebody writes an older document over the newest one.
    pub fn put_back(&mut self, older: Rc<Document>) {
        self.replaced = self.document.as_ref().map(|(_, document)| document.clone());
        self.put(older);
    }

    /// Somebody restores the newest document.
    pub fn restore(&mut self) {
        if let Some(newest) = self.replaced.take() {
            self.put(newest);
        }
    }

    /// Writes a report if the slot has this version still.
    pub fn write_report(&mut self, expected: Option<u64>, told: Rc<Told>) -> Option<u64> {
        if let Err(violation) = properties::only_rest_promises_everything(&told.report) {
            self.broken.get_or_insert(violation);
        }
        let member = told.report.member;
        let place = self.slots.iter().position(|slot| slot.member == member).unwrap_or_else(|| {
            self.slots.push(Slot { member, versions: VecDeque::new() });
            self.slots.len() - 1
        });
        let versions = &mut self.slots[place].versions;
        if versions.back().map(|(version, _)| *version) != expected {
            return None;
        }
        self.version += 1;
        versions.push_back((self.version, told));
        if versions.len() > OLD {
            versions.pop_front();
        }
        Some(self.version)
    }

    /// The highest epoch that anybody tells to have followed.
    pub fn told(&self) -> Option<Epoch> {
        self.slots.iter().filter_map(|slot| slot.versions.back()?.1.report.epoch).max()
    }

    /// The newest report in a slot.
    pub fn report(&self, member: Member) -> Option<&(u64, Rc<Told>)> {
        self.slots.iter().find(|slot| slot.member == member)?.versions.back()
    }

    /// A write that was given up is applied, if it still can be. Returns the step of the protocol that it was.
    pub fn apply(&mut self, ghost: Ghost) -> Option<Decided> {
        match ghost {
            Ghost::Document(decided) => {
                let written = self.write_document(Some(decided.version), decided.next.clone());
                written.then_some(decided)
            }
            Ghost::Report(expected, told) => {
                self.write_report(expected, told);
                None
            }
        }
    }
}
