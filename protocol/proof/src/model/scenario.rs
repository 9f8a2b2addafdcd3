//! What one run of the checker is about: a log, two jobs, what people ask for, and which faults may strike how often.

use tidegate_protocol::document::{HandOver, LatePolicy, Settings};

/// When a scenario is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// In every test run, and in the proof.
    Test,
    /// In the proof only.
    Prove,
}

/// What a scenario must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing that must hold is broken, in any state.
    Holds,
    /// The design does not survive this: a violation must be found, or the assumption is not one.
    Breaks,
}

/// One step of a partition of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    /// A record of this event time.
    At(i64),
    /// A record without a timestamp.
    Untimed,
    /// A record that is dated far in the future.
    Far,
    /// The partition falls silent, until its next step.
    Silence,
}

/// What a partition does after its last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// It says that event time goes on.
    GoesOn,
    /// It falls silent for good.
    Idle,
    /// It ends.
    Finite,
}

/// How records become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sink {
    /// When the committer has committed the checkpoint that covers them, and says so.
    ExactlyOnce,
    /// The same, but a completed checkpoint counts as a committed one.
    CommitterUnheard,
    /// When they are emitted.
    AtLeastOnce,
}

/// What may take its time, besides orders on their way to a subtask and a conductor's write; the rest happens at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lag {
    /// Nothing else.
    Orders,
    /// Statuses on their way to the agent.
    Statuses,
    /// The agents' dealings with the store.
    Agents,
}

/// Where green starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    /// At the beginning of the log, with the rollout.
    Beginning,
    /// From a checkpoint of blue, at any time.
    Snapshot,
    /// From a savepoint of blue, at any time: blue itself never falls back to it.
    Savepoint,
    /// Not at all.
    Never,
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// A cutover, at a boundary that the conductor chooses.
    Promote,
    /// A cutover at this boundary.
    PromoteAt(i64),
    /// The end of what is proposed.
    Abort,
}

/// How often each fault may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// A subtask is restarted.
    pub(crate) restarts: u8,
    /// A whole job is restarted: execution attempts from 0 again, a new agent, while the old one lives on for a while.
    pub(crate) failovers: u8,
    /// A whole job is restarted under the same agent.
    pub(crate) resets: u8,
    /// A checkpoint is taken at any time, beyond those that the agent asks for or that complete a run.
    pub(crate) checkpoints: u8,
    /// A deadline passes although something could still happen.
    pub(crate) deadlines: u8,
    /// A status arrives late: after newer ones, or from an earlier execution attempt.
    pub(crate) strays: u8,
    /// An order is delivered a second time, after newer ones.
    pub(crate) repeats: u8,
    /// An order is lost, which restarts its subtask.
    pub(crate) losses: u8,
    /// A write that its author takes for failed is applied later, or never.
    pub(crate) ghosts: u8,
    /// A report is read in its version before the newest.
    pub(crate) stale_reads: u8,
    /// A document is heard long after it was read.
    pub(crate) slow_reads: u8,
    /// Green dies and never comes back; a new generation of blue reclaims the output.
    pub(crate) deaths: u8,
}

/// No faults.
pub(crate) const NONE: Faults = Faults {
    restarts: 0,
    failovers: 0,
    resets: 0,
    checkpoints: 0,
    deadlines: 0,
    strays: 0,
    repeats: 0,
    losses: 0,
    ghosts: 0,
    stale_reads: 0,
    slow_reads: 0,
    deaths: 0,
};

