//! Hints that something changed.

use std::fmt;

use crate::Error;

/// Hints about changes of any object of a rollout. A hint carries no data: the reader reads.
///
/// After each change that is made after [`Store::watch`](crate::Store::watch), and after each gap in watching (a lost
/// connection, a folder that was away), at least one call of [`changed`](Self::changed) that returns after it. Hints
/// are merged, and there may be some without a change, at the start for instance. Dropping it ends the watching.
pub struct Watch(Box<dyn Hints>);

impl Watch {
    /// For stores: a watch over its own source of hints.
    pub fn new(hints: impl Hints + 'static) -> Self {
        Self(Box::new(hints))
    }

    /// Waits for the next hint. Cancel safe: a hint is never lost with a dropped future.
    ///
    /// It stays with the watch over outages; [`Error::Closed`] when the store is gone, and then for ever.
    pub async fn changed(&mut self) -> Result<(), Error> {
        self.0.next().await
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// A source of hints, with the guarantees of [`Watch`]. A store that is told of changes (a connection with a task that reads
/// it) uses the one over [`tokio::sync::watch`]; one that has to look implements its own, and so needs no task.
#[async_trait::async_trait]
pub trait Hints: Send {
    /// As [`Watch::changed`].
    async fn next(&mut self) -> Result<(), Error>;
}

/// Each `send` is a hint; the sender's end closes the watch.
#[async_trait::async_trait]
impl Hints for tokio::sync::watch::Receiver<()> {
    async fn next(&mut self) -> Result<(), Error> {
        self.changed().await.map_err(|_| Error::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pushed_hints_are_merged_and_end_with_the_sender() {
        let (sender, receiver) = tokio::sync::watch::channel(());
        let mut watch = Watch::new(receiver);
        sender.send_replace(());
        sender.send_replace(());
        watch.changed().await.expect("a hint is pending");
        drop(sender);
        for _ in 0..2 {
            let error = watch.changed().await.expect_err("the two hints were merged into one");
            assert_eq!(error.code(), "StoreClosed");
        }
    }
}
