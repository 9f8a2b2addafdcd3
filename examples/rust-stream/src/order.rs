//! What flows: orders in, bills out. A row is the same in a message, in an Arrow batch, and in the job's state.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Int64Array, RecordBatch, TimestampMillisecondArray};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The column with the event time.
pub(crate) const TIME: &str = "at";

/// What a customer ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    /// Event time, epoch milliseconds.
    pub(crate) at: i64,
    pub(crate) cents: i64,
}

/// What the job does with it: the code that is changed between two deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    /// Bills what was ordered
    V1,
    /// Also shows the tax that is in it
    V2,
}

impl Version {
    /// The row that is written for an order.
    pub(crate) fn bill(self, order: &Order) -> String {
        let Order { id, at, cents } = *order;
        let bill = match self {
            Version::V1 => json!({"id": id, "at": at, "cents": cents}),
            Version::V2 => json!({"id": id, "at": at, "cents": cents, "tax": cents * 19 / 119}),
        };
        bill.to_string()
    }
}

/// Orders as a batch.
pub(crate) fn batch(orders: &[Order]) -> Result<RecordBatch> {
    let column = |value: fn(&Order) -> i64| orders.iter().map(value).collect::<Vec<_>>();
    let times = TimestampMillisecondArray::from(column(|order| order.at));
    Ok(RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(column(|order| order.id))) as _),
        (TIME, Arc::new(times) as _),
        ("cents", Arc::new(Int64Array::from(column(|order| order.cents))) as _),
    ])?)
}

/// The orders of a batch.
pub(crate) fn orders(batch: &RecordBatch) -> Result<Vec<Order>> {
    let column = |name: &str| batch.column_by_name(name).with_context(|| format!("the batch has no {name}"));
    let ids = column("id")?.as_primitive::<Int64Type>().values();
    let times = column(TIME)?.as_primitive::<TimestampMillisecondType>().values();
    let cents = column("cents")?.as_primitive::<Int64Type>().values();
    let rows = ids.iter().zip(times.iter()).zip(cents.iter());
    Ok(rows.map(|((id, at), cents)| Order { id: *id, at: *at, cents: *cents }).collect())
}
