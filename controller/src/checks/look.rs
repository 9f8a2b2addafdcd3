//! One look at what a check is about.

mod backpressure;
mod http;
mod key;
mod prometheus;

use reqwest::Client;
use tidegate_protocol::identity::Member;
use tidegate_protocol::rollout::Revision;

use super::Place;
use super::course::Finding;
use crate::resource::intent::check::Probe;

/// Quoted texts of others are cut to so many characters.
const QUOTE: usize = 200;

/// Looks at one thing, for one version.
pub(super) struct Looker {
    pub(super) client: kube::Client,
    pub(super) http: Client,
    pub(super) place: Place,
    pub(super) revision: Revision,
    pub(super) member: Member,
    pub(super) probe: Probe,
}

impl Looker {
    /// Once. However long it takes: who asks has a timeout.
    pub(super) async fn look(&self) -> Finding {
        match &self.probe {
            Probe::Backpressure { percent } => backpressure::look(&self.place, *percent).await,
            Probe::Http { url, status, timeout_ms: _ } => {
                http::look(&self.http, url, self.member, *status).await
            }
            Probe::Prometheus { url, query, at_least, at_most, timeout_ms: _ } => {
                let bounds = prometheus::Bounds { at_least: *at_least, at_most: *at_most };
                prometheus::look(&self.http, url, query, self.member, bounds).await
            }
            Probe::Key { config_map, key } => {
                let place = key::Place::new(&self.place, config_map.as_deref(), key);
                key::look(&self.client, &place, &self.revision).await
            }
        }
    }
}

/// What somebody else wrote, cut.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTE).collect();
    format!("{short:?}")
}
