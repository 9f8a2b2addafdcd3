//! An independent read_committed reader: it sees what any consumer downstream sees, and notes when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const POLL: Duration = Duration::from_millis(100);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// One committed record.
#[derive(Debug, Clone)]
pub struct Record {
    /// The partition that it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; empty when it has none.
    pub value: Vec<u8>,
    /// When it arrived at this reader.
    pub arrived: Instant,
}

/// Reads all partitions of `topic` from their beginning up to their last stable offsets of now; blocks the thread.
///
/// # Errors
/// When the broker does not answer, or the end is not reached within `deadline`.
pub fn read_committed(bootstrap_servers: &str, topic: &str, deadline: Duration) -> Result<Vec<Record>> {
    let started = Instant::now();
    let consumer = consumer(bootstrap_servers)?;
    // With this isolation level the upper watermark is the last stable offset.
    let mut ends = BTreeMap::new();
    for partition in partitions(&consumer, topic)? {
        let (low, end) = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        if low < end {
            ends.insert(partition, end);
        }
    }
    assign(&consumer, topic, ends.keys().copied())?;
    let mut records = Vec::new();
    while !ends.is_empty() {
        if started.elapsed() > deadline {
            bail!("{topic} was not read to its end within {deadline:?}; still open: {ends:?}");
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                if ends.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
                    ends.remove(&message.partition());
                }
                records.push(record(&message));
            }
            // Markers of transactions lie at the end: only this tells that nothing comes any more.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ends.remove(&partition);
            }
            Some(Err(error)) => return Err(error).with_context(|| format!("cannot read {topic}")),
        }
    }
    Ok(records)
}

/// The partitions of `topic` in which a transaction is open: their last stable offset is below the high watermark.
///
/// # Errors
/// When the broker does not answer.
pub fn open_transactions(bootstrap_servers: &str, topic: &str) -> Result<Vec<String>> {
    let (all, stable) = (
        consumer_at(bootstrap_servers, "read_uncommitted")?,
        consumer_at(bootstrap_servers, "read_committed")?,
    );
    let mut open = Vec::new();
    for partition in partitions(&all, topic)? {
        // In this order: what is committed in between is not taken for open.
        let (_, high) = all.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let (_, end) = stable.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        if end < high {
            open.push(format!("{topic}-{partition}: stable up to {end} of {high}"));
        }
    }
    Ok(open)
}

/// The last stable offset of each partition now: what lies below it is what a `read_committed` reader can see.
///
/// # Errors
/// When the broker does not answer.
pub fn stable_ends(bootstrap_servers: &str, topic: &str) -> Result<BTreeMap<i32, i64>> {
    let consumer = consumer(bootstrap_servers)?;
    let end =
        |partition| anyhow::Ok((partition, consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?.1));
    partitions(&consumer, topic)?.into_iter().map(end).collect()
}

/// Reads a topic in a thread of its own from the beginning until it is stopped.
#[derive(Debug)]
pub struct LiveReader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    records: Mutex<Vec<Record>>,
    stop: AtomicBool,
}

impl LiveReader {
    /// Starts to read; the topic must exist.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn start(bootstrap_servers: &str, topic: &str) -> Result<Self> {
        let consumer = consumer(bootstrap_servers)?;
        let all = partitions(&consumer, topic)?;
        assign(&consumer, topic, all)?;
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = std::thread::spawn(move || read_until_stopped(&consumer, &theirs));
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Looks at what has arrived so far, in order of arrival. Be quick: the reader waits meanwhile.
    ///
    /// # Errors
    /// When the reader has ended with an error.
    pub fn look<T>(&mut self, look: impl FnOnce(&[Record]) -> T) -> Result<T> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            self.join()?;
            bail!("the live reader has ended");
        }
        Ok(look(&self.shared.records()))
    }

    /// Ends the reading and returns everything that has arrived, in order of arrival.
    ///
    /// # Errors
    /// When the reader has ended with an error.
    pub fn stop(mut self) -> Result<Vec<Record>> {
        self.join()?;
        Ok(std::mem::take(&mut *self.shared.records()))
    }

    fn join(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow!("the live reader has panicked"))?,
            None => Ok(()),
        }
    }
}

impl Drop for LiveReader {
    fn drop(&mut self) {
        // Whoever drops it without `stop` is not interested in the outcome.
        let _ = self.join();
    }
}

impl Shared {
    fn records(&self) -> std::sync::MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_until_stopped(consumer: &BaseConsumer, shared: &Shared) -> Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let record = record(&message);
                shared.records().push(record);
            }
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            // A broker that is down for a while comes back; what is fatal is told as such.
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                bail!("the live reader has failed: {code}")
            }
            Some(Err(_)) => {}
        }
    }
    Ok(())
}

fn consumer(bootstrap_servers: &str) -> Result<BaseConsumer> {
    consumer_at(bootstrap_servers, "read_committed")
}

fn consumer_at(bootstrap_servers: &str, isolation_level: &str) -> Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        // Needed by the client, never used: nothing is subscribed or committed.
        .set("group.id", "tidegate-independent-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation_level)
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "20")
        .create()
        .context("cannot create a Kafka consumer")
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer
        .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
        .with_context(|| format!("no metadata of {topic}"))?;
    let topics = metadata.topics().first().context("no topic in the metadata")?;
    if let Some(error) = topics.error() {
        bail!("topic {topic}: {error:?}");
    }
    Ok(topics.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect())
}

fn assign(consumer: &BaseConsumer, topic: &str, partitions: impl IntoIterator<Item = i32>) -> Result<()> {
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment).with_context(|| format!("cannot read {topic}"))
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().unwrap_or_default().to_vec(),
        arrived: Instant::now(),
    }
}
