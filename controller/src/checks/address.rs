//! Addresses of checks, as they are asked and as they are told.

use reqwest::Url;
use tidegate_protocol::identity::Member;

/// With the member in the place of `{member}`.
pub(super) fn filled(text: &str, member: Member) -> String {
    text.replace("{member}", &member.to_string())
}

/// For messages: without user and password, and without the query, which may hold a token.
pub(super) fn shown(url: &str) -> String {
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
    use tidegate_protocol::identity::Color;

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
        let member = Member::new(Color::Green, 2);
        assert_eq!(filled("http://{member}.jobs/{member}", member), "http://green-2.jobs/green-2");
    }
}
