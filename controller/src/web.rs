//! How addresses of users are asked: without following them elsewhere, and without telling what may be secret in them.

#[cfg(test)]
pub(crate) mod server;

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Certificate, Client, Url};

const CONNECT: Duration = Duration::from_secs(10);

/// The client of checks and notifications. It follows no redirects, so that an answer is that of the address which was written. `trusted`
/// are certificates beside this machine's.
pub(crate) fn client(trusted: &[Certificate]) -> reqwest::Result<Client> {
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
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut last = error.source();
    while let Some(next) = last.and_then(|error| error.source()) {
        last = Some(next);
    }
    last.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

/// For messages: without user and password, and without the query, which may hold a token.
pub(crate) fn shown(url: &str) -> String {
    // A brace is no character of an address, and the member belongs to the path or the host.
    match Url::parse(url) {
        Ok(mut url) => {
            // Both fail for addresses that cannot have them.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string().replace("%7Bmember%7D", "{member}").trim_end_matches('/').to_owned()
        }
        Err(_) => "its address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_an_address_is_not_told() {
        for (url, text) in [
            ("https://user:word@host:9090/a/b?token=secret#c", "https://host:9090/a/b"),
            ("http://host/", "http://host"),
            ("http://host/{member}/ok", "http://host/{member}/ok"),
            ("nonsense", "its address"),
        ] {
            assert_eq!(shown(url), text);
        }
    }
}
