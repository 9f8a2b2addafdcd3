//! What a person or a controller asks for. A request is an edge: each is answered once, and then needs a new edit.

use crate::document::HandOver;
use crate::identity::{Attempt, Member};
use crate::time::When;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A cutover.
    Promote {
        /// Where the boundary is to be.
        at: When,
        /// Who is to take over; the one live standby when not said.
        to: Option<Member>,
        /// Instead of the rollout's own.
        hand_over: Option<HandOver>,
    },
    /// The end of an attempt that is not committed yet.
    Abort {
        /// Only this attempt, when said.
        attempt: Option<Attempt>,
    },
}

/// Why a request is refused, or an attempt given up. The name of the variant is the stable code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// See the text.
    #[error("{0}")]
    RequestUnreadable(String),
    /// See the text.
    #[error(
        "no other member is alive; start the new version with the same tidegate.store and tidegate.rollout, and ask again"
    )]
    NoStandby,
    /// See the text.
    #[error("{count} members could take over ({names}); name one of them with `to`")]
    StandbyAmbiguous {
        /// How many.
        count: usize,
        /// Which.
        names: String,
    },
    /// See the text.
    #[error("{0} is the active member already")]
    AlreadyActive(Member),
    /// See the text.
    #[error("{member} is not alive: {detail}")]
    MemberNotAlive {
        /// Who.
        member: Member,
        /// How that is known.
        detail: String,
    },
    /// See the text.
    #[error("{member} may not take over: {detail}")]
    StandbyClosed {
        /// Who.
        member: Member,
        /// Why.
        detail: String,
    },
    /// See the text.
    #[error(
        "{0} was started without a snapshot of the active member, so nobody knows what it has missed; start it from a savepoint, \
         or set tidegate.starts-at-beginning if its sources do"
    )]
    StandbyWithoutSnapshot(Member),
    /// See the text.
    #[error("{from} has the gates {from_gates}, {to} has {to_gates}; both must have the same")]
    GatesDiffer {
        /// The active member.
        from: Member,
        /// Its gates.
        from_gates: String,
        /// The other one.
        to: Member,
        /// Its gates.
        to_gates: String,
    },
    /// See the text.
    #[error(
        "no gate has seen event time yet, or one has seen its very end; wait until records with usable timestamps flow"
    )]
    NoEventTime,
    /// See the text.
    #[error(
        "a gate has seen a record of {high}, but the watermark is {watermark}: a boundary above that record would not be \
         reached for long; set tidegate.max-ahead so that such records do not count, or name a boundary above it"
    )]
    FarFuture {
        /// The highest event time seen.
        high: String,
        /// The highest watermark of the active member.
        watermark: String,
    },
    /// See the text.
    #[error(
        "{at} is not above {high}, the highest event time that a gate has seen; name a later one, or `now`"
    )]
    BoundaryInPast {
        /// What was asked for.
        at: String,
        /// What was seen.
        high: String,
    },
    /// See the text.
    #[error("attempt {attempt} is under way ({state}); abort it first, or wait")]
    CutoverUnderWay {
        /// Which.
        attempt: u64,
        /// Proposed or committed.
        state: &'static str,
    },
    /// See the text.
    #[error("attempt {0} is committed: its boundary is final; wait until it is done, then roll back")]
    AlreadyCommitted(u64),
    /// See the text.
    #[error("no cutover is under way")]
    NothingToAbort,
    /// See the text.
    #[error("attempt {asked} is not under way, attempt {current} is")]
    OtherAttempt {
        /// What the request named.
        asked: u64,
        /// What is under way.
        current: u64,
    },
    /// See the text.
    #[error(
        "every boundary that was tried had been passed by a subtask ({0}); is one of them running far ahead?"
    )]
    GaveUp(String),
    /// See the text.
    #[error("not everybody acknowledged in time: {0}")]
    DeadlinePassed(String),
    /// See the text.
    #[error("asked for")]
    Asked,
    /// See the text.
    #[error("the rollout is paused; remove the key pause, or run `tidegate resume`, and ask again")]
    Paused,
    /// See the text.
    #[error(
        "this was saved from a copy that is older than the last answer; look at the state, and if you still mean it, remove \
         the key taken"
    )]
    OldCopy,
    /// See the text.
    #[error("{0} was restarted from another snapshot than the proposal names")]
    OriginChanged(Member),
}

impl Refusal {
    /// The stable name, the same in documents, the CLI, events and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::RequestUnreadable(_) => "RequestUnreadable",
            Refusal::NoStandby => "NoStandby",
            Refusal::StandbyAmbiguous { .. } => "StandbyAmbiguous",
            Refusal::AlreadyActive(_) => "AlreadyActive",
            Refusal::MemberNotAlive { .. } => "MemberNotAlive",
            Refusal::StandbyClosed { .. } => "StandbyClosed",
            Refusal::StandbyWithoutSnapshot(_) => "StandbyWithoutSnapshot",
            Refusal::GatesDiffer { .. } => "GatesDiffer",
            Refusal::NoEventTime => "NoEventTime",
            Refusal::FarFuture { .. } => "FarFuture",
            Refusal::BoundaryInPast { .. } => "BoundaryInPast",
            Refusal::CutoverUnderWay { .. } => "CutoverUnderWay",
            Refusal::AlreadyCommitted(_) => "AlreadyCommitted",
            Refusal::NothingToAbort => "NothingToAbort",
            Refusal::OtherAttempt { .. } => "OtherAttempt",
            Refusal::GaveUp(_) => "GaveUp",
            Refusal::DeadlinePassed(_) => "DeadlinePassed",
            Refusal::Asked => "Asked",
            Refusal::Paused => "Paused",
            Refusal::OldCopy => "OldCopy",
            Refusal::OriginChanged(_) => "OriginChanged",
        }
    }
}
