//! The job's state, written in the transaction of the output that goes with it. Each color has a partition of its own, so that
//! an open transaction of the other one is in nobody's way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use arrow_array::RecordBatch;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_gate::{Color, EventTime, Header, Held, Member};
use tidegate_protocol::documents::v1::{read_header, write_header};

use crate::order::{self, Order};

pub(crate) const TOPIC: &str = "state";
pub(crate) const PARTITIONS: i32 = 2;
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) checkpoint: u64,
    pub(super) offsets: BTreeMap<i32, i64>,
    /// The gate's own; none before the first checkpoint.
    header: Option<Value>,
    held: Vec<HeldOrder>,
}

/// A record that the gate holds.
#[derive(Serialize, Deserialize)]
struct HeldOrder {
    time: i64,
    bytes: u64,
    inherited: bool,
    order: Order,
}

impl State {
    pub(super) fn new<'a>(
        checkpoint: u64,
        offsets: &BTreeMap<i32, i64>,
        header: &Header,
        held: impl Iterator<Item = &'a Held<RecordBatch>>,
    ) -> Result<State> {
        let header = serde_json::from_slice(&write_header(header))?;
        let held = held.map(HeldOrder::new).collect::<Result<_>>()?;
        Ok(State { checkpoint, offsets: offsets.clone(), header: Some(header), held })
    }

    /// The last one that this member has committed; for its first start the last one of the other color.
    pub(super) fn last(bootstrap_servers: &str, member: Member) -> Result<Option<State>> {
        let own = read_last(bootstrap_servers, member.color)?;
        if own.is_some() { Ok(own) } else { read_last(bootstrap_servers, other(member.color)) }
    }

    pub(super) fn headers(&self) -> Result<Vec<Header>> {
        self.header.iter().map(|header| Ok(read_header(&serde_json::to_vec(header)?)?)).collect()
    }

    pub(super) fn held(&self) -> Result<Vec<Held<RecordBatch>>> {
        self.held.iter().map(HeldOrder::restore).collect()
    }
}

impl HeldOrder {
    fn new(held: &Held<RecordBatch>) -> Result<HeldOrder> {
        let order = order::orders(&held.record)?.pop().context("a held batch has no row")?;
        let Held { time, bytes, inherited, .. } = *held;
        Ok(HeldOrder { time: time.as_millis(), bytes, inherited, order })
    }

    fn restore(&self) -> Result<Held<RecordBatch>> {
        let HeldOrder { time, bytes, inherited, order } = *self;
        let record = order::batch(&[order])?;
        Ok(Held { time: EventTime::from_millis(time), bytes, inherited, record })
    }
}

pub(super) fn partition(color: Color) -> i32 {
    match color {
        Color::Blue => 0,
        Color::Green => 1,
    }
}

fn other(color: Color) -> Color {
    match color {
        Color::Blue => Color::Green,
        Color::Green => Color::Blue,
    }
}

/// What is committed in the color's partition now.
fn read_last(bootstrap_servers: &str, color: Color) -> Result<Option<State>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("group.id", "rust-stream")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(TOPIC, partition(color), Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let (mut last, started) = (None, Instant::now());
    loop {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let state = serde_json::from_slice(message.payload().unwrap_or_default());
                last = Some(state.with_context(|| format!("the state of {color} cannot be read"))?);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
            Some(Err(error)) => return Err(error).context("cannot read the state"),
            None if started.elapsed() > DEADLINE => bail!("the state was not read within {DEADLINE:?}"),
            None => {}
        }
    }
}
