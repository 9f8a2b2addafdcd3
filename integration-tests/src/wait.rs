//! Waiting for a condition: poll it, give up at a deadline, and then say what was seen last.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What one look at a condition showed.
#[derive(Debug)]
pub enum Observed<T> {
    /// The condition holds.
    Reached(T),
    /// Not yet; the text says what was seen instead and ends up in the error at the deadline.
    NotYet(String),
}

impl<T> Observed<T> {
    /// For conditions where an error may go away by itself (a server that does not listen yet).
    #[must_use]
    pub fn or_not_yet(result: Result<Self>) -> Self {
        result.unwrap_or_else(|error| Self::NotYet(format!("{error:#}")))
    }

    /// `Reached` when the condition holds, otherwise `NotYet` with the status.
    pub fn when(holds: bool, value: T, status: impl FnOnce() -> String) -> Self {
        if holds { Self::Reached(value) } else { Self::NotYet(status()) }
    }
}

const INTERVAL: Duration = Duration::from_millis(50);

/// Polls `look` every 50 ms until it reports [`Observed::Reached`].
///
/// # Errors
/// At the deadline, with `what` and the last status; and at once when `look` fails, for conditions that can no longer
/// come true.
pub async fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Result<Observed<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut last = String::from("nothing seen");
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, look()).await {
            Ok(looked) => match looked.with_context(|| format!("waiting until {what}"))? {
                Observed::Reached(value) => return Ok(value),
                Observed::NotYet(status) => last = status,
            },
            Err(_) => {
                bail!("not within {deadline:?}: {what}; the last look did not return, before it: {last}")
            }
        }
        if started.elapsed() >= deadline {
            bail!("not within {deadline:?}: {what}; last status: {last}");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_the_value_once_reached() {
        let mut looks = 0;
        let value = wait_until("it was looked at three times", Duration::from_secs(5), async || {
            looks += 1;
            Ok(Observed::when(looks == 3, looks, || format!("{looks} looks")))
        })
        .await
        .unwrap();
        assert_eq!(value, 3);
    }

    #[tokio::test]
    async fn the_deadline_tells_the_last_status() {
        let error = wait_until("the sun is green", Duration::from_millis(60), async || {
            Ok(Observed::<()>::NotYet("yellow".into()))
        })
        .await
        .unwrap_err();
        assert_eq!(format!("{error:#}"), "not within 60ms: the sun is green; last status: yellow");
    }

    #[tokio::test]
    async fn an_error_ends_the_wait_at_once() {
        let error = wait_until("a job runs", Duration::from_secs(60), async || -> Result<Observed<()>> {
            bail!("it has failed")
        })
        .await
        .unwrap_err();
        assert_eq!(format!("{error:#}"), "waiting until a job runs: it has failed");
    }

    #[tokio::test]
    async fn a_look_that_hangs_does_not_outlive_the_deadline() {
        let error = wait_until("an answer", Duration::from_millis(60), async || {
            std::future::pending::<Result<Observed<()>>>().await
        })
        .await
        .unwrap_err();
        assert!(format!("{error:#}").contains("did not return"), "{error:#}");
    }
}
