//! One round of work on the store: claim, report, read, conduct. A round runs beside the member machine, which goes on giving
//! the orders that it knows while a store is slow or away.

use std::time::Instant;

use tidegate_protocol::conductor::{SILENT_MS, Seen};
use tidegate_protocol::document::{Answer, Document};
use tidegate_protocol::edit;
use tidegate_protocol::identity::{Epoch, Incarnation, Member, Origin};
use tidegate_protocol::member::{News, wrong_state};
use tidegate_protocol::report::{Report, Trouble};
use tidegate_store::Version;

use crate::conductor::Conductor;
use crate::rollout::{Error, Known, Rollout, fresh, readable};
use crate::{Observer, now};

/// More steps than one edit can need in a row.
const STEPS: usize = 6;

/// Another job has the member's slot and is alive.
pub(crate) const COLOR_TAKEN: &str = "ColorTaken";

/// What a round is to do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// This incarnation's report, once it has claimed the slot.
    pub(crate) report: Option<Report>,
    /// The rollout's first document.
    pub(crate) create: Option<Document>,
    /// What the job was first started from, once all of its subtasks have told.
    pub(crate) origin: Option<Origin>,
}

/// What a round found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) news: Vec<News>,
    pub(crate) said: Vec<String>,
    pub(crate) wrote_report: Option<Report>,
}

/// A member's side of the store, between rounds.
#[derive(Debug)]
pub(crate) struct Desk {
    rollout: Rollout,
    /// What the slot holds while it is not claimed, and who this is.
    blank: Report,
    claimed: bool,
    /// This life has read a document.
    found_document: bool,
    slot: Option<Version>,
    observer: Observer,
    conductor: Conductor,
}

impl Desk {
    pub(crate) fn new(rollout: Rollout, blank: Report) -> Desk {
        Desk {
            rollout,
            blank,
            claimed: false,
            found_document: false,
            slot: None,
            observer: Observer::default(),
            conductor: Conductor::default(),
        }
    }

    /// Works through a plan; an error ends the round, and what was found before it counts.
    pub(crate) async fn round(mut self, plan: Plan) -> (Desk, Found) {
        let mut found = Found::default();
        let trouble = match self.work(plan, &mut found).await {
            Ok(()) => None,
            Err(error) => Some(error.trouble()),
        };
        found.news.push(News::StoreTrouble(trouble));
        (self, found)
    }

    async fn work(&mut self, plan: Plan, found: &mut Found) -> Result<(), Error> {
        if !self.claimed && !self.claim(plan.origin, found).await? {
            return Ok(());
        }
        if let Some(report) = plan.report
            && !self.tell(report, found).await?
        {
            return Ok(());
        }
        if let Some(document) = plan.create {
            self.create(document, found).await?;
        }
        for _ in 0..STEPS {
            if !self.found_document {
                // A new life has followed nothing yet: only what the others tell shows that a document was put back.
                let (reports, _) = self.rollout.reports().await?;
                let told = reports.iter().filter_map(|(report, _)| report.epoch).max();
                found.news.extend(told.map(News::Followed));
            }
            let document = self.rollout.document().await?;
            self.found_document |= document.is_some();
            found.news.push(News::Document(document.as_ref().map(|(document, _)| document.clone())));
            match document {
                Some(document) if self.may_conduct(&document.0) => {
                    if !self.conduct(document, found).await? {
                        break;
                    }
                }
                Some(_) | None => break,
            }
        }
        Ok(())
    }

    /// Whether this agent may have to conduct: the active member's always, the one that is to take over when that is silent;
    /// no document but that of its own rollout.
    fn may_conduct(&self, document: &Document) -> bool {
        let to = document.terms().is_some_and(|terms| terms.to == self.member());
        document.rollout == self.rollout.name() && (to || document.active().member == self.member())
    }

    fn member(&self) -> Member {
        self.blank.member
    }

