//! The names by which jobs and operations are found again.

use std::fmt;

use tidegate_protocol::identity::Member;

/// One try to start one generation of a member. The same launch is the same job, however often its start is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Launch {
    /// Tells this rollout from every other one, also from an earlier one of its name: the uid of its resource.
    pub owner: String,
    /// The rollout.
    pub rollout: String,
    /// The color and generation that are started.
    pub member: Member,
    /// Counts the tries to start this generation. One that has failed is used up.
    pub attempt: u32,
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, attempt {}", self.rollout, self.member, self.attempt)
    }
}

/// A job, by what its driver calls it: Flink's job id over REST, a resource's name in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(String);

impl JobId {
    /// An id as a driver has told it. Whether there is such a job shows when it is used.
    pub fn new(id: impl Into<String>) -> JobId {
        JobId(id.into())
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A snapshot that is asked for, by a name that is never used for another one: to ask again finds the first.
///
/// It should tell rollout, attempt and purpose: `orders-7-way-back`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation(String);

/// A text that cannot name an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "OperationUnreadable: {name:?} cannot name an operation: use 1 to 200 of a-z, 0-9 and -, with a letter or digit at both ends"
)]
pub struct BadName {
    name: String,
}

/// So that every driver can name a Kubernetes resource like it, with a prefix.
const OPERATION_MAX: usize = 200;

impl Operation {
    /// Checks the name: it may have to name a Kubernetes resource.
    ///
    /// # Errors
    /// When it is empty, longer than 200 bytes, or has other characters than `a-z`, `0-9` and, inside, `-`.
    pub fn new(name: impl Into<String>) -> Result<Operation, BadName> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = [name.bytes().next(), name.bytes().last()].into_iter().all(|end| end.is_some_and(plain));
        if ends && name.len() <= OPERATION_MAX && name.bytes().all(|byte| plain(byte) || byte == b'-') {
            Ok(Operation(name))
        } else {
            Err(BadName { name: name.chars().take(OPERATION_MAX).collect() })
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_can_name_a_kubernetes_resource() {
        for good in ["a", "orders-7-way-back", "0", &"a".repeat(200)] {
            assert_eq!(Operation::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "ä", &"a".repeat(201)] {
            let error = Operation::new(bad).unwrap_err().to_string();
            assert!(error.starts_with("OperationUnreadable: "), "{error}");
        }
    }
}
