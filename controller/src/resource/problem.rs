//! What is wrong with a resource: field, value, way out.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The path of the field.
    pub(crate) field: String,
    /// What stands there, and why it cannot be.
    pub(crate) what: String,
    /// What to write instead.
    pub(crate) way_out: String,
}

/// A resource that cannot be followed. Nothing is started or stopped because of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Invalid(pub(crate) Vec<Problem>);

impl Problem {
    pub(crate) fn new(
        field: impl Into<String>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Problem {
        Problem { field: field.into(), what: what.into(), way_out: way_out.into() }
    }
}

impl Invalid {
    /// The stable name, in conditions and events.
    pub(crate) const CODE: &str = "SpecInvalid";
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.what, self.way_out)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        write!(f, "{}: {}", Invalid::CODE, problems.join(" | "))
    }
}
