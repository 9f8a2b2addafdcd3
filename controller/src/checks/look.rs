//! One look at what a check is about.

mod backpressure;
mod http;
mod key;
mod prometheus;

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Certificate, Client};
use tidegate_protocol::identity::Member;
use tidegate_protocol::rollout::Revision;

use super::Place;
use super::course::Finding;
use crate::resource::intent::check::Probe;

/// Quoted texts of others are cut to so many characters.
const QUOTE: usize = 200;
const CONNECT: Duration = Duration::from_secs(10);

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

/// The client of all checks. It follows no redirects, so that an answer is that of the address which was written. `trusted`
/// are certificates beside this machine's.
pub(super) fn client(trusted: &[Certificate]) -> reqwest::Result<Client> {
    // The client asks for a provider even when it will speak plain HTTP only; a second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        .tls_certs_merge(trusted.iter().cloned())
        .build()
}

/// The last link of the chain: the others repeat the address, with all that may be secret in it.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut last = error.source();
    while let Some(next) = last.and_then(|error| error.source()) {
        last = Some(next);
    }
    last.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

/// What somebody else wrote, cut.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTE).collect();
    format!("{short:?}")
}
