//! The input of a cell: lines at an even pace, out of order, some of them late, one partition idle from before the cutover until the
//! old version is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::kafka::Producer;

/// Every cell has at least so many.
pub const RECORDS: usize = 100_000;
/// Partitions of the input.
pub(super) const PARTITIONS: usize = 4;
/// Event time between two lines.
pub(super) const STEP_MS: i64 = 10;
/// So 60 seconds of event time go by in one.
const LINES_PER_SECOND: f64 = 6_000.0;
/// The last partition has so many lines' time at the beginning and at the end; in between it is idle.
const AWAKE: usize = 8_000;
/// 2026-01-01T00:00:00Z.
const FIRST_MS: i64 = 1_767_225_600_000;
const KEYS_PER_PARTITION: i64 = 16;
/// The job's bound for what is out of order.
const BOUND_MS: i64 = 5_000;
/// How often the due lines are sent: the pace itself, no wait for a state.
const TICK: Duration = Duration::from_millis(5);
const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Its partition.
    pub partition: usize,
    /// Its place among all lines.
    pub number: usize,
    /// Its event time, epoch milliseconds.
    pub at: i64,
    /// A key has all its lines in one partition.
    pub key: i64,
    /// Something to add up.
    pub amount: i64,
}

/// Makes lines; the same ones for the same seed, which must not be 0.
#[derive(Debug, Clone)]
pub struct Lines {
    random: u64,
    number: usize,
}

impl Lines {
    /// From the first one on.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: seed, number: 0 }
    }

    /// The next one, in one of the first `partitions`.
    pub fn line(&mut self, partitions: usize) -> Line {
        let number = self.number;
        self.number += 1;
        let behind = if self.below(50) == 0 { 10_000 + self.below(50_000) } else { self.below(BOUND_MS) };
        let partition = self.below(partitions as i64) as usize;
        let key = partition as i64 * KEYS_PER_PARTITION + self.below(KEYS_PER_PARTITION);
        let at = FIRST_MS + number as i64 * STEP_MS - behind;
        Line { partition, number, at, key, amount: self.below(1_000) }
    }

    /// A number below `bound` (xorshift).
    fn below(&mut self, bound: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 33) as i64) % bound
    }
}

impl Line {
    fn text(&self) -> String {
        let Self { partition, number, at, key, amount } = self;
        format!("{partition} {number} {at} {key} {amount}")
    }
}

/// Lines on their way; dropping it stops them.
#[derive(Debug)]
pub struct Stream {
    enough: Sender<()>,
    sent: Arc<AtomicUsize>,
    started: Instant,
    thread: JoinHandle<Result<Vec<Line>>>,
}

impl Stream {
    /// Starts to send to a topic with [`PARTITIONS`].
    #[must_use]
    pub fn start(producer: Producer, topic: &str, mut lines: Lines) -> Self {
        let (enough, told) = mpsc::channel();
        let sent = Arc::new(AtomicUsize::new(0));
        let (count, topic, started) = (sent.clone(), topic.to_owned(), Instant::now());
        let thread = thread::spawn(move || {
            let (mut all, mut end) = (Vec::new(), usize::MAX);
            while all.len() < end {
                match told.recv_timeout(TICK) {
                    Ok(()) => end = RECORDS.max(all.len() + AWAKE),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let due = (started.elapsed().as_secs_f64() * LINES_PER_SECOND) as usize;
                while all.len() < due.min(end) {
                    let idle = all.len() >= AWAKE && all.len() < end.saturating_sub(AWAKE);
                    let line = lines.line(if idle { PARTITIONS - 1 } else { PARTITIONS });
                    let key = line.key.to_string();
                    let partition = i32::try_from(line.partition)?;
                    producer.send(&topic, partition, key.as_bytes(), line.text().as_bytes())?;
                    all.push(line);
                }
                count.store(all.len(), Ordering::Relaxed);
            }
            producer.flush(FLUSH_DEADLINE)?;
            Ok(all)
        });
        Self { enough, sent, started, thread }
    }

    /// How many lines are sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// When it began.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Wakes the idle partition and ends the stream as soon as there are [`RECORDS`] lines; returns what was sent. Blocks the
    /// thread.
    ///
    /// # Errors
    /// When something could not be sent.
    pub fn finish(self) -> Result<Vec<Line>> {
        // Without a receiver it has ended by itself, with an error that `join` tells.
        let _ = self.enough.send(());
        let all = self.thread.join().map_err(|_| anyhow!("the stream has panicked"))?;
        drop(self.enough);
        all.context("the stream has failed")
    }
}

/// For each line whether it is late: whether it comes below the watermark of all that was sent before it.
#[must_use]
pub(super) fn late(lines: &[Line]) -> Vec<bool> {
    let mut highest = i64::MIN;
    let late = |line: &Line| {
        highest = line.at.max(highest);
        line.at < highest - BOUND_MS
    };
    lines.iter().map(late).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_have_what_they_are_for() {
        let mut lines = Lines::new(7);
        let lines: Vec<Line> = (0..RECORDS).map(|_| lines.line(PARTITIONS)).collect();
        let late = late(&lines).into_iter().filter(|late| *late).count();
        assert!((1_000..4_000).contains(&late), "{late}");
        assert!(lines.iter().all(|line| line.key / KEYS_PER_PARTITION == line.partition as i64));
    }
}
