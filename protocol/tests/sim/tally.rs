//! What a run amounts to.

/// How often things happened, so that a run that proves nothing is noticed.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cutovers that were done.
    pub done: u32,
    /// Of them, those that handed back to blue.
    pub back: u32,
    /// Of them, overlapped ones.
    pub overlapped: u32,
    /// Cutovers that were aborted.
    pub aborted: u32,
    /// Boundaries that were refused and widened.
    pub widened: u32,
    /// Boundaries of people that were refused.
    pub refused: u32,
    /// Parts that were settled.
    pub settled: u32,
    /// Tasks and jobs that failed.
    pub failed: u32,
    /// Tasks that waited because they held as much as they may.
    pub full: u32,
    /// Records that deviated as the design allows.
    pub deviated: u32,
    /// Greens that were replaced by a next generation.
    pub replaced: u32,
    /// Records held when their task was restored.
    pub restored_held: u32,
}

impl Tally {
    /// Adds another run's.
    pub fn add(&mut self, other: &Tally) {
        self.done += other.done;
        self.back += other.back;
        self.overlapped += other.overlapped;
        self.aborted += other.aborted;
        self.widened += other.widened;
        self.refused += other.refused;
        self.settled += other.settled;
        self.failed += other.failed;
        self.full += other.full;
        self.deviated += other.deviated;
        self.restored_held += other.restored_held;
        self.replaced += other.replaced;
    }

    /// Runs in which nothing happens prove nothing.
    pub fn assert_not_trivial(&self, seeds: u32) {
        let often = seeds / 20;
        for (what, count) in [
            ("handed over", self.done),
            ("handed back", self.back),
            ("overlapped", self.overlapped),
            ("aborted", self.aborted),
            ("widened", self.widened),
            ("refused", self.refused),
            ("settled", self.settled),
            ("failed", self.failed),
            ("waited", self.full),
            ("replaced green", self.replaced),
            ("restored what was held", self.restored_held),
        ] {
            assert!(count > often, "only {count} of {seeds} seeds {what}: {self:?}");
        }
    }
}
