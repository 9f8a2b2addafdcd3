//! What a conducting agent does with the object that people edit: it takes what is asked for, and tells what becomes of it.

use std::time::{Duration, Instant};

use tidegate_protocol::conductor::{Asked, Waiting};
use tidegate_protocol::document::Document;
use tidegate_protocol::edit::{self, Keys, Look, Phase, Status, Turn};
use tidegate_protocol::request::Refusal;
use tidegate_store::{Notice, Sheet, Version};
use tokio::task::JoinSet;

use crate::rollout::{Error, Rollout, fresh, readable};

/// Nothing is written beside an edit that is younger than this: its author may not have finished writing.
const SETTLE: Duration = Duration::from_millis(300);
/// How far apart two sentences of one phase are at first; then it doubles, up to [`RARELY`].
const SOON: Duration = Duration::from_secs(5);
const RARELY: Duration = Duration::from_secs(60);

/// More notices than that are not on their way at once: the place where they are shown does not answer.
const NOTICES: usize = 8;

/// Between rounds.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    /// The newest version, and since when it is there.
    newest: Option<(Option<Version>, Instant)>,
    /// The newest version of our own making.
    own: Option<Version>,
    told: Option<Told>,
    /// On their way; a step of the protocol does not wait for them.
    notices: JoinSet<Result<(), Error>>,
    /// What was said in the log about sentences and notices that could not be written.
    complaints: Vec<String>,
}

#[derive(Debug)]
struct Told {
    phase: Phase,
    not_before: Instant,
    pause: Duration,
}

/// What stands there now.
#[derive(Debug)]
pub(crate) struct Edit {
    sheet: Option<Sheet>,
    /// Taken, and to be answered.
    pub(crate) asked: Option<Asked>,
    pub(crate) paused: bool,
    mend: Option<Refusal>,
    /// Why it could not be taken.
    pub(crate) failed: Option<Error>,
}

impl Edits {
    /// Reads what stands there, and takes it if it is to be taken. `None`: it has changed, so the round looks again.
    pub(crate) async fn look(
        &mut self,
        rollout: &Rollout,
        document: &Document,
        said: &mut Vec<String>,
    ) -> Result<Option<Edit>, Error> {
        while let Some(ended) = self.notices.try_join_next() {
            if let Ok(Err(error)) = ended {
                self.complain(error, said);
            }
        }
        let mut edit = Edit { sheet: None, asked: None, paused: false, mend: None, failed: None };
        let sheet = match rollout.sheet().await {
            Ok(sheet) => sheet,
            Err(Error::Store(error @ tidegate_store::Error::TooLarge { .. })) => {
                self.complain(Error::Store(error), said);
                return Ok(Some(edit));
            }
            Err(error) => return Err(error),
        };
        self.see(&sheet);
        match readable(&sheet) {
            Err(refusal) => edit.mend = Some(refusal),
            Ok(keys) => {
                edit.paused = edit::is_paused(keys);
                match edit::turn(keys, document.answered.as_ref(), &fresh()) {
                    Turn::Rest => {}
                    Turn::Answer(asked) => edit.asked = Some(asked),
                    Turn::Mend(refusal) => edit.mend = Some(refusal),
                    Turn::Put(next) => match self.put(rollout, &sheet, &next).await {
                        Ok(_) => return Ok(None),
                        // What is under way goes on all the same.
                        Err(error) => edit.failed = Some(error),
                    },
                }
            }
        }
        edit.sheet = Some(sheet);
        Ok(Some(edit))
    }

