//! The input: all partitions of a topic, from offsets that the job keeps itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use tidegate_gate::EventTime;

use crate::order::Order;

pub(crate) const TOPIC: &str = "orders";
pub(crate) const PARTITIONS: i32 = 3;
/// How far an order may come after a newer one of its partition, in milliseconds of event time.
pub(crate) const DISORDER_MS: i64 = 1_000;
const BATCH: usize = 1_000;
const PATIENCE: Duration = Duration::from_millis(20);

pub(super) struct Source {
    consumer: BaseConsumer,
    /// Of each partition, what is to be read next.
    offsets: BTreeMap<i32, i64>,
    /// Of each partition, the highest event time.
    highs: BTreeMap<i32, i64>,
}

impl Source {
    pub(super) fn open(bootstrap_servers: &str, offsets: &BTreeMap<i32, i64>) -> Result<Source> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("group.id", "rust-stream")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let offset = offsets.get(&partition).map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
            assignment.add_partition_offset(TOPIC, partition, offset)?;
        }
        consumer.assign(&assignment)?;
        Ok(Source { consumer, offsets: offsets.clone(), highs: BTreeMap::new() })
    }

    /// What has come, after a moment of waiting.
    pub(super) fn poll(&mut self) -> Result<Vec<Order>> {
        let (mut orders, started) = (Vec::new(), Instant::now());
        while orders.len() < BATCH {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let Some(message) = self.consumer.poll(left) else { break };
            let message = message.context("cannot read the input")?;
            let order: Order = serde_json::from_slice(message.payload().unwrap_or_default())
                .with_context(|| format!("offset {} of {TOPIC} is no order", message.offset()))?;
            self.offsets.insert(message.partition(), message.offset() + 1);
            let high = self.highs.entry(message.partition()).or_insert(order.at);
            *high = order.at.max(*high);
            orders.push(order);
        }
        Ok(orders)
    }

    /// No order below it is to come, by the partition that is furthest behind.
    pub(super) fn watermark(&self) -> Option<EventTime> {
        let all = self.highs.len() == PARTITIONS as usize;
        let low = self.highs.values().min().filter(|_| all)?;
        Some(EventTime::from_millis(low - DISORDER_MS))
    }

    pub(super) fn offsets(&self) -> &BTreeMap<i32, i64> {
        &self.offsets
    }
}
