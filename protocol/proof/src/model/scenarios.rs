//! The scenarios: each as small as its subject allows, so that every state of it can be visited.

use super::narrow;
use super::scenario::{
    Ask, BASE, End,
    Entry::{At, Silence, Untimed},
    Expect, Faults, Lag, Mark, NONE, ORDERED, OVERLAPPED, Scenario, Sink, Start, Tier,
};
use tidegate_protocol::document::{LatePolicy, Settings};

const THERE: &[Ask] = &[Ask::Promote];
const THERE_OR_NOT: &[Ask] = &[Ask::Promote, Ask::Abort];
const THERE_AND_BACK: &[Ask] = &[Ask::Promote, Ask::Promote];

/// All scenarios.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = vec![plain(), cold(), overlapped(), statuses()];
    all.extend(failures());
    all.extend(messages());
    all.extend(inputs());
    all.extend(shapes());
    all.extend(long_ones());
    all.extend(small_ones());
    all.extend(narrow::alone());
    all.extend(narrow::edges());
    all.extend(assumptions());
    all
}

fn plain() -> Scenario {
    Scenario {
        name: "plain",
        tier: Tier::Prove,
        about: "three records out of order; an abort at any time",
        reaches: &[Mark::HandedOver, Mark::Aborted, Mark::Widened],
        log: &[&[At(1), At(3), At(2)]],
        bound: 1,
        asks: THERE_OR_NOT,
        faults: Faults { checkpoints: 1, ..NONE },
        ..BASE
    }
}

fn cold() -> Scenario {
    Scenario {
        name: "cold",
        about: "from before the first document on, with agents that lag",
        reaches: &[Mark::HandedOver],
        log: &[&[At(1)]],
        lag: Lag::Agents,
        cold: true,
        ..BASE
    }
}

fn overlapped() -> Scenario {
    Scenario {
        name: "overlapped",
        tier: Tier::Prove,
        about: "both emit for a while; a subtask is restarted",
        reaches: &[Mark::HandedOver, Mark::Aborted],
        log: &[&[At(1), At(3), At(2)]],
        bound: 1,
        settings: OVERLAPPED,
        asks: THERE_OR_NOT,
        faults: Faults { restarts: 1, ..NONE },
        ..BASE
    }
}

fn statuses() -> Scenario {
    Scenario {
        name: "statuses",
        about: "what a subtask tells takes its time",
        reaches: &[Mark::HandedOver, Mark::Widened],
        log: &[&[At(1), At(3)]],
        lag: Lag::Statuses,
        ..BASE
    }
}

