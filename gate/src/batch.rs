//! The gate as a filter over Arrow record batches.
//!
//! A batch is split by the event time in one of its columns: rows to emit come back as one batch, in their order; rows that
//! are discarded are gone; rows that are held become batches of one row, because each may be released on its own. A batch
//! that is emitted whole is handed through without a copy.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use arrow_select::filter::filter_record_batch;
use tidegate_protocol::time::EventTime;

use crate::Gate;

/// A batch that the gate cannot take. Nothing of it was admitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The column is not there.
    #[error("NoTimeColumn: the batch has no column {column:?}; it has {columns:?}")]
    NoColumn {
        /// The one that was named.
        column: String,
        /// The ones that there are.
        columns: Vec<String>,
    },
    /// The column holds no time.
    #[error(
        "TimeColumnType: column {column:?} is {found}; a timestamp or Int64 (epoch milliseconds) is needed"
    )]
    Type {
        /// Which.
        column: String,
        /// What it is.
        found: DataType,
    },
    /// Arrow refused to filter.
    #[error("ArrowFailed: {0}")]
    Arrow(#[from] ArrowError),
}

/// Takes a batch; returns what goes to the sink now, in order: released rows cannot come from here, so at most one batch.
/// A null in the time column is a record without a timestamp.
pub fn admit(
    gate: &mut Gate<RecordBatch>,
    batch: &RecordBatch,
    time_column: &str,
) -> Result<Vec<RecordBatch>, Error> {
    let (times, array) = times(batch, time_column)?;
    if array.null_count() == 0
        && let Some(emit) = gate.pass_all(&times)
    {
        return Ok(if emit { vec![batch.clone()] } else { Vec::new() });
    }
    let keep = rows_to_keep(gate, batch, &times, &array)?;
    Ok(match keep.iter().filter(|keep| **keep).count() {
        0 => Vec::new(),
        all if all == batch.num_rows() => vec![batch.clone()],
        _ => vec![filter_record_batch(batch, &BooleanArray::from(keep))?],
    })
}

fn rows_to_keep(
    gate: &mut Gate<RecordBatch>,
    batch: &RecordBatch,
    times: &[i64],
    array: &dyn Array,
) -> Result<Vec<bool>, Error> {
    let bytes = (batch.get_array_memory_size() / batch.num_rows().max(1)) as u64;
    let mut keep = Vec::with_capacity(times.len());
    let mut emitted = Vec::new();
    for (row, millis) in times.iter().enumerate() {
        let time = (!array.is_null(row)).then(|| EventTime::from_millis(*millis));
        let emit = match time.and_then(|time| gate.pass_through(time)) {
            Some(emit) => emit,
            None => {
                gate.admit_slow(time, own_row(batch, row)?, bytes, &mut emitted);
                !emitted.is_empty()
            }
        };
        emitted.clear();
        keep.push(emit);
    }
    Ok(keep)
}

/// One row, copied: a held row must not keep its whole batch in memory.
fn own_row(batch: &RecordBatch, row: usize) -> Result<RecordBatch, Error> {
    let mut only = vec![false; batch.num_rows()];
    only[row] = true;
    Ok(filter_record_batch(batch, &BooleanArray::from(only))?)
}

