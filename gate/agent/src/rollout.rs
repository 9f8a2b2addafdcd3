//! The objects of one rollout, read and written as what they are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidegate_protocol::document::Document;
use tidegate_protocol::documents::{self, v1};
use tidegate_protocol::edit::{self, Keys};
use tidegate_protocol::identity::Member;
use tidegate_protocol::report::{Report, Trouble};
use tidegate_protocol::request::{Refusal, Request};
use tidegate_store::{Notice, Object, Sheet, Slot, Store, Stored, Version, Watch};

/// No single call on a store may take longer.
const CALL: Duration = Duration::from_secs(5);

/// An object and the version that it was read in.
pub type Known<T> = (T, Version);

/// Why an object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] tidegate_store::Error),
    /// What the store holds.
    #[error(transparent)]
    Document(#[from] documents::Error),
    /// What people have asked for.
    #[error("{}: {_0}", _0.code())]
    Refused(#[from] Refusal),
    /// No answer in time. A write may still be applied.
    #[error("StoreTimeout: {store} did not answer within {seconds} s; check that it is up")]
    Timeout {
        /// The store.
        store: String,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl Error {
    /// The stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Store(error) => error.code(),
            Error::Document(error) => error.code(),
            Error::Refused(refusal) => refusal.code(),
            Error::Timeout { .. } => "StoreTimeout",
        }
    }

    /// A write lost against another one.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Store(tidegate_store::Error::Conflict { .. }))
    }

    /// For a report.
    pub fn trouble(&self) -> Trouble {
        Trouble { code: self.code().to_owned(), message: self.to_string() }
    }
}

/// The objects of one rollout.
#[derive(Clone)]
pub struct Rollout {
    store: Arc<dyn Store>,
    name: String,
}

impl fmt::Debug for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.store.url())
    }
}

impl Rollout {
    /// The rollout of that name in the store of that URL.
    pub fn open(url: &str, name: &str) -> Result<Rollout, tidegate_store::Error> {
        Ok(Rollout::new(crate::open(url, name)?, name))
    }

