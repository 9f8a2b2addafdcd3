//! Waiting for what becomes of a resource, by a watch.

use std::time::Duration;

use futures_util::StreamExt as _;
use kube::ResourceExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::Live;
use super::fate::{self, Fate};
use crate::exit::{Exit, Failure};
use crate::output::{Output, progress, show};
use crate::resource::FlinkBlueGreenDeployment;

/// What a look at the resource comes to.
pub(super) enum Look<T> {
    /// It is as it was waited for.
    Over(T),
    /// It is waited for: what is under way.
    Wait(String),
}

impl Live {
    /// Looks whenever the resource changes, until `look` is satisfied; `None` when there is no such resource any more. A server that
    /// is away meanwhile is waited for, too.
    pub(super) async fn follow<T>(
        &self,
        timeout: Option<Duration>,
        mut look: impl FnMut(Option<&FlinkBlueGreenDeployment>) -> Result<Look<T>, Failure>,
    ) -> Result<T, Failure> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let progress = progress("looking")?;
        let changes = watcher::watch_object(self.watched.clone(), &self.name).default_backoff();
        let mut changes = std::pin::pin!(changes);
        let mut last = "nothing was seen of it".to_owned();
        loop {
            let next = match deadline {
                None => changes.next().await,
                Some(deadline) => timeout_at(deadline, changes.next()).await.map_err(|_| timed_out(&last))?,
            };
            match next {
                Some(Ok(resource)) => match look(resource.as_ref())? {
                    Look::Over(over) => return Ok(over),
                    Look::Wait(what) => last = what,
                },
                Some(Err(error)) => {
                    if let Some(denied) = denied(&error) {
                        return Err(denied);
                    }
                    last = format!("the API server cannot be watched: {error}");
                }
                None => return Err(timed_out(&last)),
            }
            progress.set_message(last.clone());
        }
    }

    /// Waits until the wanted version of that generation, or a later one, is live or was given up.
    pub(super) async fn follow_end(
        &self,
        timeout: Option<Duration>,
        generation: Option<i64>,
    ) -> Result<(FlinkBlueGreenDeployment, Fate), Failure> {
        self.follow(timeout, |resource| {
            let Some(resource) = resource else { return Err(self.gone()) };
            if resource.metadata.generation < generation {
                return Ok(Look::Wait("this edit is not seen yet".to_owned()));
            }
            Ok(match fate::of(resource) {
                Fate::UnderWay(what) => Look::Wait(what),
                end @ (Fate::Ready | Fate::Suspended | Fate::GivenUp { .. } | Fate::Invalid(_)) => {
                    Look::Over((resource.clone(), end))
                }
            })
        })
        .await
    }

    pub(super) fn gone(&self) -> Failure {
        let message = format!("{} was deleted meanwhile", self.name);
        Failure::new(Exit::Fenced, "Deleted", message)
    }

    /// Tells how it ended.
    pub(super) fn conclude(
        &self,
        resource: &FlinkBlueGreenDeployment,
        fate: Fate,
        output: Output,
    ) -> Result<Exit, Failure> {
        let status = resource.status.clone().unwrap_or_default();
        let active = status.active.clone().unwrap_or_default();
        let who = if active.member.is_empty() { "nobody" } else { &active.member };
        let text = match fate {
            Fate::Ready => format!("{} is live as {who}, revision {}", self.name, active.revision),
            Fate::Suspended => format!("{} is suspended; its state is kept", self.name),
            Fate::UnderWay(what) => format!("{}: {what}", self.name),
            Fate::Invalid(message) => return Err(Failure::new(Exit::Refused, "SpecInvalid", message)),
            Fate::GivenUp { code, message, is_replaced: true } => {
                let message = format!("the wanted version was given up, {who} has the output: {message}");
                return Err(Failure::new(Exit::RolledBack, &code, message));
            }
            Fate::GivenUp { code, message, is_replaced: false } => {
                return Err(Failure::new(
                    Exit::Failed,
                    &code,
                    format!("the wanted version was given up: {message}"),
                ));
            }
        };
        let value = json!({
            "outcome": "done", "namespace": self.namespace, "name": self.name, "active": active.member,
            "revision": active.revision, "attempt": status.attempt, "generation": resource.metadata.generation,
            "uid": resource.uid(),
        });
        show(output, &value, self.full_name(), text)?;
        Ok(Exit::Done)
    }
}

fn denied(error: &watcher::Error) -> Option<Failure> {
    let told = error.to_string();
    let is_denied = told.contains("forbidden") || told.contains("Forbidden");
    is_denied.then(|| {
        let message = format!("{told}; give this account the right to watch, or use --no-wait");
        Failure::new(Exit::Unreachable, "Denied", message)
    })
}

fn timed_out(last: &str) -> Failure {
    let message = format!("not done in time; it goes on without this command: {last}");
    Failure::new(Exit::Timeout, "Timeout", message)
}
