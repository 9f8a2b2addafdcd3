//! A store with compare-and-set, which remembers what it has held so that reads of reports can be old ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidegate_protocol::conductor::Asked;
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::Member;
use tidegate_protocol::report::Report;
use tidegate_protocol::time::EventTime;

/// How many old versions of a report may still be read.
const OLD: usize = 4;

/// The store.
#[derive(Debug, Default)]
pub struct Store {
    /// The document, and its version.
    pub document: Option<(u64, Document)>,
    /// Reports, newest last, with their versions.
    pub reports: BTreeMap<Member, VecDeque<(u64, Report)>>,
    /// The newest request.
    pub asked: Option<Asked>,
    /// Members whose jobs were stopped.
    pub retired: BTreeSet<Member>,
    /// `settled` by epoch.
    pub settled: Vec<EventTime>,
    version: u64,
}

impl Store {
    /// Writes the document if it has this version still; `None` creates it.
    pub fn write_document(&mut self, expected: Option<u64>, document: Document) -> bool {
        if self.document.as_ref().map(|(version, _)| *version) != expected {
            return false;
        }
        self.version += 1;
        let epoch = document.epoch.0 as usize;
        assert_eq!(self.settled.len().max(1), epoch, "an epoch was used twice or left out");
        self.settled.resize(epoch + 1, EventTime::MIN);
        self.settled[epoch] = document.settled;
        self.document = Some((self.version, document));
        true
    }

    /// Writes a report if the slot has this version still.
    pub fn write_report(&mut self, expected: Option<u64>, report: Report) -> Option<u64> {
        let slot = self.reports.entry(report.member).or_default();
        if slot.back().map(|(version, _)| *version) != expected {
            return None;
        }
        self.version += 1;
        slot.push_back((self.version, report));
        if slot.len() > OLD {
            slot.pop_front();
        }
        Some(self.version)
    }

    /// The newest report in a slot.
    pub fn report(&self, member: Member) -> Option<&(u64, Report)> {
        self.reports.get(&member)?.back()
    }
}
