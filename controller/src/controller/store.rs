//! The rollout's store: the controller takes the protocol's steps there like every agent, and then reads what there is.

use std::collections::BTreeMap;
use std::time::Instant;

use tidegate_agent::{Known, Rollout};
use tidegate_protocol::conductor::Seen;
use tidegate_protocol::document::Document;
use tidegate_protocol::edit;
use tidegate_protocol::identity::Member;
use tidegate_protocol::rollout::Operation;
use tidegate_store::Sheet;
use tracing::info;

use super::desk::Desk;
use super::problem::Problem;

/// More steps than one request can need in a row.
const STEPS: usize = 6;

/// What lies in the store.
pub(super) struct Contents {
    pub(super) document: Option<Known<Document>>,
    pub(super) reports: BTreeMap<Member, Seen>,
    /// As it was read: a request takes just its place.
    pub(super) sheet: Sheet,
}

impl Contents {
    /// The id of the controller's own request that lies there, taken or not.
    pub(super) fn placed(&self) -> Option<String> {
        let ids = self.sheet.keys.as_ref().map(edit::ids).unwrap_or_default();
        ids.into_iter().find(|id| Operation::is_request(id))
    }
}

impl Desk {
    /// The store of that URL, opened once.
    pub(super) fn open(&mut self, url: &str, name: &str) -> Result<Rollout, Problem> {
        if let Some((open, rollout)) = &self.rollout
            && open == url
        {
            return Ok(rollout.clone());
        }
        let rollout = Rollout::open(url, name)?;
        self.rollout = Some((url.to_owned(), rollout.clone()));
        Ok(rollout)
    }

    /// Takes the steps of the protocol that are due.
    pub(super) async fn conduct(&mut self, rollout: &Rollout) -> Result<(), Problem> {
        for _ in 0..STEPS {
            let Some(known) = rollout.document().await? else { return Ok(()) };
            is_own(rollout, &known.0)?;
            let (reports, _) = rollout.reports().await?;
            let reports = self.observer.seen(reports, Instant::now());
            let mut said = Vec::new();
            let changed = self.conductor.step(rollout, &known, &reports, &mut said).await;
            for line in said {
                info!(rollout = rollout.name(), "{line}");
            }
            if !changed? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the document, then the rest.
    pub(super) async fn contents(&mut self, rollout: &Rollout) -> Result<Contents, Problem> {
        let document = rollout.document().await?;
        if let Some((document, _)) = &document {
            is_own(rollout, document)?;
        }
        let sheet = rollout.sheet().await?;
        let (reports, _) = rollout.reports().await?;
        let reports = self.observer.seen(reports, Instant::now());
        Ok(Contents { document, reports, sheet })
    }
}

fn is_own(rollout: &Rollout, document: &Document) -> Result<(), Problem> {
    if document.rollout == rollout.name() {
        return Ok(());
    }
    Err(Problem::OtherRollout { store: rollout.url(), found: document.rollout.clone() })
}
