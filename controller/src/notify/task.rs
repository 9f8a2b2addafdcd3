//! The task of one channel: one message after the other, each until it is taken or given up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tidegate_protocol::time::WallTime;
use tokio::sync::mpsc;

use super::outbox::{AGE_MS, Delivery};
use super::post::Sender;
use super::{Outcome, Pace, lock};
use crate::resource::status::Message;

/// What the tasks of one resource have come to.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Still to be delivered, as far as the last look knew.
    open: BTreeSet<Delivery>,
    /// Taken or given up, and maybe still in the outbox.
    pub(super) settled: BTreeSet<Delivery>,
    /// Why a channel cannot be told just now.
    pub(super) failing: BTreeMap<String, String>,
    /// The resource is gone: nothing is tried after this.
    pub(super) until: Option<WallTime>,
}

impl Told {
    /// The outbox, as it is persisted.
    pub(super) fn keep(&mut self, open: &BTreeSet<Delivery>) {
        self.open.clone_from(open);
        self.settled.retain(|delivery| open.contains(delivery));
        self.failing.retain(|channel, _| open.iter().any(|(_, waits)| waits == channel));
    }

    fn is_wanted(&self, delivery: &Delivery) -> bool {
        self.open.contains(delivery) && !self.settled.contains(delivery)
    }
}

/// Until nobody offers anything any more.
pub(super) async fn run(
    sender: Sender,
    mut queue: mpsc::Receiver<Message>,
    told: Arc<Mutex<Told>>,
    pace: Pace,
    tell: impl Fn(&str, Outcome) + Send,
) {
    while let Some(message) = queue.recv().await {
        let delivery = (message.id.clone(), sender.channel.name.clone());
        let Some(outcome) = deliver(&sender, &message, &delivery, &told, pace, &tell).await else { continue };
        {
            let mut told = lock(&told);
            told.failing.remove(&delivery.1);
            told.settled.insert(delivery.clone());
        }
        tell(&delivery.1, outcome);
    }
}

/// `None`: it is not wanted any more.
async fn deliver(
    sender: &Sender,
    message: &Message,
    delivery: &Delivery,
    told: &Mutex<Told>,
    pace: Pace,
    tell: &(impl Fn(&str, Outcome) + Send),
) -> Option<Outcome> {
    let Sender { namespace, name, channel, .. } = sender;
    let (least, most) = pace.pauses;
    let pauses = ExponentialBuilder::new().with_min_delay(least).with_max_delay(most).with_jitter();
    let mut pauses = pauses.without_max_times().build();
    loop {
        let now = tidegate_agent::now();
        let limit = {
            let told = lock(told);
            if !told.is_wanted(delivery) {
                return None;
            }
            let limit = message.at().plus(AGE_MS);
            told.until.map_or(limit, |until| until.min(limit))
        };
        if now > limit {
            tracing::warn!(
                namespace,
                name,
                channel = channel.name,
                id = message.id,
                "a notification is given up"
            );
            return Some(Outcome::Dropped);
        }
        let Err(failure) = sender.send(message, now).await else { return Some(Outcome::Sent) };
        lock(told).failing.insert(channel.name.clone(), failure.text);
        tell(&channel.name, Outcome::Failed);
        let pause = pauses.next().unwrap_or(most);
        tokio::time::sleep(failure.pause.map_or(pause, |wish| wish.min(most).max(pause))).await;
    }
}
