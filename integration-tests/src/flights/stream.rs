//! Sends flights at an even pace, in a thread of its own, until it is told that it is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::{Flight, Flights, HOUR_MS, ORIGINS};
use crate::kafka::Producer;

/// A minute of event time each: some 17 hours go by in a second.
const FLIGHTS_PER_SECOND: f64 = 1_000.0;
/// How often the due flights are sent: the pace itself, no wait for a state.
const TICK: Duration = Duration::from_millis(5);
/// How far the sentinels are ahead; their own windows never close.
const SENTINEL_AHEAD_MS: i64 = 72 * HOUR_MS;
const FLUSH_DEADLINE: Duration = Duration::from_secs(30);

/// A stream in progress; dropping it stops it.
#[derive(Debug)]
pub struct Stream {
    enough: Sender<()>,
    sent: Arc<AtomicUsize>,
    thread: JoinHandle<Result<Vec<Flight>>>,
}

impl Stream {
    /// Starts to send to the topic's partitions, one per origin.
    #[must_use]
    pub fn start(producer: Producer, topic: &str, flights: Flights) -> Self {
        let (enough, told) = mpsc::channel();
        let sent = Arc::new(AtomicUsize::new(0));
        let (count, topic) = (sent.clone(), topic.to_owned());
        let thread = thread::spawn(move || {
            let (started, mut all) = (Instant::now(), Vec::new());
            let mut flights = flights;
            while told.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let due = (started.elapsed().as_secs_f64() * FLIGHTS_PER_SECOND) as usize;
                for flight in flights.by_ref().take(due.saturating_sub(all.len())) {
                    send(&producer, &topic, &flight, all.len())?;
                    all.push(flight);
                }
                count.store(all.len(), Ordering::Relaxed);
            }
            close_windows(&producer, &topic, &all)?;
            Ok(all)
        });
        Self { enough, sent, thread }
    }

    /// How many flights are sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends the stream with one sentinel per origin, which closes every window before it; returns what was sent.
    ///
    /// # Errors
    /// When something could not be sent.
    pub fn finish(self) -> Result<Vec<Flight>> {
        // Without a receiver it has ended by itself, with an error that `join` tells.
        let _ = self.enough.send(());
        self.thread.join().map_err(|_| anyhow!("the stream has panicked"))?.context("the stream has failed")
    }
}

fn close_windows(producer: &Producer, topic: &str, all: &[Flight]) -> Result<()> {
    let last = all.iter().map(|flight| flight.scheduled).max().unwrap_or(0);
    for origin in 0..ORIGINS.len() {
        let sentinel = Flight { origin, scheduled: last + SENTINEL_AHEAD_MS, delay: Some(0) };
        send(producer, topic, &sentinel, all.len())?;
    }
    producer.flush(FLUSH_DEADLINE)
}

fn send(producer: &Producer, topic: &str, flight: &Flight, seq: usize) -> Result<()> {
    let Flight { origin, scheduled, delay } = *flight;
    let name = ORIGINS[origin];
    let cancelled = delay.is_none();
    let record = json!({"origin": name, "scheduled": scheduled, "delay": delay, "cancelled": cancelled, "seq": seq, "carrier": "TG"});
    producer.send(topic, i32::try_from(origin)?, name.as_bytes(), record.to_string().as_bytes())
}
