//! The resource, as one look goes by it.

use tidegate_protocol::rollout::{Asked, Record, Wanted};
use tidegate_protocol::time::WallTime;

use super::sources::Sources;
use crate::resource::intent::Intent;

/// What is wanted of it, what is known of it, and who it is.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) home: Home<'a>,
    pub(super) uid: &'a str,
    pub(super) name: &'a str,
    pub(super) intent: &'a Intent,
    pub(super) wanted: &'a Wanted,
    pub(super) sources: &'a Sources,
    pub(super) record: &'a Record,
    pub(super) asked: Option<&'a Asked>,
    pub(super) deleting: bool,
    pub(super) now: WallTime,
}

/// Where a resource lives, and how its deployments are reached from here.
#[derive(Clone, Copy)]
pub(super) struct Home<'a> {
    /// `None`: there is no API server, and so no deployment.
    pub(super) client: Option<&'a kube::Client>,
    pub(super) namespace: &'a str,
    /// Instead of the name that a REST service has within its cluster.
    pub(super) rest_address: Option<&'a str>,
}
