//! An HTTP GET whose status tells. The body is not read, and never told.

use reqwest::Client;
use tidegate_protocol::identity::Member;

use super::Finding;
use crate::checks::address::filled;
use crate::web::{cause, shown};

/// The service is asked about the version, or is part of it: that it does not answer is a bad result.
pub(super) async fn look(client: &Client, url: &str, member: Member, wanted: u16) -> Finding {
    let url = filled(url, member);
    let address = shown(&url);
    match client.get(&url).send().await {
        Ok(response) if response.status().as_u16() == wanted => Finding::Good,
        Ok(response) => {
            let found = response.status().as_u16();
            let redirect =
                if response.status().is_redirection() { ", and redirects are not followed" } else { "" };
            Finding::Bad(format!(
                "{address} answers {found}{redirect}, and {wanted} is wanted; look into it, or write the status that is good"
            ))
        }
        Err(error) => Finding::Bad(format!(
            "{address} cannot be asked ({}); check the address, and that it answers there",
            cause(&error)
        )),
    }
}
