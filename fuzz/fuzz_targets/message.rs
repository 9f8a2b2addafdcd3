//! The messages of the bridge, apart by `=`: configurations, orders, events and statuses, in the order in which they come.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_agent::AgentConfig;
use tidegate_bridge::subtask::{OUT, SubtaskHandle};
use tidegate_protocol::documents::{from_json, v1};
use tidegate_protocol::member::Event;
use tidegate_protocol::time::WallTime;

#[path = "../../protocol/tests/fuzz/consume.rs"]
#[allow(dead_code, reason = "each target uses its part")]
mod consume;

const CONFIG: &[u8] =
    br#"{"color": "blue", "generation": 1, "gate": "orders", "subtask": 0, "parallelism": 2,
    "hold_max_records": 3, "hold_max_bytes": 1000, "max_ahead_ms": null, "idle_after_ms": 60000}"#;
const DOCUMENT: &[u8] = include_bytes!("../../protocol/tests/golden/document-v1-committed.json");

fuzz_target!(|bytes: &[u8]| {
    let messages = || bytes.split(|byte| *byte == b'=').take(8);
    let mut subtask = SubtaskHandle::open(CONFIG).expect("a configuration");
    let mut out = [0; OUT];
    for message in messages() {
        if let Ok(configured) = SubtaskHandle::open(message) {
            subtask = configured;
        }
        if let Ok(config) = AgentConfig::parse(message) {
            config.for_machine("an instance".to_owned());
        }
    }
    subtask.restore(&[], &[], &[], &mut out).expect("nothing to restore");
    subtask.admit(5, 1, WallTime::from_millis(1_000), &mut out).expect("a record");
    for message in messages() {
        match subtask.order(message, &mut out) {
            Ok(held) => assert!(held.len() <= 9),
            Err(error) => assert!(error.to_string().len() < consume::LONGEST),
        }
        subtask.admit(100, 1, WallTime::from_millis(1_000), &mut out).expect("a record");
        subtask.watermark(out[1], &mut out).expect("a watermark");
        subtask.counters().expect("counters");
    }
    let status = subtask.status().expect("a status");
    from_json::<tidegate_protocol::subtask::Status>(&status).expect("it was written");
    let events: Vec<Event> = messages().filter_map(|message| from_json(message).ok()).collect();
    let possible: Vec<Event> = events.into_iter().filter(|event| event.check().is_ok()).collect();
    let (document, _) = v1::read_document(DOCUMENT).expect("a golden file");
    consume::events(&document, &possible);
});
