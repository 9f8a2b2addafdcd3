//! Who is who: members, their generations and incarnations, and the snapshots that they were started from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The color of a member. Nothing follows from it but the name: what a member does is decided by the document alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// One of the two.
    Blue,
    /// The other one.
    Green,
}

/// One of the jobs of a rollout. A new deployment is a new generation, and inherits no role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Member {
    /// Blue or green.
    pub color: Color,
    /// Counts the deployments of this color, from 1.
    pub generation: u32,
}

/// The highest number of a change, an attempt or a life that is read. One that was damaged must not overflow with the next
/// step and begin at 0 again, and every language that reads them has numbers up to here.
pub const COUNT_MAX: u64 = i64::MAX as u64;

/// One life of a member's agent; grows with every claim of the member's report slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Incarnation(pub u64);

/// Counts the changes of the cutover document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Epoch(pub u64);

/// One try at a cutover. Never used twice in a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Attempt(pub u64);

/// A checkpoint or savepoint of one job, by Flink's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckpointId(pub u64);

/// A snapshot of a member's state, named by who took it and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Snapshot {
    /// Who took it.
    pub member: Member,
    /// Its number in that member's job.
    pub checkpoint: CheckpointId,
}

/// What a member was first started from; a restart from its own checkpoints does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From nothing.
    Fresh,
    /// From a snapshot of another member.
    Snapshot(Snapshot),
}

/// A text that names no member or snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("NameUnreadable: {value:?} is not {expected}")]
pub struct NameError {
    value: String,
    expected: &'static str,
}

/// A number above [`COUNT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no count: the highest is {COUNT_MAX}")]
pub struct CountError(u64);

fn count(number: u64) -> Result<u64, CountError> {
    if number <= COUNT_MAX { Ok(number) } else { Err(CountError(number)) }
}

impl NameError {
    pub(crate) fn new(value: &str, expected: &'static str) -> NameError {
        NameError { value: value.chars().take(80).collect(), expected }
    }
}

impl Member {
    /// A member by color and generation.
    pub const fn new(color: Color, generation: u32) -> Member {
        Member { color, generation }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Color::Blue => "blue",
            Color::Green => "green",
        })
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.color, self.generation)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.member, self.checkpoint.0)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Member {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Member, NameError> {
        let error = || NameError {
            value: text.chars().take(80).collect(),
            expected: "a member such as blue-1 or green-2",
        };
        let (color, generation) = text.split_once('-').ok_or_else(error)?;
        let color = match color {
            "blue" => Color::Blue,
            "green" => Color::Green,
            _ => return Err(error()),
        };
        let generation = generation.parse().map_err(|_| error())?;
        let member = Member { color, generation };
        if member.to_string() == text { Ok(member) } else { Err(error()) }
    }
}

impl FromStr for Snapshot {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Snapshot, NameError> {
        let error =
            || NameError { value: text.chars().take(80).collect(), expected: "a snapshot such as blue-1@17" };
        let (member, checkpoint) = text.split_once('@').ok_or_else(error)?;
        let checkpoint = CheckpointId(checkpoint.parse().map_err(|_| error())?);
        let snapshot = Snapshot { member: member.parse()?, checkpoint };
        if snapshot.to_string() == text { Ok(snapshot) } else { Err(error()) }
    }
}

impl TryFrom<u64> for Incarnation {
    type Error = CountError;

    fn try_from(number: u64) -> Result<Incarnation, CountError> {
        count(number).map(Incarnation)
    }
}

impl TryFrom<u64> for Epoch {
    type Error = CountError;

    fn try_from(number: u64) -> Result<Epoch, CountError> {
        count(number).map(Epoch)
    }
}

impl TryFrom<u64> for Attempt {
    type Error = CountError;

    fn try_from(number: u64) -> Result<Attempt, CountError> {
        count(number).map(Attempt)
    }
}

impl From<Incarnation> for u64 {
    fn from(incarnation: Incarnation) -> u64 {
        incarnation.0
    }
}

impl From<Epoch> for u64 {
    fn from(epoch: Epoch) -> u64 {
        epoch.0
    }
}

impl From<Attempt> for u64 {
    fn from(attempt: Attempt) -> u64 {
        attempt.0
    }
}

impl TryFrom<String> for Member {
    type Error = NameError;

    fn try_from(text: String) -> Result<Member, NameError> {
        text.parse()
    }
}

impl From<Member> for String {
    fn from(member: Member) -> String {
        member.to_string()
    }
}

impl TryFrom<String> for Snapshot {
    type Error = NameError;

    fn try_from(text: String) -> Result<Snapshot, NameError> {
        text.parse()
    }
}

impl From<Snapshot> for String {
    fn from(snapshot: Snapshot) -> String {
        snapshot.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let blue = Member::new(Color::Blue, 11);
        assert_eq!(blue.to_string().parse(), Ok(blue));
        let snapshot = Snapshot { member: blue, checkpoint: CheckpointId(17) };
        assert_eq!(snapshot.to_string(), "blue-11@17");
        assert_eq!("blue-11@17".parse(), Ok(snapshot));
        for bad in ["", "blue", "red-1", "blue-", "blue-01", "blue--1", "blue-1 "] {
            assert!(bad.parse::<Member>().is_err(), "{bad}");
        }
        for bad in ["", "blue-1", "blue-1@", "blue-1@+17", "blue-1@017", "red-1@17"] {
            assert!(bad.parse::<Snapshot>().is_err(), "{bad}");
        }
    }
}
