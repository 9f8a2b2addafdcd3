//! The request, as people see it: flat keys with text values, and the text in which a file or a znode holds them.
//!
//! The text is YAML: one mapping of plain keys to plain values, nothing nested, no aliases. JSON is YAML. Reading is bounded in
//! size and in depth, and never guesses: a text that is anything else is [`Unreadable`] as a whole.

use std::collections::BTreeMap;

use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use crate::{Stored, Version};

/// The largest text in bytes that is looked at. A person writes some hundred.
pub const MAX_SHEET_BYTES: usize = 64 * 1024;
/// The most keys that are looked at.
const MAX_KEYS: usize = 64;
/// How much of the people's comments is kept, in bytes; and of one value that is shown beside what cannot be read.
const COMMENTS: usize = 4 * 1024;
/// How much of a parser's word is passed on, in characters.
const REASON: usize = 200;

/// Stands above the keys in a text.
const HELP: &str = "\
# promote: now, +30s, 2026-03-01T12:00:00Z or epoch milliseconds; with it, to: green-2, and hand-over: ordered or overlapped
# abort: true, or an attempt's number
# pause: true, for as long as it stands here
";
/// Before a key that stands above a text that cannot be read.
const SHOWN: &str = "#! ";

/// Flat keys with text values.
pub type Keys = BTreeMap<String, String>;

/// The request as it was at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The write that made it; `None`: it does not exist (yet).
    pub version: Option<Version>,
    /// Its keys; a key with an empty value counts as not there.
    pub keys: Result<Keys, Unreadable>,
    /// What a text holds besides: people's comments, or all of it if it cannot be read.
    rest: Vec<u8>,
}

/// What stands there is no mapping of keys to values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// Where, and why.
    pub reason: String,
    /// The keys that were written beside it.
    pub shown: Keys,
}

impl Sheet {
    /// For stores: keys that a store keeps one by one.
    pub fn of_keys(version: Option<Version>, mut keys: Keys) -> Sheet {
        keys.retain(|_, value| !value.trim().is_empty());
        Sheet { version, keys: bounded(keys), rest: Vec::new() }
    }

    /// For stores: keys that are kept as one text.
    pub fn of_text(stored: Option<Stored>) -> Sheet {
        let Some(Stored { version, bytes }) = stored else { return Sheet::of_keys(None, Keys::new()) };
        match parse(&bytes) {
            Ok(keys) => Sheet { rest: comments(&bytes), ..Sheet::of_keys(Some(version), keys) },
            Err(reason) => {
                let (shown, rest) = shown(&bytes);
                Sheet { version: Some(version), keys: Err(Unreadable { reason, shown }), rest }
            }
        }
    }

    /// For stores: these keys in the place of the sheet's own, as a text. A text that cannot be read stays as it is, with the
    /// keys above it as comments: it is a person's, who will want to mend it.
    pub fn text(&self, keys: &Keys) -> Vec<u8> {
        let head = match &self.keys {
            Ok(_) => HELP.to_owned(),
            Err(_) => {
                keys.iter().map(|(key, value)| format!("{SHOWN}{key}: {}\n", printable(value))).collect()
            }
        };
        let body = if keys.is_empty() || self.keys.is_err() { String::new() } else { written(keys) };
        [head.as_bytes(), &self.rest, body.as_bytes()].concat()
    }
}

/// A mapping of text to text: whatever its strings are, YAML has a form for them. Each stands in one line, so that none of a
/// value's own lines can be taken for a comment.
fn written(keys: &Keys) -> String {
    let in_one_line = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(keys, in_one_line).expect("a map of strings always serializes")
}

fn bounded(keys: Keys) -> Result<Keys, Unreadable> {
    let bytes: usize = keys.iter().map(|(key, value)| key.len() + value.len()).sum();
    let reason = if keys.len() > MAX_KEYS {
        format!("it has {} keys, the limit is {MAX_KEYS}", keys.len())
    } else if bytes > MAX_SHEET_BYTES {
        format!("its keys and values have {bytes} bytes, the limit is {MAX_SHEET_BYTES}")
    } else {
        return Ok(keys);
    };
    let short = |(key, value): &(String, String)| key.len() + value.len() <= COMMENTS;
    Err(Unreadable { reason, shown: keys.into_iter().filter(short).take(MAX_KEYS).collect() })
}

