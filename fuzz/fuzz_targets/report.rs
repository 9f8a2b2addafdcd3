//! Reports: two of them, apart by a line of `=`, are what the conductor sees in each state of a cutover.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_protocol::documents::v1;
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{WallTime, When};

#[path = "../../protocol/tests/fuzz/consume.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod consume;

const DOCUMENTS: [&[u8]; 4] = [
    include_bytes!("../../protocol/tests/golden/document-v1-first.json"),
    include_bytes!("../../protocol/tests/golden/document-v1-proposed.json"),
    include_bytes!("../../protocol/tests/golden/document-v1-committed.json"),
    include_bytes!("../../protocol/tests/golden/document-v1-there-and-back.json"),
];

fuzz_target!(|bytes: &[u8]| {
    let mut reports = Vec::new();
    for part in bytes.split(|byte| *byte == b'=').take(2) {
        match v1::read_report(part) {
            Ok(report) => {
                assert_eq!(v1::read_report(&v1::write_report(&report)).expect("it was written"), report);
                reports.push(report);
            }
            Err(error) => assert!(error.to_string().len() < consume::LONGEST),
        }
    }
    if reports.is_empty() {
        return;
    }
    let request = Request::Promote { at: When::Now, to: None, hand_over: None };
    for document in DOCUMENTS {
        let (document, _) = v1::read_document(document).expect("a golden file");
        consume::observation(
            &document,
            &reports,
            Some(request.clone()),
            WallTime::from_millis(1_772_366_400_000),
        );
    }
});
