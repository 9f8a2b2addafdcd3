//! The output: one transaction from checkpoint to checkpoint.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tidegate_gate::Member;

use super::state::{self, State};
use crate::order::Order;

pub(crate) const TOPIC: &str = "bills";
const PARTITIONS: i64 = 3;
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) struct Sink {
    producer: BaseProducer,
    member: Member,
}

impl Sink {
    /// Ends what an earlier process of this member has left open. The other color's transactions have another id.
    pub(super) fn open(bootstrap_servers: &str, member: Member) -> Result<Sink> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("transactional.id", format!("{TOPIC}-{member}"))
            .set("linger.ms", "5")
            .create()?;
        producer.init_transactions(DEADLINE).context("cannot open the output")?;
        producer.begin_transaction()?;
        Ok(Sink { producer, member })
    }

    pub(super) fn write(&self, order: &Order, bill: &str) -> Result<()> {
        let key = order.id.to_string();
        let partition = i32::try_from(order.id.rem_euclid(PARTITIONS))?;
        self.send(BaseRecord::to(TOPIC).partition(partition).key(&key).payload(bill))
    }

    /// Makes all of it visible at once, the state included.
    pub(super) fn commit(&self, state: &State) -> Result<()> {
        let (key, value) = (self.member.to_string(), serde_json::to_vec(state)?);
        let partition = state::partition(self.member.color);
        self.send(BaseRecord::to(state::TOPIC).partition(partition).key(&key).payload(&value))?;
        // A row that could not be delivered fails it.
        self.producer.commit_transaction(DEADLINE).context("cannot commit the output")?;
        Ok(self.producer.begin_transaction()?)
    }

    fn send(
        &self,
        mut record: BaseRecord<'_, String, impl rdkafka::message::ToBytes + ?Sized>,
    ) -> Result<()> {
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                // The queue is full: it drains while it is polled.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => return Err(error).context("cannot write the output"),
            }
        }
    }
}
