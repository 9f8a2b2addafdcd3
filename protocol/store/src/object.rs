//! The names and values that a store deals in.

use std::fmt;

use crate::Error;

/// One of the objects of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// The cutover document: it alone decides who owns what.
    Document,
    /// What people ask for (`promote`, `abort`, `pause`), and the answer that they read there.
    Request,
    /// What one member tells.
    Report(Slot),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => f.write_str("document"),
            Self::Request => f.write_str("request"),
            Self::Report(slot) => write!(f, "report {slot}"),
        }
    }
}

/// The name of a member's report, like `blue-1`; see [`check_name`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(String);

impl Slot {
    /// [`Error::BadName`] for a name that [`check_name`] refuses.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        check_name(&name)?;
        Ok(Self(name))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Accepts what every backend can use as a part of a name (file, ConfigMap, znode): 1 to 63 of `a-z`, `0-9` and `-`, with a
/// letter or digit at both ends. [`Error::BadName`] otherwise. For slots and rollouts.
pub fn check_name(name: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let ends = bytes.first().is_some_and(|b| plain(*b)) && bytes.last().is_some_and(|b| plain(*b));
    if ends && bytes.len() <= 63 && bytes.iter().all(|b| plain(*b) || *b == b'-') {
        Ok(())
    } else {
        Err(Error::BadName { name: name.to_owned() })
    }
}

/// Names one write of one object: equal versions mean the same write. Opaque, without an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// For stores: the version by their own naming.
    pub fn new(opaque: impl Into<String>) -> Self {
        Self(opaque.into())
    }

    /// The store's own naming, for that store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object as it was at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The write that made it.
    pub version: Version,
    /// Its content, uninterpreted.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_backend_can_hold() {
        let longest = "a".repeat(63);
        for good in ["blue-1", "green-42", "a", "0", &longest] {
            assert_eq!(Slot::new(good).expect(good).as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "ä", "a\0", &too_long] {
            let error = Slot::new(bad).expect_err(bad);
            assert_eq!(error.code(), "StoreBadName", "{bad:?}");
        }
    }
}
