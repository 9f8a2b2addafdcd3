//! A steady stream of made-up flights for the job of `examples/flights`, and an exact account of what it must write.
//!
//! The stream is out of order, and some of it is late by the job's own rule. The account is computed in one batch from what
//! was sent; it shares no code with the job, nor with the demo.

mod account;
mod output;
mod stream;

pub use account::{Account, Difference, Owners, Version, row_time};
pub use output::Output;
pub use stream::Stream;

/// The airports; each has a partition of its own, in this order.
pub const ORIGINS: [&str; 3] = ["EWR", "JFK", "LGA"];
/// How late a flight may be, in minutes: the job's argument `--max-delay-minutes`.
pub const MAX_DELAY_MINUTES: i64 = 120;
/// Event time of one hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

const MINUTE_MS: i64 = 60_000;
/// 2026-01-01T00:00:00Z.
const FIRST_MS: i64 = 1_767_225_600_000;

/// One flight of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// An index of [`ORIGINS`].
    pub origin: usize,
    /// The event time, epoch milliseconds.
    pub scheduled: i64,
    /// Minutes; none when it was cancelled.
    pub delay: Option<i64>,
}

/// Flights without an end, one per minute of event time; the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Flights {
    random: u64,
    minute: i64,
}

impl Flights {
    /// `seed` must not be 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: seed, minute: 0 }
    }

    /// A number below `bound` (xorshift).
    fn below(&mut self, bound: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 33) as i64) % bound
    }
}

impl Iterator for Flights {
    type Item = Flight;

    fn next(&mut self) -> Option<Flight> {
        self.minute += 1;
        let behind = if self.below(40) == 0 { 90 + self.below(200) } else { self.below(60) };
        let delay = if self.below(15) == 0 { None } else { Some(self.below(130) - 10) };
        let scheduled = FIRST_MS + (self.minute - behind) * MINUTE_MS;
        Some(Flight { origin: self.below(3) as usize, scheduled, delay })
    }
}