/// Something that a scenario must reach, or it would prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// A cutover to green was done.
    HandedOver,
    /// A cutover was aborted.
    Aborted,
    /// A cutover back to blue was done.
    WentBack,
    /// A refusal raised the boundary.
    Widened,
    /// A request was refused.
    Refused,
    /// A subtask was restored with held records.
    HeldRestored,
    /// Held records were restored at another parallelism.
    HeldMoved,
    /// The past of the first owner was settled.
    Settled,
    /// An agent found that a newer incarnation speaks for its member.
    Superseded,
    /// A subtask held as much as it may.
    Full,
    /// A subtask that had rested gave way to a frontier without it.
    Rested,
    /// A subtask was finished.
    Finished,
    /// A ghost write was applied.
    GhostApplied,
    /// A write lost against another one.
    WriteLost,
    /// A status of an earlier execution attempt arrived.
    StrayArrived,
    /// An old order arrived after a newer one.
    OldOrder,
    /// A committer committed later than the checkpoint after it.
    CommittedLate,
    /// A deadline passed.
    DeadlinePassed,
    /// A record was behind its watermark.
    Late,
    /// A record became visible more than once, or never, as the design allows.
    Deviated,
    /// A record without a time was disposed of.
    Untimed,
    /// A new generation of green was started.
    Replaced,
    /// A member was stopped.
    Retired,
    /// A new generation of blue took over from a dead green.
    Reclaimed,
    /// A decision rested on an old report.
    StaleRead,
    /// An agent's first order came from an old document.
    OldFirstRead,
    /// A record that another member held in the snapshot was dropped.
    Forgotten,
    /// A second cutover to green was done.
    TwiceOver,
    /// A duplicate was explained by a failure.
    Explained,
}

/// A small configuration, every state of which is visited.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// When it is run.
    pub tier: Tier,
    /// What it must show.
    pub expect: Expect,
    /// What some run of it must reach.
    pub reaches: &'static [Mark],
    pub(crate) log: &'static [&'static [Entry]],
    pub(crate) end: End,
    /// How far behind the highest time a watermark is.
    pub(crate) bound: i64,
    pub(crate) gates: u8,
    pub(crate) blue: u8,
    pub(crate) green: u8,
    /// What each job may be restarted with.
    pub(crate) rescales: [&'static [u8]; 2],
    pub(crate) start: Start,
    pub(crate) sink: Sink,
    /// Held records of one subtask.
    pub(crate) hold: u64,
    pub(crate) settings: Settings,
    pub(crate) asks: &'static [Ask],
    pub(crate) faults: Faults,
    /// The one color that fails, if not both may: 0 for blue, 1 for green.
    pub(crate) victim: Option<u8>,
    /// How many conductors race.
    pub(crate) conductors: u8,
    /// Begins before the first document.
    pub(crate) cold: bool,
    /// What may take its time.
    pub(crate) lag: Lag,
    /// Committers commit later than the checkpoint.
    pub(crate) late_commits: bool,
    /// And only when the next checkpoint is complete.
    pub(crate) lazy_commits: bool,
    /// Each subtask takes its part of a checkpoint by itself.
    pub(crate) split: bool,
    /// Tasks of a life that is over go on for a while, and not only its agent.
    pub(crate) zombies: bool,
    /// A member that may be retired may be stopped.
    pub(crate) retires: bool,
    /// Green is replaced by its next generation after it was stopped.
    pub(crate) replaces: bool,
    /// The first read after a claim may be an old one: the assumption that the design needs is taken away.
    pub(crate) old_first_read: bool,
}

/// What every scenario starts from.
pub(crate) const BASE: Scenario = Scenario {
    name: "",
    about: "",
    tier: Tier::Test,
    expect: Expect::Holds,
    reaches: &[],
    log: &[],
    end: End::GoesOn,
    bound: 0,
    gates: 1,
    blue: 1,
    green: 1,
    rescales: [&[], &[]],
    start: Start::Beginning,
    sink: Sink::ExactlyOnce,
    hold: 1_000,
    settings: ORDERED,
    asks: &[Ask::Promote],
    faults: NONE,
    victim: None,
    conductors: 1,
    cold: false,
    lag: Lag::Orders,
    late_commits: false,
    lazy_commits: false,
    split: false,
    zombies: false,
    retires: false,
    replaces: false,
    old_first_read: false,
};

/// Deadlines of one second each, and a margin of one millisecond of event time.
pub(crate) const ORDERED: Settings = Settings {
    hand_over: HandOver::Ordered,
    late: LatePolicy::Emit,
    lateness_ms: 0,
    propose_deadline_ms: 1_000,
    finish_deadline_ms: 1_000,
    control_path_ms: 1,
    tries: 2,
};

/// The same, without a pause.
pub(crate) const OVERLAPPED: Settings = Settings { hand_over: HandOver::Overlapped, ..ORDERED };