    /// Creates the first document. What was asked for before it never fires: it is forgotten first, and counts as answered.
    async fn create(&mut self, document: Document, found: &mut Found) -> Result<(), Error> {
        let sheet = match self.rollout.sheet().await {
            Ok(sheet) => Some(sheet),
            Err(Error::Store(tidegate_store::Error::TooLarge { .. })) => None, // nobody reads it, then or later
            Err(error) => return Err(error),
        };
        let mut answered = None;
        if let Some(sheet) = &sheet
            && let Ok(keys) = readable(sheet)
            && let Some((left, request)) = edit::forget(keys, &fresh())
        {
            self.rollout.write_sheet(sheet, &left).await?;
            let message = "it was asked before the rollout was created; ask again".to_owned();
            answered = Some(Answer { request, attempt: None, refusal: Some(("Stale".to_owned(), message)) });
        }
        let document = Document { answered, ..document };
        match self.rollout.write_document(None, &document).await {
            Ok(_) => found.said.push(format!("created the document of rollout {}", document.rollout)),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes the member's slot: at once when it is empty, or when an earlier life of this very job has it; from another job
    /// only when that one has gone silent. Returns whether it was taken.
    async fn claim(&mut self, origin: Option<Origin>, found: &mut Found) -> Result<bool, Error> {
        let (incarnation, version, followed) = match self.rollout.report(self.member()).await {
            Ok(None) => (Incarnation(1), None, None),
            Ok(Some((holder, version))) if holder.instance == self.blank.instance => {
                return Ok(self.claimed(holder.incarnation, version, holder.epoch, found));
            }
            Ok(Some((holder, version))) => {
                let silent_ms = self.observer.silent_ms(self.member(), &version, Instant::now());
                if holder.job != self.blank.job {
                    if silent_ms < SILENT_MS {
                        // Whether it is alive shows when it tells again, or does not for long enough. A job that takes the place of one
                        // that has just ended would fail otherwise, each time.
                        if self.observer.has_heard(self.member()) {
                            found.news.push(News::SlotRefused(taken(self.member(), &holder)));
                        }
                        return Ok(false);
                    }
                    if !self.may_succeed(origin, found).await? {
                        return Ok(false);
                    }
                }
                (Incarnation(holder.incarnation.0 + 1), Some(version), holder.epoch)
            }
            Err(error) => return Err(error),
        };
        // What the life before knew stays known: else nobody could tell that an older document has been put back.
        let claim = Report { incarnation, epoch: followed, written: now(), ..self.blank.clone() };
        match self.rollout.write_report(version.as_ref(), &claim).await {
            Ok(version) => Ok(self.claimed(incarnation, version, followed, found)),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Another job takes over from one that has gone silent only if its state is the member's: the silent one may come back.
    async fn may_succeed(&self, origin: Option<Origin>, found: &mut Found) -> Result<bool, Error> {
        let Some(origin) = origin else { return Ok(false) };
        let Some((document, _)) = self.rollout.document().await? else { return Ok(true) };
        let wrong = wrong_state(&document, self.member(), origin);
        let may = wrong.is_none();
        found.news.extend(wrong.map(News::SlotRefused));
        Ok(may)
    }

    fn claimed(
        &mut self,
        incarnation: Incarnation,
        version: Version,
        followed: Option<Epoch>,
        found: &mut Found,
    ) -> bool {
        self.claimed = true;
        self.slot = Some(version);
        found.said.push(format!(
            "{} is incarnation {} of job {}",
            self.member(),
            incarnation.0,
            self.blank.job
        ));
        found.news.push(News::Claimed(incarnation));
        found.news.extend(followed.map(News::Followed));
        true
    }

    /// Writes the report into the slot, unless a newer incarnation has it. Returns whether the slot is still this one's.
    async fn tell(&mut self, report: Report, found: &mut Found) -> Result<bool, Error> {
        match self.rollout.write_report(self.slot.as_ref(), &report).await {
            Ok(version) => {
                self.slot = Some(version);
                found.wrote_report = Some(report);
                Ok(true)
            }
            Err(error) if error.is_conflict() => {
                let holder = self.rollout.report(self.member()).await?;
                match holder {
                    Some((holder, _)) if supersedes(&holder, &report) => {
                        found.news.push(News::Superseded);
                        Ok(false)
                    }
                    holder => {
                        // Our own write of which we never heard, or an old report that somebody has put back.
                        self.slot = holder.map(|(_, version)| version);
                        Ok(true)
                    }
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Takes one step of the protocol, if one is due. Returns whether the document may have changed.
    async fn conduct(
        &mut self,
        (document, version): Known<Document>,
        found: &mut Found,
    ) -> Result<bool, Error> {
        let (reports, _) = self.rollout.reports().await?;
        let own = reports.iter().find(|(report, _)| report.member == self.member());
        if own.is_some_and(|(report, _)| report.instance != self.blank.instance) {
            return Ok(false);
        }
        let reports = self.observer.seen(reports, Instant::now());
        let active = document.active().member;
        if active != self.member() && reports.get(&active).is_some_and(Seen::is_alive) {
            return Ok(false);
        }
        self.conductor.step(&self.rollout, &(document, version), &reports, &mut found.said).await
    }
}

/// Whether a slot that is not as this one left it belongs to a newer incarnation. One of the same number has claimed it after
/// somebody had removed the slot, which nobody may then take back.
fn supersedes(holder: &Report, own: &Report) -> bool {
    holder.incarnation > own.incarnation
        || (holder.incarnation == own.incarnation && holder.instance != own.instance)
}

fn taken(member: Member, holder: &Report) -> Trouble {
    Trouble {
        code: COLOR_TAKEN.to_owned(),
        message: format!(
            "job {} speaks for {member} already and is alive; give this one another tidegate.color or a higher \
             tidegate.generation, or stop the other one first",
            holder.job
        ),
    }
}
