//! Scenarios that are narrow on purpose: what one job does by itself, and what only shows under one special circumstance.

use super::scenario::{
    Ask, BASE, End,
    Entry::{At, Far, Silence},
    Faults, Lag, Mark, NONE, ORDERED, Scenario, Sink, Start, Tier,
};
use tidegate_protocol::document::{LatePolicy, Settings};

/// One job and no cutover: what it reports must be true all the same.
pub(super) fn alone() -> Vec<Scenario> {
    let alone = Scenario { log: &[&[At(1)], &[At(2)]], blue: 2, start: Start::Never, asks: &[], ..BASE };
    vec![
        Scenario {
            name: "alone-rescaled",
            about: "a job of two subtasks, which may hold before its first order, is restarted with one, two or three",
            reaches: &[Mark::HeldMoved],
            cold: true,
            rescales: [&[1, 2, 3], &[]],
            faults: Faults { resets: 1, checkpoints: 1, ..NONE },
            ..alone.clone()
        },
        Scenario {
            name: "alone-strays",
            about: "a status of an earlier execution attempt tells of a snapshot that was given up",
            reaches: &[Mark::StrayArrived],
            log: &[&[At(1)], &[]],
            split: true,
            faults: Faults { restarts: 1, strays: 1, checkpoints: 2, ..NONE },
            ..alone.clone()
        },
        Scenario {
            name: "alone-commits",
            about: "two committers commit at different times",
            reaches: &[Mark::CommittedLate],
            late_commits: true,
            faults: Faults { restarts: 1, checkpoints: 2, ..NONE },
            ..alone.clone()
        },
        Scenario {
            name: "alone-zombies",
            about: "an at-least-once sink; tasks of a life that is over go on emitting, until its agent finds out",
            reaches: &[Mark::Superseded, Mark::Explained],
            log: &[&[At(1), At(2)]],
            blue: 1,
            sink: Sink::AtLeastOnce,
            zombies: true,
            faults: Faults { failovers: 1, checkpoints: 1, ..NONE },
            ..alone
        },
        Scenario {
            name: "closed",
            tier: Tier::Prove,
            about: "green is superseded before its first order, and holds what blue had held",
            reaches: &[Mark::Superseded, Mark::HeldRestored],
            log: &[&[At(1)]],
            cold: true,
            start: Start::Savepoint,
            asks: &[],
            victim: Some(1),
            lag: Lag::Statuses,
            zombies: true,
            faults: Faults { failovers: 1, ..NONE },
            ..BASE
        },
    ]
}

/// Special circumstances.
pub(super) fn edges() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "lazy",
            about: "committers are always one checkpoint behind",
            reaches: &[Mark::HandedOver, Mark::Settled],
            log: &[&[At(1), At(2)]],
            late_commits: true,
            lazy_commits: true,
            ..BASE
        },
        Scenario {
            name: "edge",
            about: "two records right below the boundary, and one on it",
            reaches: &[Mark::HandedOver],
            log: &[&[At(1), At(1), At(2)]],
            sink: Sink::AtLeastOnce,
            faults: Faults { checkpoints: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "rests",
            about: "an input falls silent while its records are held, and for good",
            reaches: &[Mark::HandedOver, Mark::Rested, Mark::Aborted],
            log: &[&[At(1), At(2)]],
            end: End::Idle,
            faults: Faults { deadlines: 1, checkpoints: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "rests-and-settles",
            about: "all inputs rest before event time has come to the end of a part, and wake again",
            reaches: &[Mark::HandedOver, Mark::Rested, Mark::Settled],
            log: &[&[At(2), Silence, At(2)]],
            bound: 1,
            faults: Faults { deadlines: 1, checkpoints: 1, ..NONE },
            victim: Some(1),
            ..BASE
        },
        Scenario {
            name: "far",
            about: "a record of the far future, where max-ahead is set",
            reaches: &[Mark::HandedOver, Mark::Untimed],
            log: &[&[At(1), Far, At(2)]],
            faults: Faults { restarts: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "reclaim-waits",
            about: "the generation that takes over is restarted from before its first order, when the dead one's part is settled",
            reaches: &[Mark::HandedOver, Mark::Reclaimed, Mark::HeldRestored, Mark::Settled],
            log: &[&[At(1)]],
            asks: &[Ask::PromoteAt(1)],
            faults: Faults { deaths: 1, checkpoints: 2, restarts: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "savepoint",
            about: "green starts from a savepoint of blue, and blue falls back to before it",
            reaches: &[Mark::HandedOver, Mark::Widened],
            log: &[&[At(1), At(3)]],
            bound: 2,
            start: Start::Savepoint,
            faults: Faults { restarts: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "savepoint-held",
            tier: Tier::Prove,
            about: "the same, from before the first document on: blue may hold what green starts past",
            reaches: &[Mark::HandedOver, Mark::Widened, Mark::HeldRestored],
            log: &[&[At(1), At(3)]],
            bound: 2,
            cold: true,
            start: Start::Savepoint,
            faults: Faults { restarts: 1, ..NONE },
            victim: Some(0),
            ..BASE
        },
        Scenario {
            name: "reclaim-late",
            tier: Tier::Prove,
            about: "green dies while a record that is late within what is allowed is still to come",
            reaches: &[Mark::HandedOver, Mark::Reclaimed, Mark::Late],
            log: &[&[At(1), At(3), At(2)]],
            settings: Settings { lateness_ms: 1, late: LatePolicy::Drop, ..ORDERED },
            faults: Faults { deaths: 1, checkpoints: 2, ..NONE },
            ..BASE
        },
        Scenario {
            name: "reverse-restart",
            tier: Tier::Prove,
            about: "a cutover and a reverse one, and a subtask of either job is restarted",
            reaches: &[Mark::HandedOver, Mark::WentBack],
            log: &[&[At(1), At(3), At(2)]],
            bound: 1,
            asks: &[Ask::Promote, Ask::Promote],
            faults: Faults { restarts: 1, ..NONE },
            ..BASE
        },
        Scenario {
            name: "again",
            tier: Tier::Prove,
            about: "there, back, and there again",
            reaches: &[Mark::HandedOver, Mark::WentBack, Mark::TwiceOver],
            log: &[&[At(1), At(2), At(3)], &[At(1)]],
            asks: &[Ask::Promote, Ask::Promote, Ask::Promote],
            ..BASE
        },
    ]
}