    /// The rollout of that name, in a store that was opened for it.
    pub fn new(store: Arc<dyn Store>, name: &str) -> Rollout {
        Rollout { store, name: name.to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its store's URL, without secrets.
    pub fn url(&self) -> String {
        self.store.url()
    }

    /// Tells of changes of any of its objects.
    pub fn watch(&self) -> Watch {
        self.store.watch()
    }

    /// The document; `None` when there is none yet.
    pub async fn document(&self) -> Result<Option<Known<Document>>, Error> {
        let Some(stored) = self.read(&Object::Document).await? else { return Ok(None) };
        let (document, _) = v1::read_document(&stored.bytes)?;
        Ok(Some((document, stored.version)))
    }

    /// Puts a document in the place of the version that was read.
    pub async fn write_document(
        &self,
        expected: Option<&Version>,
        document: &Document,
    ) -> Result<Version, Error> {
        let nonce = uuid::Uuid::new_v4().to_string();
        self.write(&Object::Document, expected, &v1::write_document(document, &nonce)).await
    }

    /// The object that people edit.
    pub async fn sheet(&self) -> Result<Sheet, Error> {
        self.bounded(self.store.read_sheet()).await
    }

    /// Puts these keys in the place of those that were read.
    pub async fn write_sheet(&self, old: &Sheet, keys: &Keys) -> Result<Version, Error> {
        self.bounded(self.store.write_sheet(old, keys)).await
    }

    /// Shows something where people look besides, if the store has such a place.
    pub async fn announce(&self, notice: &Notice) -> Result<(), Error> {
        self.bounded(self.store.announce(notice)).await
    }

    /// Asks for something, in the place of what was asked for and not taken yet; returns the id that its answer names.
    pub async fn ask(&self, request: &Request) -> Result<String, Error> {
        let id = fresh();
        self.ask_as(&id, request).await?;
        Ok(id)
    }

    /// The same under an id that the caller has made up: no other request may have had it.
    pub async fn ask_as(&self, id: &str, request: &Request) -> Result<(), Error> {
        self.edit(|keys| edit::ask(keys, request, id)).await.map(drop)
    }

    /// Takes a request back, if it is there still; returns whether it was.
    pub async fn withdraw(&self, id: &str) -> Result<bool, Error> {
        self.edit(|keys| Ok(edit::withdraw(keys, id))).await
    }

    /// Whether a request is there still: not replaced, not withdrawn, and not followed by another one.
    pub async fn holds(&self, id: &str) -> Result<bool, Error> {
        Ok(self.sheet().await?.keys.is_ok_and(|keys| edit::holds(&keys, id)))
    }

    /// Pauses the rollout, or lets it go on; returns whether that was a change.
    pub async fn pause(&self, paused: bool) -> Result<bool, Error> {
        self.edit(|keys| Ok(edit::pause(keys, paused))).await
    }

    /// Changes the keys that are there, whatever else changes them meanwhile; returns whether there was anything to change.
    async fn edit(&self, change: impl Fn(&Keys) -> Result<Keys, Refusal>) -> Result<bool, Error> {
        loop {
            let sheet = self.sheet().await?;
            let keys = readable(&sheet)?;
            let next = change(keys)?;
            if next == *keys {
                return Ok(false);
            }
            match self.write_sheet(&sheet, &next).await {
                Ok(_) => return Ok(true),
                Err(error) if error.is_conflict() => continue,
                Err(error) => return Err(error),
            }
        }
    }

    /// One member's report.
    pub async fn report(&self, member: Member) -> Result<Option<Known<Report>>, Error> {
        self.report_in(&slot(member)?).await
    }

    async fn report_in(&self, slot: &Slot) -> Result<Option<Known<Report>>, Error> {
        let Some(stored) = self.read(&Object::Report(slot.clone())).await? else { return Ok(None) };
        let report = v1::read_report(&stored.bytes)?;
        if report.member.to_string() != slot.as_str() {
            // A copy under another name would pass for its member's newest word.
            let reason = format!("member = {} does not belong into the slot {slot}", report.member);
            return Err(documents::Error::Damaged { what: "report", reason }.into());
        }
        Ok(Some((report, stored.version)))
    }

    /// All reports that can be read, and what is wrong with the others.
    pub async fn reports(&self) -> Result<(Vec<Known<Report>>, Vec<Trouble>), Error> {
        let (mut reports, mut trouble) = (Vec::new(), Vec::new());
        for slot in self.bounded(self.store.reports()).await? {
            match self.report_in(&slot).await {
                Ok(report) => reports.extend(report),
                Err(error @ (Error::Document(_) | Error::Store(tidegate_store::Error::TooLarge { .. }))) => {
                    trouble.push(error.trouble())
                }
                Err(error) => return Err(error),
            }
        }
        Ok((reports, trouble))
    }

    /// Puts a report in the place of the version that was read or written last.
    pub async fn write_report(&self, expected: Option<&Version>, report: &Report) -> Result<Version, Error> {
        self.write(&Object::Report(slot(report.member)?), expected, &v1::write_report(report)).await
    }

    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error> {
        self.bounded(self.store.read(object)).await
    }

    async fn write(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        self.bounded(self.store.compare_and_set(object, expected, bytes)).await
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, tidegate_store::Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(CALL, call).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Error::Timeout { store: self.url(), seconds: CALL.as_secs() }),
        }
    }
}

fn slot(member: Member) -> Result<Slot, tidegate_store::Error> {
    Slot::new(member.to_string())
}

/// An id that nobody has used.
pub(crate) fn fresh() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The keys, or what is wrong with what stands there.
pub fn readable(sheet: &Sheet) -> Result<&Keys, Refusal> {
    sheet.keys.as_ref().map_err(|unreadable| {
        let text =
            format!("this is no list of keys and values ({unreadable}); write lines like promote: now");
        Refusal::RequestUnreadable(text)
    })
}