    /// Writes the sentence beside the edit, unless it stands there, or another one was written just now.
    pub(crate) async fn tell(
        &mut self,
        rollout: &Rollout,
        edit: &Edit,
        document: &Document,
        waiting: &[Waiting],
        said: &mut Vec<String>,
    ) {
        let Edit { sheet: Some(sheet), paused, mend, .. } = edit else { return };
        let Status { sentence, phase } =
            edit::status(Look { document, waiting, paused: *paused, mend: mend.as_ref() });
        let keys = shown(sheet);
        let now = Instant::now();
        let told = self.told.as_ref().filter(|told| told.phase == phase);
        let stands = edit::told(keys);
        if stands == Some(&sentence) {
            if told.is_none() {
                self.told = Some(Told { phase, not_before: now, pause: SOON });
            }
            return;
        }
        if !self.is_settled(sheet, now) || told.is_some_and(|told| stands.is_some() && now < told.not_before)
        {
            return;
        }
        let pause = told.map_or(SOON, |told| (told.pause * 2).min(RARELY));
        let is_new = told.is_none();
        match self.put(rollout, sheet, &edit::tell(keys, &sentence)).await {
            Ok(false) => {}
            Ok(true) => {
                self.told = Some(Told { phase, not_before: now + pause, pause });
                if let Some(refusal) = mend.as_ref().filter(|_| is_new) {
                    let (reason, message) = (refusal.code().to_owned(), refusal.to_string());
                    self.announce(rollout, Notice { reason, message, warning: true });
                }
            }
            Err(error) => self.complain(error, said),
        }
    }

    /// Shows something where people look besides.
    pub(crate) fn announce(&mut self, rollout: &Rollout, notice: Notice) {
        if self.notices.len() < NOTICES {
            let rollout = rollout.clone();
            self.notices.spawn(async move { rollout.announce(&notice).await });
        }
    }

    /// Returns whether it was written. What lost against another write has changed nothing, and is looked at again.
    async fn put(&mut self, rollout: &Rollout, sheet: &Sheet, keys: &Keys) -> Result<bool, Error> {
        match rollout.write_sheet(sheet, keys).await {
            Ok(version) => {
                self.own = Some(version);
                Ok(true)
            }
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn see(&mut self, sheet: &Sheet) {
        if self.newest.as_ref().is_none_or(|(version, _)| *version != sheet.version) {
            self.newest = Some((sheet.version.clone(), Instant::now()));
        }
    }

    fn is_settled(&self, sheet: &Sheet, now: Instant) -> bool {
        let ours = self.own.is_some() && self.own == sheet.version;
        let since = self.newest.as_ref().map_or(now, |(_, since)| *since);
        sheet.version.is_none() || ours || now.saturating_duration_since(since) >= SETTLE
    }

    /// Nothing rests on sentences and notices; that they cannot be written is said once.
    fn complain(&mut self, error: Error, said: &mut Vec<String>) {
        let complaint = error.to_string();
        if !self.complaints.contains(&complaint) && self.complaints.len() < 8 {
            said.push(format!("people cannot be told what is going on: {complaint}"));
            self.complaints.push(complaint);
        }
    }
}

/// What was written beside the edit.
fn shown(sheet: &Sheet) -> &Keys {
    sheet.keys.as_ref().unwrap_or_else(|unreadable| &unreadable.shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(version: &str) -> Sheet {
        Sheet::of_keys(Some(Version::new(version)), Keys::new())
    }

    /// A shell truncates a file, and writes it then: whoever replaces it in between, has lost what it writes.
    #[test]
    fn nothing_is_written_beside_what_may_still_be_being_written() {
        let mut edits = Edits::default();
        edits.see(&sheet("a"));
        let begin = Instant::now();
        assert!(!edits.is_settled(&sheet("a"), begin));
        edits.see(&sheet("a"));
        assert!(edits.is_settled(&sheet("a"), begin + SETTLE), "it was looked at again, and is the same");
        edits.see(&sheet("b"));
        assert!(!edits.is_settled(&sheet("b"), begin + SETTLE / 2));
        edits.own = Some(Version::new("b"));
        assert!(edits.is_settled(&sheet("b"), begin), "it is our own");
        assert!(edits.is_settled(&Sheet::of_keys(None, Keys::new()), begin), "there is nothing yet");
    }
}
