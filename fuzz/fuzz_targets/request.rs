//! What people ask for, and the names and boundaries that they type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_protocol::documents::v1;
use tidegate_protocol::edit::{self, Keys, Turn};
use tidegate_protocol::identity::{Member, Snapshot};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{WallTime, When};
use tidegate_store::{Sheet, Stored, Version};
use tidegate_store_directory::DirectoryStore;

#[path = "../../protocol/tests/fuzz/consume.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod consume;

const DOCUMENT: &[u8] = include_bytes!("../../protocol/tests/golden/document-v1-first.json");
const REPORT: &[u8] = include_bytes!("../../protocol/tests/golden/report-v1.json");

fuzz_target!(|bytes: &[u8]| {
    edited(Sheet::of_text(Some(Stored { version: Version::new("1"), bytes: bytes.to_vec() })));
    if let Ok(text) = std::str::from_utf8(bytes) {
        typed(text);
    }
});

/// An edit is told about, and taken if it can be; what was taken is conducted.
fn edited(sheet: Sheet) {
    let read = |keys: &Keys| {
        Sheet::of_text(Some(Stored { version: Version::new("2"), bytes: sheet.text(keys) })).keys
    };
    let Ok(keys) = &sheet.keys else {
        let told = read(&edit::tell(&Keys::new(), "what?")).expect_err("nobody has mended it");
        assert_eq!(edit::told(&told.shown), Some("what?"));
        return;
    };
    let told = edit::tell(keys, "a sentence: \"and more\"");
    assert_eq!(read(&told), Ok(told));
    match edit::turn(keys, None, "fresh") {
        Turn::Put(next) => {
            assert_eq!(read(&next), Ok(next.clone()));
            match edit::turn(&next, None, "another") {
                Turn::Answer(asked) => conducted(asked.request),
                // An old copy's request was dropped, and there is an edit beside it.
                Turn::Rest | Turn::Put(_) | Turn::Mend(_) => {}
            }
        }
        Turn::Answer(asked) => conducted(asked.request),
        Turn::Mend(refusal) => assert!(refusal.to_string().len() < consume::LONGEST),
        Turn::Rest => {}
    }
}

fn conducted(request: Request) {
    let (document, _) = v1::read_document(DOCUMENT).expect("a golden file");
    let blue = v1::read_report(REPORT).expect("a golden file");
    let mut green = blue.clone();
    green.member = "green-1".parse().expect("a name");
    let now = WallTime::from_millis(1_772_366_400_000);
    consume::observation(&document, &[blue, green], Some(request), now);
}

fn typed(text: &str) {
    match text.parse::<When>() {
        Ok(When::In(millis)) => assert!(millis > 0),
        Ok(when @ (When::Now | When::At(_))) => assert_eq!(when.to_string().parse(), Ok(when)),
        Err(error) => assert!(error.to_string().len() < consume::LONGEST),
    }
    if let Ok(member) = text.parse::<Member>() {
        assert_eq!(member.to_string(), text);
    }
    if let Ok(snapshot) = text.parse::<Snapshot>() {
        assert_eq!(snapshot.to_string(), text);
    }
    if let Ok(path) = DirectoryStore::parse(text) {
        assert!(path.is_absolute());
    }
}
