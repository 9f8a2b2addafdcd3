//! Replays all flights into Kafka at an even pace, in a thread of its own.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tidegate_integration_tests::kafka::Producer;

use crate::flight::{Flight, Origin, Record};
use crate::truth::HOUR_MS;

const FLUSH_DEADLINE: Duration = Duration::from_secs(30);
/// How often the due records are sent: the pace itself, no wait for a state.
const TICK: Duration = Duration::from_millis(5);
/// How far the sentinels are ahead of the last flight.
const SENTINEL_AHEAD_MS: i64 = 72 * HOUR_MS;

/// A replay in progress; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Replay {
    shared: Arc<Shared>,
    total: usize,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

#[derive(Debug, Default)]
struct Shared {
    sent: AtomicUsize,
    event_time: AtomicI64,
    stop: AtomicBool,
}

impl Replay {
    /// Starts to send: everything within `duration`, then one sentinel per origin.
    pub(crate) fn start(
        flights: Arc<Vec<Flight>>,
        producer: Producer,
        topic: &str,
        duration: Duration,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let (theirs, topic, total) = (shared.clone(), topic.to_owned(), flights.len());
        let thread = thread::spawn(move || run(&flights, &producer, &topic, duration, &theirs));
        Self { shared, total, thread: Mutex::new(Some(thread)) }
    }

    /// How much has been sent, 0 to 100.
    pub(crate) fn percent(&self) -> f64 {
        100.0 * self.shared.sent.load(Ordering::Relaxed) as f64 / self.total.max(1) as f64
    }

    /// How many flights have been sent.
    pub(crate) fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// The moment of the year that the replay is at, epoch milliseconds.
    pub(crate) fn event_time(&self) -> i64 {
        self.shared.event_time.load(Ordering::Relaxed)
    }

    /// Whether everything, the sentinels included, is on the broker.
    ///
    /// # Errors
    /// When the replay has failed.
    pub(crate) fn is_done(&self) -> Result<bool> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.as_ref().is_some_and(JoinHandle::is_finished) {
            join(thread.take())?;
        }
        Ok(thread.is_none())
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever drops it before its end is not interested in its outcome.
        let _ = join(thread);
    }
}

fn join(thread: Option<JoinHandle<Result<()>>>) -> Result<()> {
    match thread {
        Some(thread) => {
            thread.join().map_err(|_| anyhow!("the replay has panicked"))?.context("the replay failed")
        }
        None => Ok(()),
    }
}

fn run(
    flights: &[Flight],
    producer: &Producer,
    topic: &str,
    duration: Duration,
    shared: &Shared,
) -> Result<()> {
    let started = Instant::now();
    let mut sent = 0;
    while sent < flights.len() {
        if shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let due = due(flights.len(), duration, started.elapsed());
        for flight in &flights[sent..due] {
            send(producer, topic, flight.origin, &flight.record(sent))?;
            sent += 1;
        }
        if let Some(last) = sent.checked_sub(1).and_then(|last| flights.get(last)) {
            shared.event_time.store(last.arrival(), Ordering::Relaxed);
        }
        shared.sent.store(sent, Ordering::Relaxed);
        thread::sleep(TICK);
    }
    let last = flights.iter().map(|flight| flight.scheduled).max().unwrap_or(0);
    for origin in Origin::ALL {
        send(producer, topic, origin, &Record::sentinel(origin, last + SENTINEL_AHEAD_MS, sent))?;
        sent += 1;
    }
    producer.flush(FLUSH_DEADLINE)
}

/// How many of `total` must be out after `elapsed`.
fn due(total: usize, duration: Duration, elapsed: Duration) -> usize {
    if elapsed >= duration {
        return total;
    }
    (total as f64 * elapsed.as_secs_f64() / duration.as_secs_f64()) as usize
}

fn send(producer: &Producer, topic: &str, origin: Origin, record: &Record<'_>) -> Result<()> {
    producer.send(topic, origin.partition(), origin.code().as_bytes(), &serde_json::to_vec(record)?)
}

#[cfg(test)]
mod tests {
    use tidegate_integration_tests::kafka::{KafkaBroker, read_committed};
    use tidegate_integration_tests::{Observed, Scratch, wait_until};

    use super::*;
    use crate::input;

    #[test]
    fn the_pace_is_even_and_ends_with_all() {
        let second = Duration::from_secs(1);
        assert_eq!(due(1000, second * 10, Duration::ZERO), 0);
        assert_eq!(due(1000, second * 10, second), 100);
        assert_eq!(due(1000, second * 10, second * 10), 1000);
        assert_eq!(due(1000, second * 10, second * 11), 1000);
        assert_eq!(due(1000, Duration::ZERO, Duration::ZERO), 1000);
    }

    /// Against a real broker: everything arrives, in order, with one sentinel at the end of each partition.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_whole_year_goes_through_a_real_broker() -> Result<()> {
        Scratch::new("replay")?
            .run(async |folder| {
                let (kafka, flights) = tokio::try_join!(KafkaBroker::start(folder), input::flights())?;
                kafka.create_topic("flights", 3, &[("retention.ms", "-1")]).await?;
                let flights = Arc::new(flights);
                let replay =
                    Replay::start(flights.clone(), kafka.producer()?, "flights", Duration::from_secs(2));
                wait_until("the replay is done", Duration::from_secs(60), async || {
                    Ok(Observed::when(replay.is_done()?, (), || format!("{} sent", replay.sent())))
                })
                .await?;
                assert_eq!(replay.sent(), flights.len());
                let records = read_committed(&kafka.bootstrap_servers(), "flights", Duration::from_secs(60))?;
                assert_eq!(records.len(), flights.len() + 3);
                for origin in Origin::ALL {
                    let mine = records.iter().filter(|record| record.partition == origin.partition());
                    let values: Vec<serde_json::Value> = mine
                        .map(|record| Ok(serde_json::from_slice(&record.value)?))
                        .collect::<Result<_>>()?;
                    assert!(values.iter().all(|value| value["origin"] == origin.code()));
                    assert!(values.is_sorted_by_key(|value| value["seq"].as_u64()));
                    assert_eq!(values.iter().filter(|value| value["sentinel"] == true).count(), 1);
                    assert_eq!(values.last().map(|value| &value["sentinel"]), Some(&true.into()));
                }
                Ok(())
            })
            .await
    }
}
