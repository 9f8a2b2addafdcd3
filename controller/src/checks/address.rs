//! Addresses of checks, as they are asked.

use tidegate_protocol::identity::Member;

/// With the member in the place of `{member}`.
pub(super) fn filled(text: &str, member: Member) -> String {
    text.replace("{member}", &member.to_string())
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::identity::Color;

    use super::*;

    #[test]
    fn the_member_is_filled_in() {
        let member = Member::new(Color::Green, 2);
        assert_eq!(filled("http://{member}.jobs/{member}", member), "http://green-2.jobs/green-2");
    }
}
