//! The topic that the jobs write, as an independent reader sees it.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Account, Difference, Owners, Stream, row_time};
use crate::kafka::{LiveReader, open_transactions, read_committed};
use crate::{Observed, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);

/// Committed rows; dropping it stops the reader.
#[derive(Debug)]
pub struct Output {
    reader: LiveReader,
    bootstrap_servers: String,
    topic: String,
}

impl Output {
    /// Reads a topic that exists.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn of(bootstrap_servers: &str, topic: &str) -> Result<Self> {
        let reader = LiveReader::start(bootstrap_servers, topic)?;
        Ok(Self { reader, bootstrap_servers: bootstrap_servers.into(), topic: topic.into() })
    }

    /// The event time of the newest row that is there now.
    ///
    /// # Errors
    /// When the reader has failed.
    pub fn newest(&mut self) -> Result<Option<i64>> {
        self.reader.look(|rows| rows.iter().filter_map(row_time).max())
    }

    /// Waits until rows come that are newer than all that are there now: the output flows.
    ///
    /// # Errors
    /// At the deadline.
    pub async fn wait_flow(&mut self) -> Result<()> {
        let before = self.newest()?;
        wait_until("newer rows are committed", DEADLINE, async || {
            let now = self.newest()?;
            Ok(Observed::when(now > before, (), || format!("the newest row is of {now:?}")))
        })
        .await
    }

    /// Ends the stream and waits until the last row of every origin is committed.
    ///
    /// # Errors
    /// When the stream has failed, or at the deadline.
    pub async fn finish(&mut self, stream: Stream) -> Result<Account> {
        let account = Account::of(&tokio::task::spawn_blocking(move || stream.finish()).await??);
        let last = account.last_rows();
        wait_until(&format!("the last rows {last:?} are committed"), DEADLINE, async || {
            let missing = self.reader.look(|rows| {
                let there = |key: &&String| rows.iter().any(|row| row.key.as_deref() == Some(key.as_bytes()));
                last.iter().filter(|key| !there(key)).cloned().collect::<Vec<_>>()
            })?;
            Ok(Observed::when(missing.is_empty(), (), || format!("missing: {missing:?}")))
        })
        .await?;
        Ok(account)
    }

    /// Reads it all once more, after its jobs have stopped: every owner's row is there once, nothing else is, and no transaction
    /// is left open.
    ///
    /// # Errors
    /// When it is not so.
    pub fn demand_exact(&self, account: &Account, owners: &Owners) -> Result<()> {
        let open = open_transactions(&self.bootstrap_servers, &self.topic)?;
        ensure!(open.is_empty(), "transactions are left open: {open:?}");
        let difference = self.difference(account, owners)?;
        ensure!(
            difference.is_none(),
            "the output is not exact, {} rows expected: {difference}",
            account.rows()
        );
        Ok(())
    }

    /// How what is committed differs from what it should be.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn difference(&self, account: &Account, owners: &Owners) -> Result<Difference> {
        Ok(account.compare(owners, &read_committed(&self.bootstrap_servers, &self.topic, DEADLINE)?))
    }
}
