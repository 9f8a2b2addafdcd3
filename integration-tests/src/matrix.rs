//! The matrix: who is killed, in which moment of a cutover, with which hand-over. Each cell is a cutover of a real job with a
//! kill -9 in it; all that both versions wrote is then compared with a batch computation of the truth.
//!
//! No cell leaves a record out: late ones and those of a partition that was idle are compared like all others.

mod arena;
mod cell;
mod files;
mod moment;
mod outage;
mod places;
mod sidecar;
mod stream;
mod table;
mod truth;

use std::fmt;
use std::time::Duration;

pub use arena::Arena;
pub use cell::Outcome;
pub use outage::{Course, Outage};
pub use stream::{Line, Lines, RECORDS, Stream};
pub use table::{Summary, page};
pub use truth::{Difference, Truth};

use crate::flink::VERSIONS;

/// The gates of a cell's job, which cut over as one.
const GATES: [&str; 3] = ["exact", "least", "files"];
/// How many records a subtask of a gate holds before it makes its input wait, where the store is away for a minute: more than ten
/// seconds of the stream.
const BOUND: u64 = 50_000;
const DEADLINE: Duration = Duration::from_secs(90);

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The TaskManager that runs the old version.
    TaskManagerOfBlue,
    /// The TaskManager that runs the new version.
    TaskManagerOfGreen,
    /// The JobManager of the old version, in which the conductor is; high availability by ZooKeeper.
    JobManager,
    /// The Kafka broker of input and output.
    Broker,
    /// The ZooKeeper server that is the store.
    Store,
    /// The same, and it stays away for a minute; gates have a low bound for what they hold.
    StoreForAMinute,
    /// The command that asked for what is under way.
    Command,
    /// The sidecar of the old version's cluster: in its cells no JVM loads native code.
    Sidecar,
    /// Nobody, to compare with.
    Nobody,
}

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When nothing is proposed yet; the cutover is asked for while the victim is down.
    BeforeProposal,
    /// While the boundary is proposed and not everybody has acknowledged it.
    Proposed,
    /// While the boundary is committed and the old version's part is not finished.
    Committed,
    /// While the old version is stopped with a savepoint.
    Retiring,
}

/// When the new version begins to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOver {
    /// When all below the boundary is committed.
    Ordered,
    /// At the commit.
    Overlapped,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Its place in [`cells`], from 1.
    pub number: usize,
    /// Who is killed.
    pub victim: Victim,
    /// When.
    pub moment: Moment,
    /// How the output is handed over.
    pub hand_over: HandOver,
    /// The version of Flink.
    pub flink: &'static str,
    /// Cells are played turn by turn.
    turn: usize,
}

const VICTIMS: [Victim; 6] = [
    Victim::TaskManagerOfBlue,
    Victim::TaskManagerOfGreen,
    Victim::JobManager,
    Victim::Broker,
    Victim::Store,
    Victim::Command,
];
const MOMENTS: [Moment; 4] = [Moment::BeforeProposal, Moment::Proposed, Moment::Committed, Moment::Retiring];
const HAND_OVERS: [HandOver; 2] = [HandOver::Ordered, HandOver::Overlapped];

/// All cells: six victims in four moments with two hand-overs; one cell for each hand-over in which nobody is killed, but the
/// transactions of blue end slowly: there a reader looks at the moment of finish; two on sidecars; and two with a minute's outage of
/// the store.
///
/// Each victim in each moment is tried on both versions of Flink, one for each hand-over, in turn.
#[must_use]
pub fn cells() -> Vec<Cell> {
    let mut all = Vec::new();
    for (row, victim) in VICTIMS.into_iter().enumerate() {
        for (column, moment) in MOMENTS.into_iter().enumerate() {
            all.extend(both_ways(victim, moment, row + column));
        }
    }
    all.extend(both_ways(Victim::Nobody, Moment::BeforeProposal, 0));
    all.extend(both_ways(Victim::Sidecar, Moment::Proposed, 0).take(1));
    all.extend(both_ways(Victim::Sidecar, Moment::Committed, 0).skip(1));
    all.extend(both_ways(Victim::StoreForAMinute, Moment::Proposed, 0));
    all.into_iter().enumerate().map(|(index, cell)| Cell { number: index + 1, ..cell }).collect()
}