/// Subtasks, jobs and conductors that fail.
fn failures() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "restart",
            tier: Tier::Prove,
            about: "a subtask falls back to the last checkpoint, which may be of any moment",
            reaches: &[Mark::HandedOver, Mark::HeldRestored],
            log: &[&[At(1), At(3), At(2)]],
            bound: 1,
            faults: Faults { restarts: 1, checkpoints: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "failover",
            tier: Tier::Prove,
            about: "a new agent with execution attempts from 0, while the old agent lives on",
            reaches: &[Mark::HandedOver, Mark::Superseded],
            log: &[&[At(1), At(2)]],
            faults: Faults { failovers: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "failover-lag",
            tier: Tier::Prove,
            about: "the same, with agents that lag",
            reaches: &[Mark::HandedOver, Mark::Superseded],
            log: &[&[At(1)]],
            lag: Lag::Agents,
            faults: Faults { failovers: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "zombies",
            tier: Tier::Prove,
            about: "an at-least-once sink; tasks of a life that is over go on emitting",
            reaches: &[Mark::HandedOver, Mark::Explained],
            log: &[&[At(1)]],
            sink: Sink::AtLeastOnce,
            zombies: true,
            faults: Faults { failovers: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "at-least-once",
            about: "an at-least-once sink; a subtask is restarted",
            reaches: &[Mark::HandedOver, Mark::Explained],
            log: &[&[At(1), At(3), At(2)]],
            bound: 1,
            sink: Sink::AtLeastOnce,
            faults: Faults { restarts: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "conductors",
            tier: Tier::Prove,
            about: "two conductors race, crash, and leave ghost writes",
            reaches: &[Mark::HandedOver, Mark::Aborted, Mark::GhostApplied, Mark::WriteLost],
            log: &[&[At(1)]],
            asks: THERE_OR_NOT,
            conductors: 2,
            faults: Faults { ghosts: 1, deadlines: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "late-commits",
            tier: Tier::Prove,
            about: "committers commit later than the checkpoint, and a subtask is restarted",
            reaches: &[Mark::HandedOver, Mark::CommittedLate],
            log: &[&[At(1), At(2)]],
            late_commits: true,
            faults: Faults { restarts: 1, checkpoints: 1, ..NONE },
            ..BASE
        },
    ]
}

/// What fails between the parts.
fn messages() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "strays",
            tier: Tier::Prove,
            about: "a status of an earlier execution attempt arrives late",
            reaches: &[Mark::HandedOver, Mark::StrayArrived],
            log: &[&[At(1)]],
            lag: Lag::Statuses,
            faults: Faults { restarts: 1, strays: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "orders",
            tier: Tier::Prove,
            about: "an order arrives again after newer ones, or not at all",
            reaches: &[Mark::HandedOver, Mark::Aborted, Mark::OldOrder],
            log: &[&[At(1), At(2)]],
            asks: THERE_OR_NOT,
            faults: Faults { repeats: 1, losses: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "reports",
            tier: Tier::Prove,
            about: "reports whose write seemed to fail are written later",
            reaches: &[Mark::HandedOver, Mark::GhostApplied],
            log: &[&[At(1)]],
            lag: Lag::Agents,
            faults: Faults { ghosts: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "stale-reads",
            about: "a decision rests on an old report",
            reaches: &[Mark::HandedOver, Mark::StaleRead],
            log: &[&[At(1), At(2)]],
            faults: Faults { stale_reads: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "slow-news",
            tier: Tier::Prove,
            about: "a document is heard long after it was read",
            reaches: &[Mark::HandedOver, Mark::Aborted],
            log: &[&[At(1)]],
            lag: Lag::Agents,
            asks: THERE_OR_NOT,
            faults: Faults { slow_reads: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "deadlines",
            about: "deadlines pass at any time, subtasks are full",
            reaches: &[Mark::HandedOver, Mark::Aborted, Mark::DeadlinePassed, Mark::Full],
            log: &[&[At(1), At(3), At(2)]],
            hold: 1,
            faults: Faults { deadlines: 1, ..NONE },
            ..BASE
        },
    ]
}

/// Inputs of all kinds.
fn inputs() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "idle",
            about: "a partition falls silent and wakes again",
            reaches: &[Mark::HandedOver, Mark::Rested],
            log: &[&[At(1), Silence, At(2)]],
            end: End::Idle,
            faults: Faults { deadlines: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "untimed",
            about: "records without a time, and one job that lags",
            reaches: &[Mark::HandedOver, Mark::Untimed],
            log: &[&[At(1), Untimed, At(2)]],
            faults: Faults { restarts: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "bounded",
            about: "inputs end at different times",
            reaches: &[Mark::HandedOver, Mark::Finished],
            log: &[&[At(1), At(3)], &[At(2)]],
            end: End::Finite,
            blue: 2,
            faults: NONE,
            ..BASE
        },
        Scenario {
            name: "late",
            about: "late records and settling: the one deviation that the design names",
            reaches: &[Mark::HandedOver, Mark::Settled, Mark::Late, Mark::Deviated],
            log: &[&[At(2), At(4), At(1)]],
            faults: Faults { checkpoints: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "late-retired",
            about: "late records, a lateness that is allowed, and a member that is retired",
            reaches: &[Mark::HandedOver, Mark::Settled, Mark::Late, Mark::Retired],
            log: &[&[At(2), At(3), At(2), At(1)]],
            retires: true,
            faults: Faults { checkpoints: 1, ..NONE },
            victim: Some(1),
            settings: Settings { lateness_ms: 1, late: LatePolicy::Drop, ..ORDERED },
            ..BASE
        },
    ]
}

/// Jobs of all shapes.
fn shapes() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "two-to-one",
            tier: Tier::Prove,
            about: "blue has two subtasks, each of which takes its part of a checkpoint by itself",
            reaches: &[Mark::HandedOver, Mark::Aborted],
            log: &[&[At(1)], &[At(2)]],
            blue: 2,
            split: true,
            asks: THERE_OR_NOT,
            ..BASE
        },
        Scenario {
            name: "rescale-green",
            tier: Tier::Prove,
            about: "green is restarted with one, two or three subtasks, and held records move",
            reaches: &[Mark::HandedOver, Mark::HeldRestored, Mark::HeldMoved],
            log: &[&[At(1), At(3)]],
            rescales: [&[], &[1, 2, 3]],
            faults: Faults { resets: 1, checkpoints: 1, ..NONE },
            victim: Some(1),
            ..BASE
        },
        Scenario {
            name: "rescale-blue",
            tier: Tier::Prove,
            about: "blue is restarted with one subtask instead of two, under a new agent",
            reaches: &[Mark::HandedOver, Mark::HeldMoved],
            log: &[&[At(1), At(3)]],
            blue: 2,
            rescales: [&[1], &[]],
            faults: Faults { failovers: 1, checkpoints: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "gates",
            tier: Tier::Prove,
            about: "two gates, one of which sees no record above the boundary",
            reaches: &[Mark::HandedOver, Mark::Widened],
            log: &[&[At(1), At(3)], &[At(1)]],
            gates: 2,
            ..BASE
        },
        Scenario {
            name: "small-gates",
            about: "two gates, each with one record",
            reaches: &[Mark::HandedOver],
            log: &[&[At(1)], &[At(1)]],
            gates: 2,
            ..BASE
        },
        Scenario {
            name: "snapshot",
            about: "green starts from a checkpoint of blue, which may hold records, at any time",
            reaches: &[Mark::HandedOver, Mark::Aborted],
            log: &[&[At(1), At(3), At(2)]],
            bound: 1,
            start: Start::Snapshot,
            asks: &[Ask::Promote, Ask::Abort, Ask::Promote],
            faults: Faults { checkpoints: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "seen-high",
            about: "green starts past a record that blue held before its first order",
            tier: Tier::Prove,
            reaches: &[Mark::HandedOver, Mark::Widened],
            log: &[&[At(2)]],
            bound: 2,
            start: Start::Snapshot,
            cold: true,
            lag: Lag::Agents,
            faults: Faults { checkpoints: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "named",
            tier: Tier::Prove,
            about: "a person names the boundary: it is refused or kept, never raised",
            reaches: &[Mark::HandedOver, Mark::Refused, Mark::Aborted],
            log: &[&[At(1), At(3), At(2)]],
            bound: 1,
            asks: &[Ask::PromoteAt(2), Ask::PromoteAt(3)],
            faults: Faults { restarts: 1, ..NONE },
            ..BASE
        },
    ]
}

/// More than one cutover.
fn long_ones() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "reverse",
            about: "a cutover and a reverse one",
            reaches: &[Mark::HandedOver, Mark::WentBack],
            log: &[&[At(1), At(3), At(2)]],
            bound: 1,
            asks: THERE_AND_BACK,
            ..BASE
        },
        Scenario {
            name: "replace",
            about: "green is stopped after an abort or a way back, and its next generation is started",
            reaches: &[Mark::HandedOver, Mark::Replaced, Mark::Aborted],
            log: &[&[At(1), At(2)]],
            replaces: true,
            asks: &[Ask::Promote, Ask::Abort, Ask::Promote],
            ..BASE
        },
        Scenario {
            name: "replace-held",
            tier: Tier::Prove,
            about: "green is stopped after an abort or a way back, and its next generation starts from where blue holds",
            reaches: &[Mark::HandedOver, Mark::Replaced, Mark::Aborted, Mark::Forgotten],
            log: &[&[At(1), At(2)]],
            replaces: true,
            faults: Faults { checkpoints: 1, ..NONE },
            victim: Some(0),
            asks: &[Ask::Promote, Ask::Abort, Ask::Promote],
            ..BASE
        },
        Scenario {
            name: "reclaim",
            about: "green dies after it has taken over, and a new generation of blue takes the output back",
            reaches: &[Mark::HandedOver, Mark::Reclaimed],
            log: &[&[At(1), At(2)]],
            asks: THERE,
            faults: Faults { deaths: 1, checkpoints: 1, ..NONE },
            ..BASE
        },
    ]
}

/// The smallest ones of the kinds that fail in many ways: one record, and one job that fails.
fn small_ones() -> Vec<Scenario> {
    let one = Scenario { log: &[&[At(1)]], victim: Some(0), reaches: &[Mark::HandedOver], ..BASE };
    vec![
        Scenario {
            name: "small-failover",
            about: "a new agent of blue with execution attempts from 0, while the old agent lives on",
            reaches: &[Mark::HandedOver, Mark::Superseded],
            faults: Faults { failovers: 1, ..NONE },
            ..one.clone()
        },
        Scenario {
            name: "small-orders",
            about: "an order arrives again after newer ones, or not at all",
            reaches: &[Mark::HandedOver, Mark::OldOrder],
            faults: Faults { repeats: 1, losses: 1, ..NONE },
            ..one.clone()
        },
        Scenario {
            name: "small-conductors",
            about: "two conductors race, crash, and leave a ghost write; an abort at any time",
            reaches: &[Mark::HandedOver, Mark::Aborted, Mark::GhostApplied, Mark::WriteLost],
            asks: THERE_OR_NOT,
            conductors: 2,
            faults: Faults { ghosts: 1, ..NONE },
            ..one.clone()
        },
        Scenario {
            name: "small-late-commits",
            about: "committers commit later than the checkpoint, and blue is restarted",
            late_commits: true,
            faults: Faults { restarts: 1, ..NONE },
            ..one.clone()
        },
        Scenario {
            name: "small-rescale",
            tier: Tier::Prove,
            about: "green is restarted with two subtasks while it holds",
            reaches: &[Mark::HandedOver, Mark::HeldMoved],
            log: &[&[At(2), At(3)]],
            rescales: [&[], &[2]],
            victim: Some(1),
            faults: Faults { resets: 1, checkpoints: 1, ..NONE },
            ..one.clone()
        },
        Scenario {
            name: "small-overlapped",
            about: "both emit for a while; blue is restarted",
            settings: OVERLAPPED,
            log: &[&[At(1), At(3)]],
            faults: Faults { restarts: 1, ..NONE },
            ..one
        },
    ]
}

/// What the design needs, taken away: these must break.
fn assumptions() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "assumes-first-read",
            about: "the first read after a claim is not linearizable",
            tier: Tier::Prove,
            expect: Expect::Breaks,
            log: &[&[At(1), At(2)]],
            victim: Some(0),
            old_first_read: true,
            faults: Faults { failovers: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "assumes-committers",
            about: "a completed checkpoint counts as a committed one, and the committer is late",
            expect: Expect::Breaks,
            log: &[&[At(1), At(2)]],
            sink: Sink::CommitterUnheard,
            late_commits: true,
            ..BASE
        },
    ]
}
