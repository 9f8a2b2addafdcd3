//! Which resource it is about.

/// Names a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) uid: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}
