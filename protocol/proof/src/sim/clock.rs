//! Wall clocks: each agent has one of its own, and none of them is right.

use fastrand::Rng;
use tidegate_protocol::time::WallTime;

/// No clock shows more than this ahead of another one within an hour, in milliseconds.
pub const FARTHEST_MS: u64 = 4_000_000;

/// A clock with an offset and a drift.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset_ms: u64,
    /// Parts per thousand that it is too fast.
    drift: u64,
}

/// Offsets are drawn below one of these, so a clock may be this far ahead of another one, in milliseconds.
const OFFSETS_MS: [u64; 4] = [1_000, 20_000, 20_000, 3_600_000];

impl Clock {
    /// A clock that is off.
    pub fn off(rng: &mut Rng) -> Clock {
        let most = OFFSETS_MS[rng.usize(..OFFSETS_MS.len())];
        Clock { offset_ms: rng.u64(..most), drift: rng.u64(..50) }
    }

    /// What it shows.
    pub fn at(&self, now: u64) -> WallTime {
        WallTime::from_millis(self.offset_ms + now + now * self.drift / 1_000)
    }
}
