//! Wall clocks: each agent has one of its own, and none of them is right.

use fastrand::Rng;
use tidegate_protocol::time::WallTime;

/// A clock with an offset and a drift.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset_ms: u64,
    /// Parts per thousand that it is too fast.
    drift: u64,
}

/// Offsets are drawn below this, so a clock may be this far ahead of another one, in milliseconds.
const OFFSET_MS: u64 = 20_000;

impl Clock {
    /// A clock that is off.
    pub fn off(rng: &mut Rng) -> Clock {
        Clock { offset_ms: rng.u64(..OFFSET_MS), drift: rng.u64(..50) }
    }

    /// What it shows.
    pub fn at(&self, now: u64) -> WallTime {
        WallTime::from_millis(self.offset_ms + now + now * self.drift / 1_000)
    }
}
