//! Names that are given out once. Whatever is created is named after them, and so every action can be repeated.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identity::{Attempt, Member, NameError};

/// A digest of all that a version is made from; opaque here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub String);

/// One start of a member's job; its deployment is named `<rollout>-<launch>`, such as `orders-blue-1` or `orders-blue-1-2`.
/// Who owns what goes by members; another launch of the same member goes on with that member's own state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Launch {
    /// Whose.
    pub member: Member,
    /// Counts the member's starts, from 1.
    pub number: u32,
}

/// Names something that takes a while: a savepoint, a stop, a request. Asked for under the same name it is the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    /// The rollout that it belongs to.
    pub attempt: u64,
    /// What it is.
    pub kind: OperationKind,
    /// Whose job it is about.
    pub launch: Launch,
    /// Which try.
    pub tries: u32,
}

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperationKind {
    /// A savepoint that the new version starts from; the job goes on.
    Snapshot,
    /// A savepoint that is the way back; the job goes on.
    Pin,
    /// A stop with a savepoint.
    Stop,
    /// A savepoint on a schedule; the job goes on. Its tries are counted over all of them.
    Scheduled,
    /// A request to hand over.
    Promote,
    /// A request to end what was requested.
    Withdraw,
}

impl Launch {
    /// The first launch of a member.
    pub const fn first(member: Member) -> Launch {
        Launch { member, number: 1 }
    }

    /// The next launch of the same member.
    pub const fn next(self) -> Launch {
        Launch { member: self.member, number: self.number.saturating_add(1) }
    }
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => write!(f, "{}", self.member),
            number => write!(f, "{}-{number}", self.member),
        }
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Launch {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Launch, NameError> {
        let error = || NameError::new(text, "a launch such as blue-1 or green-2-3");
        let mut parts = text.splitn(3, '-');
        let member = format!("{}-{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let number = parts.next().map_or(Ok(1), str::parse).map_err(|_| error())?;
        let launch = Launch { member: member.parse().map_err(|_| error())?, number };
        if launch.to_string() == text { Ok(launch) } else { Err(error()) }
    }
}

impl TryFrom<String> for Launch {
    type Error = NameError;

    fn try_from(text: String) -> Result<Launch, NameError> {
        text.parse()
    }
}

impl From<Launch> for String {
    fn from(launch: Launch) -> String {
        launch.to_string()
    }
}

impl OperationKind {
    /// As it stands in names.
    pub fn name(self) -> &'static str {
        match self {
            OperationKind::Snapshot => "snapshot",
            OperationKind::Pin => "pin",
            OperationKind::Stop => "stop",
            OperationKind::Scheduled => "scheduled",
            OperationKind::Promote => "promote",
            OperationKind::Withdraw => "withdraw",
        }
    }
}

/// A DNS label, such as `3-pin-blue-1-1`: attempt, kind, launch, try; unique in the rollout.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch { member, number } = self.launch;
        write!(f, "{}-{}-{member}-{number}-{}", self.attempt, self.kind.name(), self.tries)
    }
}

impl Operation {
    /// The id of the request that ends that attempt, or whichever is found: every request has an id of its own.
    pub fn withdrawal(&self, attempt: Option<Attempt>) -> String {
        attempt.map_or_else(|| self.to_string(), |Attempt(number)| format!("{self}-of-{number}"))
    }

    /// Whether this is the id of a request that some operation makes: people's requests have others.
    pub fn is_request(id: &str) -> bool {
        let mut parts = id.splitn(3, '-');
        let attempt = parts.next().is_some_and(|attempt| attempt.parse::<u64>().is_ok());
        let kinds = [OperationKind::Promote, OperationKind::Withdraw];
        attempt && parts.next().is_some_and(|kind| kinds.iter().any(|own| own.name() == kind))
    }

    /// Whether this is an id of a request that this operation makes.
    pub(in crate::rollout) fn is_withdrawal(&self, id: &str) -> bool {
        id.strip_prefix(&self.to_string()).is_some_and(|rest| rest.is_empty() || rest.starts_with("-of-"))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Color;

    #[test]
    fn requests_of_operations_are_told_from_those_of_people() {
        let launch = Launch::first(Member::new(Color::Green, 2));
        let of = |kind| Operation { attempt: 3, kind, launch, tries: 1 };
        let withdrawal = of(OperationKind::Withdraw).withdrawal(Some(Attempt(7)));
        for own in [of(OperationKind::Promote).to_string(), withdrawal] {
            assert!(Operation::is_request(&own), "{own}");
        }
        for other in ["", "3", "promote", "3-pin-green-2-1-1", "5e1f0c1e-promote-1", "now"] {
            assert!(!Operation::is_request(other), "{other}");
        }
    }

    #[test]
    fn launches_are_read_as_they_are_written() {
        let first = Launch::first(Member::new(Color::Green, 2));
        for launch in [first, first.next(), first.next().next()] {
            assert_eq!(launch.to_string().parse(), Ok(launch));
        }
        assert_eq!(first.next().to_string(), "green-2-2");
        for bad in ["", "blue", "blue-1-1", "blue-1-", "blue-1-02", "red-1", "blue-1-2-3"] {
            assert!(bad.parse::<Launch>().is_err(), "{bad}");
        }
    }
}
