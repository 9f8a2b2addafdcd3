//! The conductor's steps: it reads and decides, and then writes. Since the write succeeds only on the document that was read,
//! it makes no difference how long before the reports that document was read.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::{Asked, Decision, Observation, Seen, Step, WaitingFor, conduct};
use tidegate_protocol::document::{Cutover, Document, Outcome, Reclaim};
use tidegate_protocol::identity::{Color, Member, Snapshot};
use tidegate_protocol::report::Report;
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{EventTime, When};

use super::run::Run;
use super::scenario::{Ask, Mark, NONE};
use super::shared::Shared;
use super::state::{Decided, Ghost, Who};
use crate::properties::{self, Boundary};

/// A document without the texts that are for people: two of them that differ only there are one.
fn plain(mut document: Document) -> Document {
    if let Some(Outcome::Aborted { message, .. }) = document.history.last_mut().map(|past| &mut past.outcome)
    {
        message.clear();
    }
    if let Some((_, text)) = document.answered.as_mut().and_then(|answer| answer.refusal.as_mut()) {
        text.clear();
    }
    document
}

impl Run<'_> {
    fn asked(&self) -> Option<Asked> {
        let request = match self.scenario.asks.get(usize::from(self.state.asked).checked_sub(1)?)? {
            Ask::Promote => Request::Promote { at: When::Now, to: None, hand_over: None },
            Ask::PromoteAt(at) => {
                Request::Promote { at: When::At(EventTime::from_millis(*at)), to: None, hand_over: None }
            }
            Ask::Abort => Request::Abort { attempt: None },
        };
        Some(Asked { id: self.state.asked.to_string(), request })
    }

    /// What a conductor would decide now; with an old version of that member's report, if one is named.
    pub(super) fn decision(&self, stale: Option<Member>) -> Option<Decision> {
        let document = self.state.store.document.as_ref()?;
        let mut reports = BTreeMap::new();
        for slot in &self.state.store.slots {
            let old = slot.previous.as_ref().filter(|_| stale == Some(slot.member));
            let report = Report::clone(old.unwrap_or(&slot.report));
            let lives = self.state.jobs.iter().any(|job| job.member == slot.member && !job.stopped);
            reports.insert(slot.member, Seen { report, silent_ms: if lives { 0 } else { u64::MAX } });
        }
        let asked = self.asked();
        let observation = Observation {
            document,
            reports: &reports,
            asked: asked.as_ref(),
            paused: false,
            now: self.wall(),
        };
        Some(conduct(observation))
    }

    /// A conductor decides; returns whether there is something to write.
    pub(super) fn decide(&mut self, stale: Option<Member>) -> bool {
        let Some(Decision::Change(next, step)) = self.decision(stale) else { return false };
        let Some(document) = &self.state.store.document else { return false };
        self.marks.add_if(stale.is_some(), Mark::StaleRead);
        let decided = Decided { epoch: document.epoch, next: Shared::new(plain(*next)), step };
        self.state.conductors.push(decided);
        true
    }

    /// Something that a person is told loudly stands in the way.
    pub(super) fn is_loud(&self) -> bool {
        let overdue = match self.decision(None) {
            Some(Decision::Wait(waiting)) => {
                waiting.iter().any(|waiting| matches!(waiting.what, WaitingFor::Overdue))
            }
            Some(Decision::Change(..)) | None => false,
        };
        overdue || self.state.store.slots.iter().any(|slot| !slot.report.trouble.is_empty())
    }

    /// A conductor writes what it has decided.
    pub(super) fn write(&mut self, conductor: usize) {
        let decided = self.state.conductors.remove(conductor);
        self.compare_and_set(decided);
    }

    /// A conductor takes its write for failed.
    pub(super) fn lose_write(&mut self, conductor: usize) {
        self.state.store.ghost = Some(Ghost::Document(self.state.conductors.remove(conductor)));
    }

    /// A write of which its author never heard is applied, if it still fits.
    pub(super) fn haunt(&mut self) {
        match self.state.store.ghost.take() {
            Some(Ghost::Document(decided)) => {
                let applied = self.compare_and_set(decided);
                self.marks.add_if(applied, Mark::GhostApplied);
            }
            Some(Ghost::Report { expected, report }) => {
                let applied = self.write_report(expected, &report).is_ok();
                self.marks.add_if(applied, Mark::GhostApplied);
            }
            None => {}
        }
    }

    fn compare_and_set(&mut self, decided: Decided) -> bool {
        let Some(before) = self.state.store.document.clone() else { return false };
        if before.epoch != decided.epoch {
            self.marks.add_if(true, Mark::WriteLost);
            return false;
        }
        let next = decided.next;
        self.must(
            "each epoch is used once",
            properties::an_epoch_has_one_document(before.epoch.0, next.epoch.0),
        );
        self.follow_step(decided.step, &before, &next);
        self.state.store.previous = self.scenario.old_first_read.then_some(before);
        self.state.store.document = Some(next);
        true
    }

    /// Takes down what a step means.
    fn follow_step(&mut self, step: Step, before: &Document, next: &Document) {
        match step {
            Step::Propose => {}
            Step::ProposeHigher => self.marks.add_if(true, Mark::Widened),
            Step::Commit => self.committed(next),
            Step::Abort => {
                self.marks.add_if(true, Mark::Aborted);
                let outcome = next.history.last().map(|past| &past.outcome);
                if let Some(Outcome::Aborted { code, .. }) = outcome {
                    self.not_done(code, next);
                }
            }
            Step::Finish => {
                let to = next.active().member;
                let back = to.color == Color::Blue;
                self.marks.add_if(back, Mark::WentBack);
                self.marks.add_if(!back, Mark::HandedOver);
                let done = next
                    .history
                    .iter()
                    .filter(|past| past.outcome == Outcome::Done && past.terms.to.color == Color::Green);
                self.marks.add_if(!back && done.count() > 1, Mark::TwiceOver);
            }
            Step::Settle => {
                self.marks.add_if(next.settled > before.settled, Mark::Settled);
                let end = next.settled.plus(next.settings.lateness_ms);
                if self.state.ledger.reached >= end {
                    self.ledger(|ledger| ledger.rest_excuses = next.settled);
                }
            }
            Step::Refuse => {
                self.marks.add_if(true, Mark::Refused);
                if let Some((code, _)) = next.answered.as_ref().and_then(|answer| answer.refusal.as_ref()) {
                    self.not_done(code, next);
                }
            }
        }
        for job in self.state.jobs.iter().filter(|job| job.stopped && !next.gone.contains(&job.member)) {
            let newly = !before.owns(job.member);
            let owns = if newly { properties::stopped_owns_nothing(next, job.member) } else { Ok(()) };
            if let Err(text) = owns {
                self.must("a stopped member owns nothing", Err(text));
                return;
            }
        }
    }

    /// A cutover is refused or aborted: there must be a reason for it.
    fn not_done(&mut self, code: &str, document: &Document) {
        let groundless = "no cutover is refused without a reason";
        self.must(groundless, properties::a_record_of_the_far_future_blocks_nothing(code));
        let active = document.active().member;
        let standby = self.state.jobs.iter().map(|job| job.member).find(|member| *member != active);
        if let Some(standby) = standby.filter(|_| document.cutover.is_none()) {
            let done = self.state.ledger.boundaries.iter().any(|boundary| boundary.to == standby);
            let has_owned = done || standby == Member::new(Color::Blue, 1);
            self.must(groundless, properties::a_former_owner_is_not_refused(code, standby, has_owned));
        }
        if self.scenario.faults == NONE && !self.scenario.cold && !self.scenario.replaces {
            self.must(groundless, properties::a_calm_promotion_is_done(Some(code)));
        }
    }

    fn committed(&mut self, document: &Document) {
        let Some(Cutover::Committed { terms, .. }) = &document.cutover else { return };
        let from = document.active().member;
        let boundary =
            Boundary { at: terms.at, from, to: terms.to, hand_over: terms.hand_over, opened: false };
        self.ledger(|ledger| ledger.boundaries.push(boundary));
        if self.scenario.faults.deaths > 0
            && let Some(job) = self.state.jobs.iter_mut().find(|job| job.member == from)
        {
            job.pinned = job.completed.clone();
        }
    }

    /// A new generation of blue takes over from green, which is dead.
    pub(super) fn reclaim(&mut self) {
        let Some((reclaim, next, since)) = self.reclaimed() else { return };
        let Some(document) = self.state.store.document.clone() else { return };
        let blue = &self.state.jobs[0];
        let (pinned, parallelism) = (blue.pinned.clone(), blue.life.parallelism);
        let next = Shared::new(next);
        self.must(
            "each epoch is used once",
            properties::an_epoch_has_one_document(document.epoch.0, next.epoch.0),
        );
        self.state.store.document = Some(next);
        self.nothing_is_lost(document.active().since, since);
        self.ledger(|ledger| {
            ledger.repeats_from = Some(since);
            ledger.dead_frontier = Some(reclaim.frontier);
        });
        self.marks.add_if(true, Mark::Reclaimed);
        self.start_job(reclaim.by, parallelism, pinned);
        let who = Who { job: 2, former: false };
        self.hear_job(who);
        self.claim(who);
    }

    /// What the dead member had to show below the newcomer's part is visible, or was late.
    fn nothing_is_lost(&mut self, since: EventTime, from: EventTime) {
        for id in 0..self.state.ledger.fates.len() {
            let (records, behind) = self.scenario.neighbours(id as u8);
            let time = records.into_iter().find(|(number, _)| *number == id).map(|(_, time)| time);
            let its = time.is_some_and(|time| since <= time && time < from);
            if its && self.state.ledger.fates[id].visible == 0 {
                let late = behind > self.scenario.settings.lateness_ms;
                let lost = properties::only_late_records_are_lost_at_a_reclaim(id, late);
                self.must("only late records are lost at a reclaim", lost);
            }
        }
    }

    /// The document after a reclaim, if one is possible now.
    pub(super) fn reclaimed(&self) -> Option<(Reclaim, Document, EventTime)> {
        let document = self.state.store.document.as_ref()?;
        let [blue, green] = self.state.jobs.as_slice() else { return None };
        if !green.stopped {
            return None;
        }
        let snapshot = Snapshot { member: blue.member, checkpoint: blue.pinned.as_ref()?.id };
        let frontier = self.state.slot(green.member)?.report.frontier();
        let reclaim = Reclaim { dead: green.member, frontier, by: Member::new(Color::Blue, 2), snapshot };
        let (next, since) = document.reclaim(&reclaim).ok()?;
        Some((reclaim, next, since))
    }
}
