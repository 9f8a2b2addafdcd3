//! What an agent reads: its configuration, the store's URL, and files that anybody may have written. Never a panic; an error
//! names the field or the file; one bad file does not keep the conductor from reading the others.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_agent::{AgentConfig, Instruction, Level, NumberedOrder, Rollout};
use tidegate_protocol::edit;
use tidegate_protocol::identity::{Color, Epoch, Member};
use tidegate_protocol::order::Order;
use tidegate_protocol::request::Request;
use tidegate_store::{MAX_OBJECT_BYTES, Sheet, Stored, Version};

const DOCUMENT: &[u8] = include_bytes!("../../../protocol/tests/golden/document-v1-reclaimed.json");
const REPORT: &[u8] = include_bytes!("../../../protocol/tests/golden/report-v1.json");
const REQUEST: &[u8] = include_bytes!("../../../protocol/tests/golden/request-promote-in.json");
const BLUE: Member = Member::new(Color::Blue, 1);

/// As Java writes it.
fn config() -> Value {
    json!({
        "color": "green", "generation": 3, "store": "directory:///nowhere", "rollout": "rollout", "job": "job",
        "gates": ["a", "b"], "from_beginning": true, "late_policy": "drop", "lateness_ms": 5000, "hand_over": "overlapped",
    })
}

/// Calls an asynchronous function in a runtime of its own.
fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A rollout in a directory with these files.
fn rollout(root: &Path, files: &[(&str, &[u8])]) -> Rollout {
    std::fs::create_dir_all(root.join("orders/reports")).unwrap();
    for (name, bytes) in files {
        std::fs::write(root.join("orders").join(name), bytes).unwrap();
    }
    Rollout::open(&format!("directory://{}", root.display()), "orders").unwrap()
}

#[test]
fn each_field_of_a_configuration_that_is_wrong_or_missing_is_named() {
    let good = config();
    assert_eq!(AgentConfig::parse(good.to_string().as_bytes()).unwrap().member().to_string(), "green-3");
    for field in good.as_object().unwrap().keys() {
        let wrong = [
            json!(null),
            json!(-1),
            json!(1.5),
            json!({"a": 1}),
            json!([1]),
            json!(u64::MAX),
            json!("\u{0}"),
        ];
        for value in wrong {
            let mut bad = good.clone();
            bad[field] = value.clone();
            match AgentConfig::parse(bad.to_string().as_bytes()) {
                Ok(_) => assert!(
                    value.is_string() && ["store", "rollout", "job"].contains(&field.as_str()),
                    "{field}"
                ),
                Err(error) => assert!(error.to_string().contains(field.as_str()), "{error}"),
            }
        }
        let mut less = good.clone();
        less.as_object_mut().unwrap().remove(field);
        if let Err(error) = AgentConfig::parse(less.to_string().as_bytes()) {
            assert!(error.to_string().contains(&format!("missing field `{field}`")), "{error}");
        }
        let twice = good.to_string().replacen('{', &format!("{{\"{field}\": {},", good[field]), 1);
        let error = AgentConfig::parse(twice.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("duplicate field") && error.contains(field.as_str()), "{error}");
    }
}

/// What crosses from an agent to its job; `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn instructions_are_written_and_read_as_ever() {
    let order = NumberedOrder { serial: 7, order: Order::closed(Epoch(2)) };
    for (name, instruction) in [
        ("order", Instruction::Order { gate: "orders".to_owned(), subtask: 3, attempt: 1, order }),
        ("checkpoint", Instruction::Checkpoint),
        ("claimed", Instruction::Claimed),
        ("fail-job", Instruction::FailJob { message: "ColorTaken: another job is alive".to_owned() }),
        ("log", Instruction::Log { level: Level::Warn, message: "StoreMissing: it is away".to_owned() }),
    ] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/instruction-{name}.json"));
        let written = serde_json::to_string_pretty(&instruction).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        assert_eq!(written, std::fs::read_to_string(&path).unwrap(), "{name}");
        assert_eq!(serde_json::from_str::<Instruction>(&written).unwrap(), instruction);
    }
}

