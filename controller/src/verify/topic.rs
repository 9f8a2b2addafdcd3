//! Reading a topic to its end as any read_committed consumer would.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::metadata::MetadataPartition;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(100);

/// Reads the values of all committed records below the high watermarks of now; blocks the thread.
///
/// # Errors
/// When the broker or the topic is not there, when a transaction is still open below that end at the deadline, or when
/// nothing arrives for that long.
pub(super) fn read_committed(
    bootstrap_servers: &str,
    topic: &str,
    deadline: Duration,
) -> Result<Vec<Vec<u8>>> {
    let (uncommitted, committed) =
        (consumer(bootstrap_servers, "read_uncommitted")?, consumer(bootstrap_servers, "read_committed")?);
    let mut ends = BTreeMap::new();
    for partition in partitions(&uncommitted, topic)? {
        let (low, high) = uncommitted.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        if low < high {
            ends.insert(partition, high);
        }
    }
    wait_until_stable(&committed, topic, &ends, deadline)?;
    read_to(&committed, topic, ends, deadline)
}

/// With read_committed the upper watermark is the last stable offset: the first record of the oldest open transaction.
fn wait_until_stable(
    committed: &BaseConsumer,
    topic: &str,
    ends: &BTreeMap<i32, i64>,
    deadline: Duration,
) -> Result<()> {
    let started = Instant::now();
    for (partition, end) in ends {
        loop {
            let (_, stable) = committed.fetch_watermarks(topic, *partition, REQUEST_TIMEOUT)?;
            if stable >= *end {
                break;
            }
            if started.elapsed() >= deadline {
                bail!(
                    "{topic}-{partition} cannot be read to its end {end}: a transaction is open since offset {stable}, \
                     and still is after {deadline:?}; stop the job that writes it with a savepoint, or wait for its \
                     transaction timeout"
                );
            }
            thread::sleep(INTERVAL);
        }
    }
    Ok(())
}

fn read_to(
    committed: &BaseConsumer,
    topic: &str,
    mut ends: BTreeMap<i32, i64>,
    deadline: Duration,
) -> Result<Vec<Vec<u8>>> {
    let mut assignment = TopicPartitionList::new();
    for partition in ends.keys() {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    committed.assign(&assignment).with_context(|| format!("cannot read {topic}"))?;
    let progress = progress(ends.values().sum::<i64>().unsigned_abs());
    let mut rows = Vec::new();
    let mut last = Instant::now();
    while !ends.is_empty() {
        match committed.poll(INTERVAL) {
            Some(Ok(message)) => {
                last = Instant::now();
                progress.inc(1);
                let end = ends.get(&message.partition()).copied();
                if end.is_some_and(|end| message.offset() < end) {
                    rows.push(message.payload().unwrap_or_default().to_vec());
                }
                if end.is_some_and(|end| message.offset() + 1 >= end) {
                    ends.remove(&message.partition());
                }
            }
            // Markers of transactions take offsets, too: the last record is seldom at the end, and only this tells.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ends.remove(&partition);
            }
            Some(Err(error)) => return Err(error).with_context(|| format!("cannot read {topic}")),
            None if last.elapsed() > deadline => {
                bail!(
                    "nothing was read from {topic} for {deadline:?}; partitions and ends still open: {ends:?}"
                )
            }
            None => {}
        }
    }
    progress.finish_and_clear();
    Ok(rows)
}

/// Hidden by itself where standard error is no terminal.
fn progress(records: u64) -> ProgressBar {
    let bar = ProgressBar::new(records);
    if let Ok(style) = ProgressStyle::with_template("reading the output {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

fn consumer(bootstrap_servers: &str, isolation_level: &str) -> Result<BaseConsumer> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        // Needed by the client, never used: nothing is subscribed or committed.
        .set("group.id", "tidegate-verify")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation_level)
        .set("auto.offset.reset", "error")
        .create()
        .context("cannot create a Kafka consumer")
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer
        .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
        .with_context(|| format!("the brokers tell nothing about {topic}"))?;
    let found =
        metadata.topics().first().with_context(|| format!("the brokers tell nothing about {topic}"))?;
    if let Some(error) = found.error() {
        bail!("topic {topic}: {error:?}");
    }
    Ok(found.partitions().iter().map(MetadataPartition::id).collect())
}