/// The time column in epoch milliseconds, whatever its unit; without a copy when it is in milliseconds already.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other type of Arrow's holds no time")]
fn times(batch: &RecordBatch, column: &str) -> Result<(ScalarBuffer<i64>, ArrayRef), Error> {
    let Some(array) = batch.column_by_name(column) else {
        let columns = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        return Err(Error::NoColumn { column: column.to_owned(), columns });
    };
    let converted =
        |values: &[i64], to_millis: fn(i64) -> i64| values.iter().map(|value| to_millis(*value)).collect();
    let millis = match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().values().clone(),
        DataType::Timestamp(TimeUnit::Second, _) => {
            converted(array.as_primitive::<TimestampSecondType>().values(), |value| {
                value.saturating_mul(1_000)
            })
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().values().clone()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            converted(array.as_primitive::<TimestampMicrosecondType>().values(), |value| {
                value.div_euclid(1_000)
            })
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            converted(array.as_primitive::<TimestampNanosecondType>().values(), |value| {
                value.div_euclid(1_000_000)
            })
        }
        found => return Err(Error::Type { column: column.to_owned(), found: found.clone() }),
    };
    Ok((millis, array.clone()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray, TimestampMicrosecondArray};
    use tidegate_protocol::document::{Document, HandOver, Settings, Terms};
    use tidegate_protocol::identity::{Attempt, Color, Member, Origin};
    use tidegate_protocol::order::Order;
    use tidegate_protocol::subtask::Limits;
    use tidegate_protocol::time::WallTime;

    use super::*;

    const BLUE: Member = Member::new(Color::Blue, 1);
    const GREEN: Member = Member::new(Color::Green, 1);

    fn gate(member: Member) -> Gate<RecordBatch> {
        let first = Document::first("orders", BLUE, Origin::Fresh, Settings::default());
        let mut gate = Gate::new(member, Limits::default());
        gate.order(Order::new(&first, member), &mut Vec::new());
        gate
    }

    fn committed(at: i64) -> Document {
        let (at, now) = (EventTime::from_millis(at), WallTime::default());
        let terms = Terms {
            attempt: Attempt(0),
            to: GREEN,
            origin: Origin::Fresh,
            at,
            hand_over: HandOver::Overlapped,
            proposed: now,
        };
        let first = Document::first("orders", BLUE, Origin::Fresh, Settings::default());
        first.propose(terms, now, None).unwrap()
    }

    fn batch(times: &[Option<i64>]) -> RecordBatch {
        let names: Vec<String> = (0..times.len()).map(|row| format!("row {row}")).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("ts", Arc::new(Int64Array::from(times.to_vec()))),
            ("name", Arc::new(StringArray::from(names))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
            .unwrap()
    }

    fn names(batches: &[RecordBatch]) -> Vec<String> {
        let names = |batch: &RecordBatch| {
            batch.column(1).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        batches.iter().flat_map(names).collect()
    }

    #[test]
    fn a_batch_that_is_emitted_whole_is_not_copied() {
        let batch = batch(&[Some(1), Some(2)]);
        let out = admit(&mut gate(BLUE), &batch, "ts").unwrap();
        assert_eq!(out.len(), 1);
        assert!(Arc::ptr_eq(out[0].column(0), batch.column(0)));
    }

    #[test]
    fn a_batch_across_the_boundary_is_split_and_its_held_rows_come_in_order() {
        let mut green = gate(GREEN);
        let proposed = committed(10);
        green.order(Order::new(&proposed, GREEN), &mut Vec::new());
        let out = admit(&mut green, &batch(&[Some(12), Some(3), Some(10), Some(11), Some(9)]), "ts").unwrap();
        assert_eq!(names(&out), Vec::<String>::new());
        let mut released = Vec::new();
        green.order(Order::new(&proposed.commit(WallTime::default()).unwrap(), GREEN), &mut released);
        assert_eq!(names(&released), ["row 0", "row 2", "row 3"]);
        let out = admit(&mut green, &batch(&[Some(9), Some(10), Some(11)]), "ts").unwrap();
        assert_eq!(names(&out), ["row 1", "row 2"]);
    }

    #[test]
    fn a_null_is_a_record_without_a_time() {
        let mut blue = gate(BLUE);
        assert_eq!(names(&admit(&mut blue, &batch(&[None, Some(5)]), "ts").unwrap()), ["row 0", "row 1"]);
        assert_eq!(blue.status().odd[1], 1);
    }

    #[test]
    fn other_units_of_time_are_understood_and_other_types_refused() {
        let times = TimestampMicrosecondArray::from(vec![9_999, -1]);
        let batch = RecordBatch::try_from_iter([("ts", Arc::new(times) as _)]).unwrap();
        let (read, _) = super::times(&batch, "ts").unwrap();
        assert_eq!(read.to_vec(), [9, -1]);

        let texts =
            RecordBatch::try_from_iter([("ts", Arc::new(StringArray::from(vec!["now"])) as _)]).unwrap();
        assert!(admit(&mut gate(BLUE), &texts, "ts").unwrap_err().to_string().contains("TimeColumnType"));
        assert!(admit(&mut gate(BLUE), &texts, "time").unwrap_err().to_string().contains("NoTimeColumn"));
    }
}
