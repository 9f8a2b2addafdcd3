//! What must be true when nothing moves any more.

use tidegate_protocol::time::EventTime;

use super::run::Run;
use super::scenario::{Entry, Mark, Sink};
use super::state::Ledger;
use crate::properties::{self, Fate};

impl Run<'_> {
    /// What must be true when nothing moves any more; returns whether anything is wrong.
    pub(super) fn rest(&mut self) -> bool {
        let Some(document) = self.state.store.document.clone() else {
            self.must("every cutover ends", Err("nobody creates the document".to_owned()));
            return true;
        };
        let loud = self.is_loud();
        self.must("every cutover ends", properties::every_cutover_ends(&document, loud));
        let dead = self.state.jobs.iter().any(|job| job.stopped && document.owns(job.member));
        let given_up = dead && self.state.ledger.repeats_from.is_none();
        if document.cutover.is_some() || given_up {
            return self.state.broken.is_some();
        }
        let stuck = self.state.jobs.iter().filter(|job| !job.stopped);
        let stuck = stuck.flat_map(|job| job.life.tasks.iter()).any(|task| task.machine.held().len() > 0);
        if stuck && !loud {
            self.must("every cutover ends", Err("records are held, and nothing says why".to_owned()));
        }
        let ledger = self.state.ledger.clone();
        let fates: Vec<Fate> = (0..ledger.fates.len()).map(|id| self.in_the_end(&ledger, id)).collect();
        let complete = match self.scenario.sink {
            Sink::AtLeastOnce => properties::visible_at_least_once(&fates),
            Sink::ExactlyOnce | Sink::CommitterUnheard => properties::visible_exactly_once(&fates),
        };
        if !loud {
            let settled = properties::the_past_is_settled(&document, self.reached());
            self.must("every cutover ends", settled);
        }
        self.marks.add_if(fates.iter().any(|fate| fate.visible != 1), Mark::Deviated);
        if !loud {
            self.must("in the end every record is visible", complete);
        }
        self.state.broken.is_some()
    }

    /// The fate of a record as the guarantee counts it: what has no time, and what a reclaim may lose or repeat, is set aside.
    fn in_the_end(&self, ledger: &Ledger, id: usize) -> Fate {
        let fate = ledger.fates[id];
        let aside = Fate { visible: 1, ..fate };
        match self.entries_at(id) {
            Some(Entry::At(time)) => {
                let time = EventTime::from_millis(*time);
                let repeated = ledger.repeats_from.is_some_and(|since| time >= since) && fate.visible > 1;
                let lost = fate.late && ledger.dead_frontier.is_some_and(|frontier| time < frontier);
                if repeated || lost { aside } else { fate }
            }
            Some(Entry::Untimed | Entry::Far | Entry::Silence) | None => aside,
        }
    }

    fn entries_at(&self, id: usize) -> Option<&Entry> {
        self.scenario.log.iter().flat_map(|entries| entries.iter()).nth(id)
    }
}
