//! What a run amounts to.

macro_rules! tally {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// How often things happened, so that a run that proves nothing is noticed.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct Tally {
            /// Record decisions: records that a gate disposed of.
            pub decisions: u64,
            /// Folds everything that happened, in order; seeds are added up.
            pub digest: u64,
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Tally {
            /// Adds another run's.
            pub fn add(&mut self, other: &Tally) {
                self.decisions += other.decisions;
                self.digest = self.digest.wrapping_add(other.digest);
                $(self.$name += other.$name;)+
            }
        }
    };
}

tally! {
    /// Cutovers that were done.
    done,
    /// Of them, those that handed over to blue.
    back,
    /// Cutovers that were committed as overlapped.
    overlapped,
    /// Cutovers that were aborted.
    aborted,
    /// Boundaries that were refused and widened.
    widened,
    /// Requests that were refused.
    refused,
    /// Of them, those whose old owner had a task that rested, with a boundary above what it had still to read.
    finished_early,
    /// Parts that were settled.
    settled,
    /// Of them, those that went above what a task that rested had still to read.
    settled_early,
    /// Tasks and jobs that failed.
    failed,
    /// Of them, whole jobs that came back with another parallelism while something was held.
    rescaled,
    /// Tasks that waited because they held as much as they may.
    full,
    /// Records that deviated as the design allows.
    deviated,
    /// Records that were late and met the late policy.
    late,
    /// Of them, those that it dropped.
    dropped,
    /// Records without a usable time.
    untimed,
    /// Records of the far future.
    poisoned,
    /// Records held when their task was restored.
    restored_held,
    /// Records that were written again after a failure, visible twice in an at-least-once sink.
    repeated,
    /// Commits that were made and not known, and tried again.
    retried,
    /// Writes that were given up.
    given_up,
    /// Of them, those that were applied all the same.
    ghosts,
    /// Times in which the store was unreachable.
    outages,
    /// Older documents that were put back.
    put_back,
    /// Steps of agents whose life was over.
    haunted,
    /// Members that owned nothing and were stopped.
    retired,
    /// Outputs that were taken back from a dead member.
    reclaimed,
    /// Of them, while its own cutover was committed.
    reclaimed_midway,
    /// Tasks that woke up after they had rested.
    woken,
    /// Inputs that ended.
    ended,
    /// Members that were started from a savepoint which their predecessor does not recover from.
    from_savepoint,
    /// Jobs that lost their slot before their first order, and came back.
    superseded,
    /// Cutovers that were asked for when nothing failed any more, and were done.
    calm,
    /// Seeds with gates of sixteen subtasks or more.
    wide,
    /// Seeds with ten cutovers or more.
    long,
    /// Pairs of values of one key that became visible in order.
    ordered,
}

impl Tally {
    /// Runs in which nothing happens prove nothing.
    pub fn assert_not_trivial(&self, seeds: u64) {
        let (often, seldom) = (seeds / 20, seeds / 500);
        for (what, count, least) in [
            ("handed over", self.done, often),
            ("handed back", self.back, often),
            ("overlapped", self.overlapped, often),
            ("aborted", self.aborted, often),
            ("widened", self.widened, often),
            ("refused", self.refused, often),
            ("settled", self.settled, often),
            ("failed", self.failed, often),
            ("rescaled what was held", self.rescaled, seldom),
            ("waited", self.full, often),
            ("deviated", self.deviated, 0),
            ("met the late policy", self.late, seldom),
            ("dropped late records", self.dropped, seldom),
            ("had records without time", self.untimed, often),
            ("had records of the far future", self.poisoned, seldom),
            ("restored what was held", self.restored_held, often),
            ("repeated output", self.repeated, often),
            ("committed again", self.retried, often),
            ("gave writes up", self.given_up, often),
            ("had ghost writes", self.ghosts, seldom),
            ("lost the store", self.outages, seldom),
            ("put documents back", self.put_back, seldom),
            ("had agents that lived on", self.haunted, often),
            ("retired members", self.retired, often),
            ("reclaimed", self.reclaimed, seldom),
            ("reclaimed midway", self.reclaimed_midway, seeds / 2_000),
            ("woke up", self.woken, seldom),
            ("came to an end", self.ended, often),
            ("were superseded", self.superseded, seeds / 2_000),
            ("started from savepoints", self.from_savepoint, seldom),
            ("handed over in calm", self.calm, often),
            ("were wide", self.wide, seeds / 200),
            ("were long", self.long, seldom),
            ("showed keys in order", self.ordered, often),
            ("decided", self.decisions, seeds * 1_000),
        ] {
            assert!(count > least, "only {count} of {seeds} seeds {what}: {self:?}");
        }
    }
}
