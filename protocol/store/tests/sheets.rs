//! Whatever stands in a request is read or refused in bounds; whatever is written is read back, beside whatever stood there.

use proptest::prelude::*;
use tidegate_store::{Keys, Sheet, Stored, Version};

const NAMES: [&str; 8] = ["promote", "to", "hand-over", "abort", "pause", "id", "status", "taken"];

fn sheet(bytes: Vec<u8>) -> Sheet {
    Sheet::of_text(Some(Stored { version: Version::new("1"), bytes }))
}

/// Lines near to what people write, and near to what YAML makes of it.
fn text() -> impl Strategy<Value = String> {
    let key = prop_oneof![prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), "(?s).{0,8}"];
    let value = prop_oneof![
        "(?s).{0,20}",
        "[&*!|>%@`{}\\[\\],#?:'\" -]{1,6}[a-z ]{0,6}",
        "(now|true|~|null|3|0x1f|1_000|1e9|[.]inf|2026-03-01|\\+30s)",
    ];
    let line = (key, prop_oneof![Just(": "), Just(":"), Just(" "), Just(": |\n  ")], value)
        .prop_map(|(key, between, value)| format!("{key}{between}{value}"));
    prop::collection::vec(
        prop_oneof![8 => line, 1 => "#[!> ]{0,2}.{0,10}", 1 => "(---|[.]{3}|%YAML 1.2)"],
        0..6,
    )
    .prop_map(|lines| lines.join("\n"))
}

fn keys() -> impl Strategy<Value = Keys> {
    let value = prop_oneof!["[!-~][ -~]{0,300}", "(?s)[^ \t\r\n].{0,40}", "(now|true|~|null|- a|a: b|#x)"];
    let filled = value.prop_filter("an empty value is none", |value| !value.trim().is_empty());
    prop::collection::btree_map(prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), filled, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_read_or_refused_shortly(text in text()) {
        match sheet(text.into_bytes()).keys {
            Ok(keys) => prop_assert!(keys.values().all(|value| !value.trim().is_empty())),
            Err(unreadable) => prop_assert!(unreadable.to_string().len() < 1_000),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_shortly(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(unreadable) = sheet(bytes).keys {
            prop_assert!(unreadable.to_string().len() < 1_000);
        }
    }

    #[test]
    fn what_is_written_is_read_beside_whatever_stood_there(old in text(), keys in keys()) {
        let old = sheet(old.into_bytes());
        let new = sheet(old.text(&keys));
        match old.keys {
            Ok(_) => {
                prop_assert_eq!(new.keys.as_ref(), Ok(&keys));
                prop_assert_eq!(new.text(&keys), old.text(&keys), "what is no key grows or shrinks");
            }
            // The person's text is there still, whole.
            Err(_) => prop_assert!(old.text(&keys).ends_with(&old.text(&Keys::new()))),
        }
    }
}