fn parse(bytes: &[u8]) -> Result<Keys, String> {
    if bytes.len() > MAX_SHEET_BYTES {
        return Err(format!("it has {} bytes, the limit is {MAX_SHEET_BYTES}", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 text: {error}"))?;
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(blank) {
        return Ok(Keys::new());
    }
    let bounds = serde_saphyr::budget! {
        max_aliases: 0,
        max_anchors: 0,
        max_depth: 1,
        flow_nesting_limit: 1,
        max_documents: 1,
        max_nodes: 4 * MAX_KEYS,
    };
    let options = serde_saphyr::options! {
        budget: bounds,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        with_snippet: false,
    };
    let keys: BTreeMap<String, Option<String>> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| error.to_string().chars().take(REASON).collect::<String>())?;
    Ok(keys.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// The lines of people's own comments, as they can be written: what is kept once is kept the same the next time.
fn comments(bytes: &[u8]) -> Vec<u8> {
    let (text, ours) = (String::from_utf8_lossy(bytes), HELP.lines().collect::<Vec<_>>());
    let mut kept = String::new();
    for line in text.lines().map(printable) {
        let line = line.trim();
        let is_theirs = line.starts_with('#') && !line.starts_with(SHOWN) && !ours.contains(&line);
        if is_theirs && kept.len() + line.len() < COMMENTS {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.into_bytes()
}

/// The keys above a text, and the text.
fn shown(mut bytes: &[u8]) -> (Keys, Vec<u8>) {
    let mut keys = Keys::new();
    while let Some(line) = bytes.strip_prefix(SHOWN.as_bytes()) {
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        if let Some((key, value)) = String::from_utf8_lossy(&line[..end]).split_once(": ") {
            keys.insert(key.to_owned(), value.to_owned());
        }
        bytes = line.get(end + 1..).unwrap_or_default();
    }
    (keys, bytes.to_vec())
}

/// A comment may hold only what YAML calls printable.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control() && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(text: &str) -> Sheet {
        Sheet::of_text(Some(Stored { version: Version::new("1"), bytes: text.as_bytes().to_vec() }))
    }

    fn keys(text: &str) -> Keys {
        sheet(text).keys.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn reason(text: &str) -> String {
        sheet(text).keys.expect_err(text).reason
    }

    fn of(pairs: &[(&str, &str)]) -> Keys {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_value_is_the_text_that_was_written() {
        for (value, text) in [
            ("now", "now"),
            ("+30s", "+30s"),
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            ("1772366400000", "1772366400000"),
            ("true", "true"),
            ("yes", "yes"),
            ("'3'", "3"),
            ("\"a: b\"", "a: b"),
            ("3 # the third", "3"),
        ] {
            assert_eq!(keys(&format!("promote: {value}\n")), of(&[("promote", text)]));
        }
        assert_eq!(
            keys(r#"{"promote": "now", "to": "green-2"}"#),
            of(&[("promote", "now"), ("to", "green-2")])
        );
        for nothing in ["", "\n", "# promote: now\n", "{}", "promote:\n", "promote: ''", "promote: ~"] {
            assert_eq!(keys(nothing), Keys::new(), "{nothing:?}");
        }
    }

    #[test]
    fn whatever_else_stands_there_is_unreadable_as_a_whole() {
        for text in [
            "now",
            "[]",
            "- promote: now",
            "promote: now: then",
            "promote: [now]",
            "promote: {at: now}",
            "promote: now\npromote: +30s",
            "promote: now\n---\nabort: true",
            "a: &a now\nb: *a",
            "<<: {promote: now}",
            "promote: now\n  to: green-2",
            "promote",
        ] {
            assert!(!reason(text).is_empty() && reason(text).chars().count() <= REASON, "{text}");
        }
        let unreadable = Sheet::of_text(Some(Stored { version: Version::new("1"), bytes: vec![0xff] }));
        assert!(unreadable.keys.is_err());
    }

    #[test]
    fn reading_is_bounded() {
        let long = format!("promote: {}", "x".repeat(MAX_SHEET_BYTES));
        assert!(reason(&long).contains("the limit is 65536"), "{}", reason(&long));
        assert_eq!(sheet(&long).text(&Keys::new()), long.as_bytes());
        let many: String = (0..=MAX_KEYS).map(|n| format!("k{n}: v\n")).collect();
        assert!(reason(&many).contains("65 keys"), "{}", reason(&many));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(!reason(&deep).is_empty());
        let one_by_one = Sheet::of_keys(None, of(&[("promote", &"x".repeat(MAX_SHEET_BYTES))]));
        assert!(one_by_one.keys.is_err());
    }

    #[test]
    fn what_is_written_is_read_and_comments_stay() {
        let old = sheet("# mine\npromote: now # soon\n");
        let new = of(&[("status", "blue-1: \"active\"\n# more"), ("taken", r#"{"id": "1"}"#)]);
        let text = String::from_utf8(old.text(&new)).expect("text");
        assert!(text.starts_with(HELP) && text.contains("\n# mine\n"), "{text}");
        assert_eq!(keys(&text), new);
        for comment in ["", "# \u{e}", "#\u{e} \u{feff}\u{e}", "#\u{e}! mine"] {
            let text = String::from_utf8(sheet(&format!("{text}{comment}")).text(&new)).expect("text");
            assert_eq!(String::from_utf8(sheet(&text).text(&new)).expect("text"), text, "nothing grows");
        }
        let again = sheet(&text);
        assert_eq!(keys(&String::from_utf8(again.text(&Keys::new())).expect("text")), Keys::new());
    }

    #[test]
    fn an_unreadable_text_stays_as_it_is_with_the_keys_above_it() {
        let mistake = b"promote now\nto: [green-2\xff";
        let broken =
            |bytes: &[u8]| Sheet::of_text(Some(Stored { version: Version::new("1"), bytes: bytes.to_vec() }));
        let first = broken(mistake).text(&of(&[("status", "what?")]));
        assert_eq!(first, [b"#! status: what?\n".as_slice(), mistake].concat());
        let shown = broken(&first).keys.expect_err("still").shown;
        assert_eq!(shown, of(&[("status", "what?")]));
        let second = broken(&first).text(&of(&[("status", "what\nthen?")]));
        assert_eq!(second, [b"#! status: whatthen?\n".as_slice(), mistake].concat());
        let mended = sheet("#! status: what?\npromote: now\n");
        assert_eq!(mended.keys.as_ref().ok(), Some(&of(&[("promote", "now")])));
        assert_eq!(mended.text(&Keys::new()), HELP.as_bytes());
    }
}
