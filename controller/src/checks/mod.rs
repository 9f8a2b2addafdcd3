//! The checks of a resource: looked at while a new version is proven, and again while it is watched.
//!
//! [`Checks::look`] never waits: it sees to it that the checks run, and tells what they come to so far. What their results
//! come to is decided by [`course`], which is pure; one task per check asks, and follows it. A finding is about the version:
//! whatever keeps a check from being asked is no finding, so that a server of metrics that is away gives nothing back.
//!
//! Verdicts live in memory only. Another controller, or this one after a restart, counts anew, and says so: to count again
//! costs time, to believe in what was counted by somebody else may cost data.

mod address;
mod course;
mod look;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use tidegate::flink::{Driver, JobId};
use tidegate_protocol::rollout::Verdict;
use tidegate_protocol::time::WallTime;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::resource::intent::check::Check;
use crate::web;
use course::{Course, Effect, Event};
use look::Looker;
pub(crate) use subject::Subject;

/// The checks of all resources; `K` names a resource.
pub(crate) struct Checks<K> {
    client: kube::Client,
    http: reqwest::Client,
    /// Since when this controller counts.
    since: WallTime,
    wake: mpsc::UnboundedSender<K>,
    running: BTreeMap<K, Running>,
}

/// Where a version is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The namespace of the resource.
    pub(crate) namespace: String,
    /// The name of the resource.
    pub(crate) name: String,
    /// What runs its job.
    pub(crate) driver: Arc<dyn Driver>,
    /// Its job.
    pub(crate) job: JobId,
}

/// The checks of one version at one stage.
#[derive(Debug)]
struct Running {
    subject: Subject,
    tasks: BTreeMap<String, Task>,
}

/// One check. Dropping it ends it.
#[derive(Debug)]
struct Task {
    check: Check,
    verdict: watch::Receiver<Verdict>,
    handle: AbortHandle,
}

/// The client of checks and notifications cannot be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "ChecksUnusable: the trusted certificates of this machine cannot be used: {reason}; install its CA certificates"
)]
pub(crate) struct Unusable {
    reason: String,
}

impl<K: Clone + Debug + Ord + Send + 'static> Checks<K> {
    /// None run yet. `since` is when this controller began to lead. A resource is sent to `wake` when one of its verdicts has
    /// become final.
    ///
    /// # Errors
    /// When this machine's certificates cannot be read.
    pub(crate) fn new(
        client: kube::Client,
        since: WallTime,
        wake: mpsc::UnboundedSender<K>,
    ) -> Result<Checks<K>, Unusable> {
        let http = web::client(&[]).map_err(Unusable::from)?;
        Ok(Checks { client, http, since, wake, running: BTreeMap::new() })
    }

    /// What the checks of a resource come to so far, by name. Those of `subject` go on, or begin; a check that has changed
    /// begins anew, and all of them do for another subject. With none, nothing runs, and all are pending. To be called
    /// in a runtime.
    pub(crate) fn look(
        &mut self,
        resource: &K,
        checks: &[Check],
        subject: Option<(Subject, Place)>,
    ) -> BTreeMap<String, Verdict> {
        let Some((subject, place)) = subject else {
            self.running.remove(resource);
            let pending = |check: &Check| {
                (
                    check.name.clone(),
                    Verdict::Pending("it begins when the new version has settled".to_owned()),
                )
            };
            return checks.iter().map(pending).collect();
        };
        let same = self.running.remove(resource).filter(|running| running.subject.is_same(&subject));
        let mut before = same.map(|running| running.tasks).unwrap_or_default();
        let mut tasks = BTreeMap::new();
        let taken_over = subject.since < self.since;
        for check in checks {
            let task = before.remove(&check.name).filter(|task| task.check == *check);
            let task = task.unwrap_or_else(|| self.begin(resource, check, &subject, &place));
            tasks.insert(check.name.clone(), task);
        }
        let verdict = |(name, task): (&String, &Task)| {
            let verdict = task.verdict.borrow().clone();
            (name.clone(), if taken_over { self.counted_since(verdict) } else { verdict })
        };
        let verdicts = tasks.iter().map(verdict).collect();
        self.running.insert(resource.clone(), Running { subject, tasks });
        verdicts
    }

    /// Ends the checks of a resource that is no more.
    pub(crate) fn forget(&mut self, resource: &K) {
        self.running.remove(resource);
    }

    fn begin(&self, resource: &K, check: &Check, subject: &Subject, place: &Place) -> Task {
        let looker = Looker {
            client: self.client.clone(),
            http: self.http.clone(),
            place: place.clone(),
            revision: subject.revision.clone(),
            member: subject.member(),
            probe: check.probe.clone(),
        };
        let (tell, verdict) = watch::channel(Course::new().verdict(check));
        let (wake, name) = (self.wake.clone(), resource.clone());
        let told = check.clone();
        let (attempt, stage) = (subject.attempt, subject.stage);
        let run = run(check.clone(), looker, tell, move |verdict: &Verdict| {
            let check = &told.name;
            match verdict {
                Verdict::Failed(reason) => {
                    tracing::warn!(resource = ?name, attempt, ?stage, check, reason, "a check has failed");
                }
                Verdict::Passed | Verdict::Pending(_) => {
                    tracing::info!(resource = ?name, attempt, ?stage, check, "a check has passed");
                }
            }
            // Nobody listens any more: the controller ends.
            let _ = wake.send(name.clone());
        });
        Task { check: check.clone(), verdict, handle: tokio::spawn(run).abort_handle() }
    }

    fn counted_since(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Pending(text) => {
                let millis = i64::try_from(self.since.as_millis()).unwrap_or(i64::MAX);
                let since = jiff::Timestamp::from_millisecond(millis);
                let since = since.map_or_else(|_| millis.to_string(), |since| since.to_string());
                Verdict::Pending(format!(
                    "{text} (counted anew since {since}, when this controller took over)"
                ))
            }
            Verdict::Passed | Verdict::Failed(_) => verdict,
        }
    }
}

impl From<reqwest::Error> for Unusable {
    fn from(error: reqwest::Error) -> Unusable {
        Unusable { reason: web::cause(&error) }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Follows the course of one check to its end.
async fn run(check: Check, looker: Looker, tell: watch::Sender<Verdict>, told: impl Fn(&Verdict) + Send) {
    let begun = Instant::now();
    let mut course = Course::new();
    let mut looking = None;
    let mut event = Event::Time;
    loop {
        let (next, effects) = course::step(course, event, &check, begun.elapsed());
        course = next;
        let verdict = course.verdict(&check);
        tell.send_replace(verdict.clone());
        for effect in effects {
            match effect {
                Effect::Look => looking = Some(Box::pin(looker.look())),
                Effect::Drop => looking = None,
                Effect::Tell => told(&verdict),
            }
        }
        let Some(wake) = course.wake(&check) else { return };
        let found = async {
            match &mut looking {
                Some(looking) => looking.await,
                None => std::future::pending().await,
            }
        };
        event = tokio::select! {
            found = found => {
                looking = None;
                Event::Found(found)
            }
            () = tokio::time::sleep_until(begun + wake) => Event::Time,
        };
    }
}
