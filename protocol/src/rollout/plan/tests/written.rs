//! The form in which a record is persisted: another controller, or a newer one, goes on from it.

use std::collections::BTreeMap;
use std::path::Path;

use super::world::{Death, World};
use crate::rollout::*;

type Records = BTreeMap<String, Record>;

/// The record of each phase that is passed through, without most of its history.
fn rounds(world: &mut World, rounds: usize, records: &mut Records) {
    for _ in 0..rounds {
        world.round(Death::No);
        let mut record = world.record.clone();
        record.history.truncate(2);
        records.entry(record.phase.name().to_owned()).or_insert(record);
    }
}

fn a_rollout_with_both_ways_back(records: &mut Records) {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    world.want("good-1");
    world.wanted.settings.promotion = Promotion::Manual;
    rounds(&mut world, 20, records);
    for verb in [Verb::Promote { waive: false }, Verb::Abort, Verb::Retry] {
        world.ask(verb);
        rounds(&mut world, 2, records);
    }
    world.wanted.settings.promotion = Promotion::Automatic;
    rounds(&mut world, 20, records);
    world.ask(Verb::Rollback { frontier: None });
    rounds(&mut world, 30, records);
    world.ask(Verb::Retry);
    rounds(&mut world, 22, records);
    for launch in world.live_launches() {
        world.kill(launch, Job::Restarting);
    }
    rounds(&mut world, 40, records);
    world.deleting = true;
    rounds(&mut world, 80, records);
}

fn a_stop_start_that_is_suspended(records: &mut Records) {
    let mut world = World::new(Strategy::StopStart);
    world.until_idle();
    world.wanted.settings.savepoints = Some(Schedule { every_ms: 60_000, keep: 2 });
    world.rounds(3);
    world.want("crash-1");
    rounds(&mut world, 30, records);
    world.wanted.suspended = true;
    rounds(&mut world, 20, records);
}

#[test]
fn a_record_is_written_as_the_golden_file_has_it() {
    let mut all = Records::new();
    a_rollout_with_both_ways_back(&mut all);
    a_stop_start_that_is_suspended(&mut all);
    assert_eq!(all.len(), 17, "one of each phase: {:?}", all.keys());
    let written = serde_json::to_string_pretty(&all).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rollout/records.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let read: Records = serde_json::from_str(&golden).unwrap();
    assert_eq!(read, all, "the golden file says something else");
    assert!(golden == written, "the same is written in another form; see UPDATE_GOLDEN in CONTRIBUTING");
}

#[test]
fn an_unknown_field_is_an_error_and_never_dropped() {
    let mut value = serde_json::to_value(Record::default()).unwrap();
    value["intent"] = serde_json::json!("of a newer controller");
    let error = serde_json::from_value::<Record>(value).unwrap_err().to_string();
    assert!(error.contains("intent"), "{error}");
}

/// As releases wrote it before a line of the history told its phase, and a savepoint its time.
#[test]
fn a_record_of_an_earlier_release_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rollout/records.json");
    let mut all: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for record in all.values_mut() {
        for entry in record["history"].as_array_mut().unwrap() {
            assert!(entry.as_object_mut().unwrap().remove("phase").is_some());
            entry.as_object_mut().unwrap().remove("warning");
        }
        for kept in record["savepoints"].as_array_mut().unwrap() {
            kept.as_object_mut().unwrap().remove("taken");
        }
        record.as_object_mut().unwrap().remove("scheduled");
        record["savepoints"].as_array_mut().unwrap().retain(|kept| kept["operation"]["kind"] != "scheduled");
        let read: Record = serde_json::from_value(record.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), *record);
    }
}