/// A conductor that cannot read the request takes no step at all: a committed cutover would never be finished.
#[test]
fn a_request_that_is_too_large_is_refused_and_stops_nothing() {
    let root = tempfile::tempdir().unwrap();
    let large = vec![b' '; MAX_OBJECT_BYTES + 1];
    let rollout = rollout(root.path(), &[("request", &large)]);
    let error = now(rollout.ask(&Request::Abort { attempt: None })).unwrap_err();
    assert!(error.to_string().starts_with("StoreTooLarge: request of directory://"), "{error}");
}

#[test]
fn a_report_that_cannot_be_read_is_told_and_the_others_are_read() {
    let root = tempfile::tempdir().unwrap();
    let large = vec![b' '; MAX_OBJECT_BYTES + 1];
    let files: [(&str, &[u8]); 6] = [
        ("reports/blue-1.json", REPORT),
        ("reports/green-1.json", &large),
        ("reports/green-2.json", b"{\"version\": 2}"),
        ("reports/not A slot.json", b"{}"),
        ("reports/.hidden", b""),
        ("reports/green-3.txt", b""),
    ];
    let rollout = rollout(root.path(), &files);
    let no_text = std::ffi::OsStr::from_bytes(b"\xff\xfe.json");
    std::fs::write(root.path().join("orders/reports").join(no_text), "{}").unwrap();
    let (reports, trouble) = now(rollout.reports()).unwrap();
    assert_eq!(reports.iter().map(|(report, _)| report.member).collect::<Vec<_>>(), [BLUE]);
    let codes: Vec<&str> = trouble.iter().map(|trouble| trouble.code.as_str()).collect();
    assert_eq!(codes, ["StoreTooLarge", "DocumentVersion"]);
}

/// It would pass for the member's newest word, and make one that is dead look alive.
#[test]
fn a_copy_of_a_report_in_another_slot_is_damage() {
    let root = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 2] = [("reports/blue-1.json", REPORT), ("reports/blue-2.json", REPORT)];
    let rollout = rollout(root.path(), &files);
    let (reports, trouble) = now(rollout.reports()).unwrap();
    assert_eq!((reports.len(), trouble.len()), (1, 1));
    assert!(
        trouble[0].message.contains("member = blue-1 does not belong into the slot blue-2"),
        "{}",
        trouble[0].message
    );
    let error = now(rollout.report(Member::new(Color::Blue, 2))).unwrap_err();
    assert_eq!(error.code(), "DocumentDamaged");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_url_and_any_rollout_open_a_store_or_are_refused_by_name(
        url in prop_oneof!["(?s).{0,20}", "directory:/{0,4}(?s).{0,20}", "directory:///tmp/?[.]{0,2}/?"],
        name in prop_oneof!["(?s).{0,10}", "[a-z0-9-]{0,70}", "[.]{1,2}/[a-z]"],
    ) {
        if let Err(error) = tidegate_agent::open(&url, &name) {
            let text = error.to_string();
            prop_assert!(text.starts_with(error.code()), "{text}");
            let named = text.contains(&url) || text.contains(&format!("{name:?}")) || error.code() == "StoreMissing";
            prop_assert!(named || error.code() == "StoreNotAStore" || error.code() == "StoreUnreachable", "{text}");
        }
    }

    #[test]
    fn files_with_any_bytes(
        which in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let names = ["document.json", "reports/blue-1.json", "request"];
        let mut bytes = [DOCUMENT, REPORT, REQUEST][which].to_vec();
        for (index, byte, kind) in changes {
            let index = index.index(bytes.len());
            match kind {
                0 => bytes[index] = byte,
                1 => bytes.insert(index, byte),
                _ => drop(bytes.remove(index)),
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let root = tempfile::tempdir().unwrap();
        let rollout = rollout(root.path(), &[(names[which], &bytes)]);
        let (document, reports, sheet) = now(async {
            (rollout.document().await, rollout.reports().await, rollout.sheet().await)
        });
        if let Err(error) = document {
            prop_assert!(error.to_string().starts_with(error.code()) && error.to_string().len() < 4_000);
        }
        let (reports, trouble) = reports.unwrap();
        prop_assert_eq!(reports.len() + trouble.len(), usize::from(which == 1));
        let sheet = sheet.unwrap();
        if let Ok(keys) = &sheet.keys {
            let told = edit::tell(keys, "a sentence");
            let again = Sheet::of_text(Some(Stored { version: Version::new("2"), bytes: sheet.text(&told) }));
            prop_assert_eq!(again.keys, Ok(told));
        }
    }
}
