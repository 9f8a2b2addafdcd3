//! What people type: the boundary, the names of members and snapshots, the request.

use proptest::prelude::*;
use tidegate_protocol::edit::{self, Keys, Turn};
use tidegate_protocol::identity::{Member, Snapshot};
use tidegate_protocol::time::{EventTime, When};

use crate::consume::LONGEST;
use crate::strategies;

/// Texts near to what is allowed.
fn near_a_boundary() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,40}",
        "[ ]?[+-]{0,2}[0-9]{0,22}(ms|s|m|h|d|w|mo|y| ago|PT|P)?[0-9]{0,3}[a-z]{0,2}[ ]?",
        "[+-]?P?T?[0-9]{1,20}[.,]?[0-9]{0,20}[HMSDWYhmsdwy]",
        "[+-]?[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}[Tt ][0-9]{1,2}:[0-9]{2}(:[0-9]{2})?([.][0-9]{0,12})?(Z|z|[+-][0-9]{2}:?[0-9]{2})?(\\[[A-Za-z/]{0,12}\\])?",
        "(now|NOW|Now|now!| now )",
    ]
}

/// Texts near to a name.
fn near_a_name() -> impl Strategy<Value = String> {
    prop_oneof!["(?s).{0,20}", "(blue|green|red|Blue)?[-_ ]?[-+]?[0-9]{0,12}@?[-+]?[0-9]{0,22}"]
}

proptest! {
    #[test]
    fn a_boundary_is_read_or_refused_with_what_was_written(text in near_a_boundary()) {
        match text.parse::<When>() {
            Ok(when) => {
                let again = match when {
                    When::In(millis) => format!("+{millis}ms"),
                    When::Now | When::At(_) => when.to_string(),
                };
                prop_assert_eq!(again.parse(), Ok(when));
                prop_assert!(!matches!(when, When::At(EventTime::MIN | EventTime::MAX) | When::In(..=0)));
            }
            Err(error) => {
                prop_assert!(error.to_string().contains("promote = ") && error.to_string().contains("+30s"));
                prop_assert!(text.starts_with(&error.value) && error.to_string().len() < LONGEST);
            }
        }
    }

    #[test]
    fn every_boundary_is_read_as_it_is_written(when in strategies::when()) {
        let text = match when {
            When::In(millis) => format!("+{millis}ms"),
            When::Now | When::At(_) => when.to_string(),
        };
        prop_assert_eq!(text.parse(), Ok(when));
    }

    #[test]
    fn every_name_is_read_as_it_is_written(member in strategies::member(), snapshot in strategies::snapshot()) {
        prop_assert_eq!(member.to_string().parse(), Ok(member));
        prop_assert_eq!(snapshot.to_string().parse(), Ok(snapshot));
    }

    #[test]
    fn a_name_has_one_spelling(text in near_a_name()) {
        match text.parse::<Member>() {
            Ok(member) => prop_assert_eq!(member.to_string(), text.clone()),
            Err(error) => prop_assert!(error.to_string().starts_with("NameUnreadable: ")),
        }
        match text.parse::<Snapshot>() {
            Ok(snapshot) => prop_assert_eq!(snapshot.to_string(), text),
            Err(error) => prop_assert!(error.to_string().starts_with("NameUnreadable: ")),
        }
    }

    #[test]
    fn a_request_of_any_keys_and_values_is_read_or_refused_by_name(
        keys in prop::collection::btree_map(
            prop_oneof![5 => prop::sample::select(vec!["promote", "abort", "to", "hand-over", "pause", "id", "status", "taken"]).prop_map(str::to_owned), 1 => strategies::text()],
            prop_oneof![near_a_boundary(), near_a_name(), prop::sample::select(vec!["true", "ordered", "overlapped"]).prop_map(str::to_owned)],
            0..4,
        )
    ) {
        if let Turn::Mend(refusal) = edit::turn(&keys, None, "fresh") {
            let text = refusal.to_string();
            prop_assert!(keys.keys().any(|key| text.contains(key.as_str())), "{text}");
            prop_assert!(text.len() < LONGEST);
        }
    }
}

/// A sentence and the document keep the refusal.
#[test]
fn a_request_of_any_size_has_a_short_refusal() {
    let long = || "x".repeat(900 * 1024 - 100);
    let of = |pairs: &[(&str, String)]| -> Keys {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    };
    let now = || ("promote", "now".to_owned());
    for keys in [
        of(&[("promote", long())]),
        of(&[("abort", long())]),
        of(&[(&long(), "now".to_owned())]),
        of(&[("pause", long())]),
        of(&[now(), ("id", long())]),
        of(&[now(), ("to", long())]),
        of(&[now(), ("hand-over", long())]),
    ] {
        let Turn::Mend(refusal) = edit::turn(&keys, None, "fresh") else { panic!("it is taken") };
        assert!(refusal.to_string().len() < LONGEST, "{} bytes", refusal.to_string().len());
    }
}
