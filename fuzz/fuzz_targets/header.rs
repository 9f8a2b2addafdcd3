//! Headers of a gate's snapshot, apart by `=`: what a restored subtask starts from, and what it then does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_bridge::subtask::{OUT, SubtaskHandle};
use tidegate_protocol::documents::v1;
use tidegate_protocol::time::WallTime;

const CONFIG: &[u8] =
    br#"{"color": "blue", "generation": 1, "gate": "orders", "subtask": 0, "parallelism": 2,
    "hold_max_records": 3, "hold_max_bytes": 1000, "max_ahead_ms": 100, "idle_after_ms": 60000}"#;
const ORDER: &[u8] = include_bytes!("../../protocol/tests/golden/order-adopt.json");

fuzz_target!(|bytes: &[u8]| {
    let headers: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'=').map(<[u8]>::to_vec).collect();
    for header in &headers {
        if let Ok(header) = v1::read_header(header) {
            assert_eq!(v1::read_header(&v1::write_header(&header)).expect("it was written"), header);
        }
    }
    let (mut subtask, mut out) = (SubtaskHandle::open(CONFIG).expect("a configuration"), [0; OUT]);
    if let Err(error) = subtask.restore(&headers, &[5, i64::MIN, i64::MAX], &[1, -1, i32::MIN], &mut out) {
        assert!(error.to_string().len() < 4_000);
        return;
    }
    let now = WallTime::from_millis(u64::MAX);
    for millis in [i64::MIN, -1, 0, i64::MAX] {
        subtask.admit(millis, 1, WallTime::from_millis(1_000), &mut out).expect("a record");
        subtask.watermark(millis, &mut out).expect("a watermark");
    }
    let held = subtask.order(ORDER, &mut out).expect("an order");
    assert!(held.len() <= 3 + 4);
    let header = subtask.snapshot(7, now).expect("a snapshot");
    v1::read_header(&header).expect("it was written");
    subtask.status().expect("a status");
});
