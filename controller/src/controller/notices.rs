//! What people are told of a look: the outbox in the status, and who empties it.

use kube::ResourceExt as _;
use tidegate_protocol::rollout::Record;
use tidegate_protocol::time::WallTime;

use super::context::{Context, Key};
use super::events;
use super::problem::Problem;
use super::write;
use crate::notify::Outcome;
use crate::notify::Place;
use crate::notify::outbox::{self, Call, News};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::intent::channel;
use crate::resource::status::Status;

impl Context {
    /// Puts into the outbox of a status that is about to be written what is new in it, and takes out what was delivered.
    pub(super) fn put(
        &self,
        key: &Key,
        resource: &FlinkBlueGreenDeployment,
        record: &Record,
        status: &mut Status,
        now: WallTime,
    ) {
        let before = resource.status.as_ref();
        let known = write::record(resource).unwrap_or_default();
        let news = News {
            record,
            lines: events::news(&known.history, &record.history),
            call: Call::of(status, record),
        };
        let outbox = before.map(|status| status.notifications.clone()).unwrap_or_default();
        let channels = channel::usable(&resource.spec.notifications);
        let uid = resource.uid().unwrap_or_default();
        let delivered = self.notifier.delivered(key);
        let next = outbox::next(&outbox, place(key, &uid), &channels, &news, &delivered, now);
        for channel in &next.dropped {
            self.shared.metrics.notified(&key.namespace, &key.name, channel, Outcome::Dropped);
        }
        status.notifications = next.outbox;
    }

    /// Has what is in the outbox sent, as it is persisted.
    pub(super) fn send(&self, key: &Key, resource: &FlinkBlueGreenDeployment) {
        let channels = channel::usable(&resource.spec.notifications);
        let uid = resource.uid().unwrap_or_default();
        if !channels.is_empty() {
            self.shared.metrics.know(&key.namespace, &key.name);
        }
        let pending = resource.status.as_ref().map(|status| status.notifications.pending.as_slice());
        self.notifier.offer(key, place(key, &uid), &channels, pending.unwrap_or_default());
    }

    /// Who cannot be told just now.
    pub(super) fn unheard(&self, key: &Key) -> impl Iterator<Item = Problem> {
        let failing = self.notifier.failing(key).into_iter();
        failing.map(|(channel, why)| Problem::Notification { channel, why })
    }
}

fn place<'a>(key: &'a Key, uid: &'a str) -> Place<'a> {
    Place { uid, namespace: &key.namespace, name: &key.name }
}
