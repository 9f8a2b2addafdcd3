//! What people ask for, and the names and boundaries that they type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_protocol::documents::v1;
use tidegate_protocol::identity::{Member, Snapshot};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{WallTime, When};
use tidegate_store_directory::DirectoryStore;

#[path = "../../protocol/tests/fuzz/consume.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod consume;

const DOCUMENT: &[u8] = include_bytes!("../../protocol/tests/golden/document-v1-first.json");
const REPORT: &[u8] = include_bytes!("../../protocol/tests/golden/report-v1.json");

fuzz_target!(|bytes: &[u8]| {
    match v1::read_request(bytes) {
        Ok(Some(request)) => {
            let again = v1::read_request(&v1::write_request(&request, "1"));
            assert_eq!(again, Ok(Some(request.clone())));
            conducted(request);
        }
        Ok(None) => {}
        Err(refusal) => assert!(refusal.to_string().len() < consume::LONGEST),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        typed(text);
    }
});

fn conducted(request: Request) {
    let (document, _) = v1::read_document(DOCUMENT).expect("a golden file");
    let blue = v1::read_report(REPORT).expect("a golden file");
    let mut green = blue.clone();
    green.member = "green-1".parse().expect("a name");
    let now = WallTime::from_millis(1_772_366_400_000);
    consume::observation(&document, &[blue, green], Some(Ok(request)), now);
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
