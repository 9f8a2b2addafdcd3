//! What one seed is about: how large its world is, and which faults and oddities happen in it. Most seeds are small and have
//! few of them, so that each is met alone and together with others.

use fastrand::Rng;
use tidegate_protocol::document::{HandOver, LatePolicy, Settings};
use tidegate_protocol::member::Evidence;
use tidegate_protocol::subtask::Limits;

/// When what is written becomes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// When a committer commits it: exactly once.
    Transactions,
    /// When the checkpoint is complete: exactly once, and the gate needs no word of a committer.
    AtCheckpoint,
    /// At once: at least once.
    AtOnce,
}

/// How large a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few tasks, a few cutovers.
    Small,
    /// Up to 64 tasks per job.
    Wide,
    /// Tens of cutovers.
    Long,
}

/// The draw of one seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How large the world is.
    pub size: Size,
    /// Gates of each job.
    pub gates: usize,
    /// Partitions of the log.
    pub partitions: usize,
    /// Subtasks of a gate at most.
    pub width: u32,
    /// For so long records come, in milliseconds.
    pub span: u64,
    /// For so long things fail, in milliseconds.
    pub storm_ms: u64,
    /// Faults per thousand steps.
    pub storm: u32,
    /// Requests per thousand steps.
    pub asks: u32,
    /// What stands behind the gates.
    pub sink: Sink,
    /// What the members agree on.
    pub settings: Settings,
    /// Bounds of the subtasks.
    pub limits: Limits,
    /// The first green reads from the beginning instead of being started from a snapshot.
    pub green_from_start: bool,
    /// Some records carry no time.
    pub untimed: bool,
    /// One record is dated far in the future.
    pub poison: bool,
    /// Every agent has a wall clock of its own.
    pub skewed: bool,
    /// Writes are given up by their authors, and may be applied all the same.
    pub ghosts: bool,
    /// Committers take their time.
    pub lazy: bool,
    /// Reports are read as they were some time ago.
    pub stale: bool,
    /// The store is unreachable for a while.
    pub outages: bool,
    /// Somebody puts an older document back.
    pub put_back: bool,
    /// The agent of a life that is over goes on.
    pub zombies: bool,
    /// The active member dies for good.
    pub reclaim: bool,
    /// Members that own nothing are stopped, and new generations started.
    pub generations: bool,
    /// New generations are started from savepoints and old snapshots, and the job that took them falls back below them.
    pub savepoints: bool,
    /// The jobs read slowly, far behind what there is.
    pub slow: bool,
    /// Committers are always one checkpoint behind.
    pub behind: bool,
    /// Committers commit, do not know it, and try again.
    pub retries: bool,
    /// Event times are multiples of this, in milliseconds, so that many are equal to each other, to watermarks, to boundaries.
    pub coarse_ms: Option<i64>,
}

/// One of `n`, by chance.
fn one_in(rng: &mut Rng, n: u8) -> bool {
    rng.u8(..n) == 0
}

impl Plan {
    /// Draws a plan.
    pub fn draw(rng: &mut Rng) -> Plan {
        let size = match rng.u8(..100) {
            0 => Size::Wide,
            1 => Size::Long,
            _ => Size::Small,
        };
        let (partitions, width, span) = match size {
            Size::Small => (rng.usize(2..6), rng.u32(1..5), rng.u64(3_000..9_000)),
            Size::Wide => (rng.usize(12..40), [16, 24, 32, 64][rng.usize(..4)], 4_000),
            Size::Long => (rng.usize(2..5), rng.u32(1..4), rng.u64(60_000..120_000)),
        };
        let (poison, savepoints, reclaim) = (one_in(rng, 12), one_in(rng, 5), one_in(rng, 3));
        Plan {
            size,
            gates: 1 + usize::from(one_in(rng, 4)),
            partitions,
            width,
            span,
            storm_ms: span / 10 * rng.u64(8..13),
            storm: [0, 1, 3, 12][rng.usize(..4)],
            asks: if size == Size::Long { 12 } else { 5 },
            sink: [Sink::Transactions, Sink::Transactions, Sink::AtCheckpoint, Sink::AtOnce][rng.usize(..4)],
            settings: settings(rng, reclaim),
            limits: Limits {
                hold_records: if one_in(rng, 4) { rng.u64(2..12) } else { 1_000_000 },
                hold_bytes: 1 << 40,
                max_ahead_ms: (if poison { savepoints } else { one_in(rng, 8) }).then_some(20_000),
                idle_after_ms: 300,
            },
            green_from_start: one_in(rng, 5),
            untimed: one_in(rng, 8),
            poison,
            skewed: one_in(rng, 4),
            ghosts: one_in(rng, 4),
            lazy: one_in(rng, 3),
            stale: one_in(rng, 2),
            outages: one_in(rng, 8),
            put_back: one_in(rng, 10),
            zombies: one_in(rng, 3),
            reclaim,
            generations: one_in(rng, 3),
            savepoints,
            slow: savepoints && one_in(rng, 2),
            behind: one_in(rng, 6),
            retries: one_in(rng, 6),
            coarse_ms: one_in(rng, 4).then(|| rng.i64(50..800)),
        }
    }

    /// How the gates hear of commits.
    pub fn evidence(&self) -> Evidence {
        match self.sink {
            Sink::Transactions => Evidence::Committer,
            Sink::AtCheckpoint | Sink::AtOnce => Evidence::Checkpoint,
        }
    }
}

fn settings(rng: &mut Rng, reclaim: bool) -> Settings {
    Settings {
        hand_over: if rng.bool() { HandOver::Ordered } else { HandOver::Overlapped },
        late: match (one_in(rng, 4), reclaim) {
            (true, true) => LatePolicy::SideOutput,
            (true, false) => LatePolicy::Drop,
            (false, _) => LatePolicy::Emit,
        },
        lateness_ms: if reclaim && rng.bool() { 2_000 } else { [0, 0, 400, 2_000][rng.usize(..4)] },
        propose_deadline_ms: rng.u64(800..4_000),
        finish_deadline_ms: 20_000,
        control_path_ms: rng.u64(20..800),
        ..Settings::default()
    }
}
