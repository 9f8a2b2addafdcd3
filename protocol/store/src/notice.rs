//! What is shown to people besides the request itself.

/// Something that happened, for the place where people look for that: the events of a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A stable name, like `Committed` or `BoundaryInPast`.
    pub reason: String,
    /// What happened, and the way out if there is one.
    pub message: String,
    /// Something was not done.
    pub warning: bool,
}
