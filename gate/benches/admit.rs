//! The gate against doing the same without one: ratios of medians, both sides measured in turn in one run.
//!
//! The last line of standard output is one JSON object. A ratio of 1.1 means that the gated side takes 1.1 times as long.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_select::filter::filter_record_batch;
use tidegate_gate::{Color, Gate, Limits, Member, Order, batch};
use tidegate_protocol::document::{Document, HandOver, Settings, Terms};
use tidegate_protocol::identity::{Attempt, Origin};
use tidegate_protocol::time::{EventTime, WallTime};

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 1);
const ROWS: i64 = 100_000;
const PAIRS: usize = 61;

fn main() {
    let first = Document::first("bench", BLUE, Origin::Fresh, Settings::default());
    let emitting = pairs(&mut records(&first, BLUE), &mut push_all());
    let discarding = pairs(&mut records(&first, GREEN), &mut drop_all());
    let rows = rows();
    let whole = pairs(&mut batches(&first, &rows), &mut copy(&rows));
    let split = pairs(&mut batches(&after_cutover(&first), &rows), &mut copy(&rows));
    println!("gate against the same loop without it, {ROWS} records, median of {PAIRS} pairs:");
    println!("  per record, emitting      {emitting:.2}");
    println!("  per record, discarding    {discarding:.2}");
    println!("  Arrow batch, all emitted  {whole:.2} (against a copy of the batch)");
    println!("  Arrow batch, half emitted {split:.2} (against a copy of the batch)");
    println!(
        "{{\"record_emit\":{emitting:.3},\"record_discard\":{discarding:.3},\"batch_whole\":{whole:.3},\"batch_split\":{split:.3}}}"
    );
}

/// The median of the ratios of runs that follow each other, so that a machine that changes its speed does not matter.
fn pairs(gated: &mut dyn FnMut(), plain: &mut dyn FnMut()) -> f64 {
    let time = |run: &mut dyn FnMut()| -> Duration {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    time(gated);
    time(plain);
    let mut ratios: Vec<f64> =
        (0..PAIRS).map(|_| time(gated).as_secs_f64() / time(plain).as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[PAIRS / 2]
}

fn gate<R>(document: &Document, member: Member) -> Gate<R> {
    let mut gate = Gate::new(member, Limits::default());
    gate.order(Order::new(document, member), &mut Vec::new());
    gate
}

fn after_cutover(first: &Document) -> Document {
    let (at, now) = (EventTime::from_millis(ROWS / 2), WallTime::default());
    let terms = Terms {
        attempt: Attempt(0),
        to: GREEN,
        origin: Origin::Fresh,
        at,
        hand_over: HandOver::Ordered,
        proposed: now,
    };
    let committed = first.propose(terms, now, None).and_then(|document| document.commit(now));
    committed.and_then(|document| document.finish(now)).expect("a first cutover is always allowed")
}

fn records(document: &Document, member: Member) -> impl FnMut() {
    let mut gate: Gate<i64> = gate(document, member);
    let mut out = Vec::with_capacity(ROWS as usize);
    move || {
        out.clear();
        for time in 0..ROWS {
            gate.admit(black_box(time), time, 8, &mut out);
        }
        black_box(&out);
    }
}

fn push_all() -> impl FnMut() {
    let mut out = Vec::with_capacity(ROWS as usize);
    move || {
        out.clear();
        for time in 0..ROWS {
            out.push(black_box(time));
        }
        black_box(&out);
    }
}

fn drop_all() -> impl FnMut() {
    || {
        for time in 0..ROWS {
            black_box(time);
        }
    }
}

fn rows() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("a", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("b", Arc::new(Int64Array::from_iter_values(0..ROWS))),
    ];
    RecordBatch::try_from_iter(columns).expect("three columns of one length make a batch")
}

fn batches(document: &Document, rows: &RecordBatch) -> impl FnMut() {
    let (mut gate, rows) = (gate(document, BLUE), rows.clone());
    move || {
        black_box(batch::admit(&mut gate, &rows, "ts").expect("the column is there"));
    }
}

fn copy(rows: &RecordBatch) -> impl FnMut() {
    let rows = rows.clone();
    // A filter that keeps everything does not copy; one that keeps nearly everything does.
    let nearly_all = BooleanArray::from_iter((0..ROWS).map(|row| Some(row % 4096 != 0)));
    move || {
        black_box(filter_record_batch(&rows, &nearly_all).expect("one flag per row"));
    }
}
