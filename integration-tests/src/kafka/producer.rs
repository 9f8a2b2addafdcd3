//! Writing records in order, at any speed, with errors that are not lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

/// An idempotent producer: each partition has the records in the order of [`Producer::send`].
pub struct Producer {
    inner: ThreadedProducer<Deliveries>,
    failure: Arc<Mutex<Option<String>>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Producer").finish_non_exhaustive()
    }
}

struct Deliveries {
    failure: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert_with(|| error.to_string());
        }
    }
}

impl Producer {
    pub(super) fn new(bootstrap_servers: &str) -> Result<Self> {
        let failure = Arc::new(Mutex::new(None));
        let inner = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            // A consumer gets at least one batch of a partition at once, however little it asks for.
            .set("batch.size", "16384")
            .create_with_context(Deliveries { failure: failure.clone() })
            .context("cannot create a Kafka producer")?;
        Ok(Self { inner, failure })
    }

    /// Queues one record; blocks a moment when the queue is full.
    ///
    /// # Errors
    /// When an earlier record could not be delivered, or this one cannot be queued.
    pub fn send(&self, topic: &str, partition: i32, key: &[u8], value: &[u8]) -> Result<()> {
        self.check()?;
        let mut record = BaseRecord::to(topic).partition(partition).key(key).payload(value);
        while let Err((error, refused)) = self.inner.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error).with_context(|| format!("cannot write to {topic}-{partition}"));
            }
            self.inner.poll(Duration::from_millis(10));
            record = refused;
        }
        Ok(())
    }

    /// Waits until all queued records are on the broker; blocks the thread.
    ///
    /// # Errors
    /// At the deadline, or when a record could not be delivered.
    pub fn flush(&self, deadline: Duration) -> Result<()> {
        self.inner.flush(deadline).context("cannot flush the Kafka producer")?;
        self.check()
    }

    fn check(&self) -> Result<()> {
        if let Some(failure) = &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            bail!("a record could not be delivered to Kafka: {failure}");
        }
        Ok(())
    }
}
