//! The cutover document: read, followed by its members, conducted, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_protocol::documents::v1;
use tidegate_protocol::time::WallTime;

#[path = "../../protocol/tests/fuzz/consume.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod consume;

const REPORT: &[u8] = include_bytes!("../../protocol/tests/golden/report-v1.json");

fuzz_target!(|bytes: &[u8]| {
    match v1::read_document(bytes) {
        Ok((document, nonce)) => {
            let written = v1::write_document(&document, &nonce);
            assert_eq!(v1::read_document(&written).expect("it was written"), (document.clone(), nonce));
            let report = v1::read_report(REPORT).expect("a golden file");
            consume::observation(&document, &[report], None, WallTime::from_millis(1_772_366_400_000));
        }
        Err(error) => assert!(error.to_string().len() < consume::LONGEST),
    }
});
