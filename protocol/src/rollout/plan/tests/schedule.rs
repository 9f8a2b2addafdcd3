//! Savepoints on a schedule.

use super::world::{Death, ROUND_MS, World};
use crate::rollout::*;

const EVERY_MS: u64 = 10 * ROUND_MS;

/// At rest, and then with a schedule.
fn scheduled(keep: u32) -> World {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    world.wanted.settings.savepoints = Some(Schedule { every_ms: EVERY_MS, keep });
    world
}

/// What the record has of them, by their names.
fn kept(world: &World) -> Vec<String> {
    let kept = world.record.savepoints.iter();
    let kept = kept.filter(|kept| kept.operation.kind == OperationKind::Scheduled);
    kept.map(|kept| kept.operation.to_string()).collect()
}

/// What lies there.
fn stored(world: &World) -> Vec<String> {
    let names = world.savepoints.iter().filter_map(|path| path.strip_prefix("savepoint/"));
    names.filter(|name| name.contains("-scheduled-")).map(str::to_owned).collect()
}

fn failures(world: &World) -> usize {
    world.record.history.iter().filter(|entry| entry.warning && entry.what.contains("scheduled")).count()
}

#[test]
fn a_savepoint_is_taken_each_time_and_the_newest_are_kept() {
    let mut world = scheduled(2);
    world.rounds(3);
    assert_eq!(kept(&world), ["1-scheduled-blue-1-1-1"], "the first one is due at once");
    let first = &world.record.savepoints[0];
    assert_eq!(first.savepoint.as_ref().unwrap().path, "savepoint/1-scheduled-blue-1-1-1");
    assert!(first.taken.is_some());
    world.rounds(10);
    assert_eq!(kept(&world).len(), 2, "{:#?}", world.record);
    world.rounds(25);
    let newest = ["1-scheduled-blue-1-1-3", "1-scheduled-blue-1-1-4"];
    assert_eq!(
        (kept(&world), stored(&world)),
        (newest.map(str::to_owned).to_vec(), newest.map(str::to_owned).to_vec())
    );
}

#[test]
fn one_that_fails_is_told_and_tried_again_at_the_next_time() {
    let mut world = scheduled(2);
    world.round(Death::No);
    for progress in world.operations.values_mut() {
        *progress = Progress::Failed("the disk is full".to_owned());
    }
    world.rounds(8);
    assert_eq!((failures(&world), kept(&world)), (1, Vec::new()));
    let told = world.record.history.last().unwrap();
    assert_eq!(
        (told.what.as_str(), told.why.as_str()),
        ("the savepoint 1-scheduled-blue-1-1-1 failed", "the disk is full")
    );
    world.rounds(5);
    assert_eq!((failures(&world), kept(&world)), (1, vec!["1-scheduled-blue-1-1-2".to_owned()]));
}

#[test]
fn none_is_taken_or_disposed_of_while_something_else_is_under_way() {
    let mut world = scheduled(1);
    world.rounds(3);
    world.wanted.settings.promotion = Promotion::Manual;
    world.want("good-1");
    world.rounds(60);
    assert!(matches!(world.record.phase, Phase::Ready { .. }));
    assert_eq!(kept(&world), ["1-scheduled-blue-1-1-1"]);
    world.wanted.settings.promotion = Promotion::Automatic;
    // By then the old version has ended, and the schedule goes on with the new one.
    world.until("one of green", |world| kept(world).iter().any(|name| name.contains("green-1")));
    assert!(world.record.leftovers.iter().all(|leftover| leftover.ended.is_some()));
    world.rounds(3);
    assert_eq!(
        (kept(&world).len(), stored(&world)),
        (1, kept(&world)),
        "the old version's one is disposed of"
    );
    let mut paused = scheduled(1);
    paused.wanted.paused = true;
    paused.rounds(30);
    assert_eq!(kept(&paused), Vec::<String>::new());
}

#[test]
fn a_rollout_does_not_wait_for_one() {
    let mut world = scheduled(2);
    world.round(Death::No);
    world.want("good-1");
    let plan = world.plan();
    assert!(matches!(plan.record.phase, Phase::Snapshotting { .. }), "{plan:#?}");
    world.rounds(2);
    assert_eq!(kept(&world), ["1-scheduled-blue-1-1-1"], "and it is kept");
    // One that was not asked for before is not asked for later.
    let mut world = scheduled(2);
    world.round(Death::BeforeAction);
    world.want("good-1");
    world.until("forgotten", |world| world.record.scheduled.begun.is_none());
    assert!(kept(&world).is_empty() && world.record.phase != Phase::Idle, "{:#?}", world.record);
    world.until("one of green", |world| kept(world) == ["2-scheduled-green-1-1-2"]);
}

#[test]
fn a_shell_that_dies_takes_it_once() {
    for death in [Death::BeforePersisting, Death::BeforeAction] {
        let mut world = scheduled(2);
        world.round(death);
        world.rounds(5);
        assert_eq!((kept(&world).len(), stored(&world)), (1, kept(&world)), "{death:?}");
        assert_eq!(world.record.scheduled.count, 1);
    }
}

#[test]
fn one_that_a_version_is_launched_from_is_not_disposed_of() {
    let mut world = scheduled(1);
    world.rounds(3);
    let path = world.record.savepoints[0].savepoint.clone().unwrap().path;
    world.ask(Verb::Replace { from: Some(path.clone()) });
    world.round(Death::No);
    // Whatever the schedule wants: it is too old by now.
    world.record.scheduled.begun = None;
    for _ in 0..12 {
        world.round(Death::No);
        let active = world.record.active.as_ref().unwrap();
        let is_needed = active.launch.number == 2 && !active.rooted;
        assert!(!is_needed || world.savepoints.contains(&path), "{:#?}", world.record);
    }
    world.rounds(30);
    assert!(!world.savepoints.contains(&path), "it is not needed any more");
}

#[test]
fn without_a_schedule_they_are_the_users() {
    let mut world = scheduled(2);
    world.rounds(15);
    let all = kept(&world);
    world.wanted.settings.savepoints = None;
    world.rounds(60);
    assert_eq!((kept(&world), stored(&world)), (all.clone(), all));
    assert!(world.plan().action.is_none());
}

#[test]
fn one_whose_job_is_gone_is_not_waited_for() {
    let mut world = scheduled(2);
    world.round(Death::No);
    world.deployed.clear();
    let plan = world.plan();
    assert!(plan.record.savepoints.is_empty(), "{plan:#?}");
    assert_eq!(plan.record.history.last().unwrap().why, "its job is gone");
}