fn both_ways(victim: Victim, moment: Moment, turn: usize) -> impl Iterator<Item = Cell> {
    HAND_OVERS.into_iter().enumerate().map(move |(index, hand_over)| {
        let flink = VERSIONS[(turn + index) % VERSIONS.len()];
        Cell { number: 0, victim, moment, hand_over, flink, turn: turn % MOMENTS.len() }
    })
}

/// In the order in which they are played: first nobody is killed, then everybody in some moment, then in the next one, so that a run
/// that is ended early has tried a little of all.
#[must_use]
pub fn in_turn(mut cells: Vec<Cell>) -> Vec<Cell> {
    cells.sort_by_key(|cell| (cell.victim != Victim::Nobody, cell.turn));
    cells
}

/// The two that every run of the tests tries, on one version of Flink.
#[must_use]
pub fn selection() -> Vec<Cell> {
    let chosen = |cell: &Cell| {
        let Cell { victim, moment, hand_over, .. } = *cell;
        matches!(
            (victim, moment, hand_over),
            (Victim::TaskManagerOfBlue, Moment::Committed, HandOver::Ordered)
                | (Victim::JobManager, Moment::Proposed, HandOver::Overlapped)
        )
    };
    cells().into_iter().filter(chosen).map(|cell| Cell { flink: VERSIONS[0], ..cell }).collect()
}

impl Cell {
    fn rollout(self) -> String {
        format!("cell-{}", self.number)
    }

    /// Whether the sinks of blue are in slots of their own, in another TaskManager than their gates: in one of the cells in which
    /// nobody is killed, and blue's transactions end slowly.
    fn sinks_apart(self) -> bool {
        self.victim == Victim::Nobody && self.hand_over == HandOver::Overlapped
    }

    /// Whether a barrier may overtake records before the gates; only where the store is away for a minute.
    fn unaligned(self) -> bool {
        self.victim == Victim::StoreForAMinute && self.hand_over == HandOver::Overlapped
    }
}

impl Victim {
    /// Whether Flink itself restarts a job after this kill, so that a sink that is only at-least-once may repeat rows.
    #[must_use]
    pub fn explains_duplicates(self) -> bool {
        match self {
            Self::TaskManagerOfBlue
            | Self::TaskManagerOfGreen
            | Self::JobManager
            | Self::Broker
            | Self::Sidecar => true,
            Self::Store | Self::StoreForAMinute | Self::Command | Self::Nobody => false,
        }
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TaskManagerOfBlue => "TaskManager of blue",
            Self::TaskManagerOfGreen => "TaskManager of green",
            Self::JobManager => "JobManager of blue",
            Self::Broker => "Kafka broker",
            Self::Store => "store server",
            Self::StoreForAMinute => "store server (for a minute)",
            Self::Command => "command",
            Self::Sidecar => "sidecar of blue",
            Self::Nobody => "nobody",
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BeforeProposal => "before the proposal",
            Self::Proposed => "between proposal and commit",
            Self::Committed => "between commit and finish",
            Self::Retiring => "while blue retires",
        })
    }
}

impl HandOver {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Overlapped => "overlapped",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, victim, moment, hand_over, flink, .. } = self;
        let when = if *victim == Victim::Nobody { String::new() } else { format!(" {moment}") };
        write!(formatter, "cell {number}: {victim}{when}, {}, Flink {flink}", hand_over.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kill_is_tried_both_ways_and_on_both_versions() {
        let all = cells();
        assert_eq!(all.len(), 54);
        assert_eq!(selection().len(), 2);
        for victim in VICTIMS {
            for moment in MOMENTS {
                let of_kill: Vec<&Cell> =
                    all.iter().filter(|cell| cell.victim == victim && cell.moment == moment).collect();
                let [first, second] = of_kill[..] else { panic!("{of_kill:?}") };
                assert!(first.hand_over != second.hand_over && first.flink != second.flink);
            }
        }
    }

    #[test]
    fn the_special_cells_are_tried_on_both_versions() {
        let told: Vec<String> = cells()[48..].iter().map(Cell::to_string).collect();
        assert_eq!(
            told,
            [
                "cell 49: nobody, ordered, Flink 1.20.3",
                "cell 50: nobody, overlapped, Flink 2.3.0",
                "cell 51: sidecar of blue between proposal and commit, ordered, Flink 1.20.3",
                "cell 52: sidecar of blue between commit and finish, overlapped, Flink 2.3.0",
                "cell 53: store server (for a minute) between proposal and commit, ordered, Flink 1.20.3",
                "cell 54: store server (for a minute) between proposal and commit, overlapped, Flink 2.3.0",
            ]
        );
    }
}
