//! Notifications: people and programs are told what happens, and how to go on.
//!
//! [`outbox`] decides what is to be told, and is pure; the outbox is part of the status. [`Notifier::offer`] never waits: for each
//! channel of each resource one task sends what is offered, one message after the other, until the receiver has taken it or it is too
//! old. What was taken is told to the next look, which takes it out of the outbox. Until that is written, this process remembers it;
//! another one that takes over just then sends it again, under the same id.

mod command;
mod form;
pub(crate) mod outbox;
mod place;
mod post;
mod secret;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_protocol::time::WallTime;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::resource::intent::channel::Channel;
use crate::resource::status::Message;
use outbox::{Delivery, PENDING};
pub(crate) use place::Place;
use post::Sender;
pub(crate) use secret::Secrets;
use task::{Told, run};

/// How a request to a receiver went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It was taken.
    Sent,
    /// It was not, and is tried again.
    Failed,
    /// It is given up.
    Dropped,
}

/// How fast it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long a receiver may take.
    timeout: Duration,
    /// How long it is waited after the first failure, and at most.
    pauses: (Duration, Duration),
    /// How long what is left is tried on when its resource is gone.
    farewell: Duration,
}

/// How a request went is told here, with the resource and the channel.
pub(crate) type Count<K> = Arc<dyn Fn(&K, &str, Outcome) + Send + Sync>;

/// The channels of all resources; `K` names a resource. Dropping it ends all tasks.
pub(crate) struct Notifier<K> {
    http: reqwest::Client,
    secrets: Secrets,
    wake: mpsc::UnboundedSender<K>,
    count: Count<K>,
    pace: Pace,
    kept: Mutex<BTreeMap<K, Kept>>,
    running: Mutex<JoinSet<()>>,
}

/// Of one resource.
#[derive(Default)]
struct Kept {
    tasks: BTreeMap<String, Task>,
    told: Arc<Mutex<Told>>,
    /// What a task has been given.
    offered: BTreeSet<Delivery>,
}

/// Of one channel. Dropping it ends it, unless it was released.
struct Task {
    channel: Channel,
    queue: mpsc::Sender<Message>,
    handle: Option<AbortHandle>,
}

impl Outcome {
    /// As it is in the label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Failed => "failed",
            Outcome::Dropped => "dropped",
        }
    }
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            timeout: Duration::from_secs(10),
            pauses: (Duration::from_secs(1), Duration::from_secs(300)),
            farewell: Duration::from_secs(600),
        }
    }
}

impl<K: Clone + Debug + Ord + Send + Sync + 'static> Notifier<K> {
    /// Nobody is told of anything yet. A resource is sent to `wake` when a message of it was taken, or given up.
    pub(crate) fn new(
        http: reqwest::Client,
        secrets: Secrets,
        wake: mpsc::UnboundedSender<K>,
        count: Count<K>,
        pace: Pace,
    ) -> Notifier<K> {
        Notifier { http, secrets, wake, count, pace, kept: Mutex::default(), running: Mutex::default() }
    }

    /// What was taken, or is given up, and may still stand in the outbox.
    pub(crate) fn delivered(&self, resource: &K) -> BTreeSet<Delivery> {
        self.kept().get(resource).map(|kept| lock(&kept.told).settled.clone()).unwrap_or_default()
    }

    /// What keeps channels from being told, by channel.
    pub(crate) fn failing(&self, resource: &K) -> BTreeMap<String, String> {
        self.kept().get(resource).map(|kept| lock(&kept.told).failing.clone()).unwrap_or_default()
    }

    /// Sees to it that what is pending, as it is persisted, is sent. A channel that has changed begins anew. To be called in a
    /// runtime.
    pub(crate) fn offer(&self, resource: &K, place: Place<'_>, channels: &[Channel], pending: &[Message]) {
        let mut all = self.kept();
        if channels.is_empty() && pending.is_empty() && !all.contains_key(resource) {
            return;
        }
        let kept = all.entry(resource.clone()).or_default();
        let open: BTreeSet<Delivery> = pending
            .iter()
            .flat_map(|message| message.to.iter().map(|channel| (message.id.clone(), channel.clone())))
            .collect();
        let same = |name: &String, task: &mut Task| {
            channels.iter().any(|one| one.name == *name && *one == task.channel)
        };
        kept.tasks.retain(same);
        kept.offered.retain(|delivery| open.contains(delivery) && kept.tasks.contains_key(&delivery.1));
        lock(&kept.told).keep(&open);
        for message in pending {
            for name in &message.to {
                let delivery = (message.id.clone(), name.clone());
                let Some(channel) = channels.iter().find(|channel| channel.name == *name) else { continue };
                if kept.offered.contains(&delivery) || lock(&kept.told).settled.contains(&delivery) {
                    continue;
                }
                let begin = || self.begin(resource, place, channel, &kept.told);
                let task = kept.tasks.entry(name.clone()).or_insert_with(begin);
                // One that is full is offered it again.
                if task.queue.try_send(message.clone()).is_ok() {
                    kept.offered.insert(delivery);
                }
            }
        }
    }

    /// The resource is no more: what is left is tried for a while.
    pub(crate) fn forget(&self, resource: &K, now: WallTime) {
        let Some(mut kept) = self.kept().remove(resource) else { return };
        lock(&kept.told).until = Some(now.plus(self.pace.farewell.as_millis() as u64));
        for task in kept.tasks.values_mut() {
            task.handle = None;
        }
    }

    fn begin(&self, resource: &K, place: Place<'_>, channel: &Channel, told: &Arc<Mutex<Told>>) -> Task {
        let sender = Sender {
            http: self.http.clone(),
            secrets: self.secrets.clone(),
            namespace: place.namespace.to_owned(),
            name: place.name.to_owned(),
            channel: channel.clone(),
            timeout: self.pace.timeout,
        };
        let (queue, waiting) = mpsc::channel(PENDING);
        let (resource, wake, count) = (resource.clone(), self.wake.clone(), Arc::clone(&self.count));
        let tell = move |channel: &str, outcome: Outcome| {
            count(&resource, channel, outcome);
            if outcome != Outcome::Failed {
                // Nobody listens any more: the controller ends.
                let _ = wake.send(resource.clone());
            }
        };
        let mut running = lock(&self.running);
        while running.try_join_next().is_some() {}
        let handle = running.spawn(run(sender, waiting, Arc::clone(told), self.pace, tell));
        Task { channel: channel.clone(), queue, handle: Some(handle) }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<K, Kept>> {
        lock(&self.kept)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.abort();
        }
    }
}

/// A thread that panicked has left what is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
