//! One row of the table after the other: stop-start, suspending, repair.

use super::world::World;
use crate::rollout::*;

fn running() -> World {
    let mut world = World::new(Strategy::StopStart);
    world.until_idle();
    world
}

fn launch(text: &str) -> Launch {
    text.parse().unwrap()
}

#[test]
fn stop_start_stops_clears_and_starts() {
    let mut world = running();
    world.want("good-1");
    world.done.clear();
    world.until_idle();
    use ActionKind::{ClearHighAvailability, Delete, Start, Stop};
    assert_eq!(world.done, [Stop, ClearHighAvailability, Start, Delete]);
    assert_eq!(world.active(), "blue-1-2/good-1");
}

/// C12.
#[test]
fn a_failed_stop_start_comes_back_with_its_old_savepoint_and_its_old_size() {
    for revision in ["crash-1", "never-1"] {
        let mut world = running();
        let grown = Scale { parallelism: Some(7), job_managers: Some(1), task_managers: Some(4) };
        for one in world.deployed.values_mut() {
            one.seen.scale = Some(grown);
        }
        world.want(revision);
        world.until_idle();
        assert_eq!(world.active(), "blue-1-3/good-0");
        let active = world.record.active.clone().unwrap();
        assert_eq!(active.scale, Some(grown));
        let Start::Savepoint(savepoint) = active.start else { panic!("{active:?}") };
        assert_eq!(savepoint.path, "savepoint/2-stop-blue-1-1-1");
        let failed = world.record.failed.as_ref().unwrap();
        assert_eq!(failed.revision.0, revision);
    }
}

#[test]
fn nothing_is_stopped_before_its_size_is_known() {
    let mut world = running();
    world.record.active.as_mut().unwrap().scale = None;
    for one in world.deployed.values_mut() {
        one.seen.scale = None;
    }
    world.want("good-1");
    world.done.clear();
    let plan = world.rounds(20);
    assert_eq!(world.done, []);
    assert_eq!(plan.waiting[0].code, "ScaleUnknown");
}

/// C6.
#[test]
fn a_stop_that_worked_and_is_told_as_failed_goes_on_from_the_jobs_own_last_state() {
    let mut world = running();
    world.want("good-1");
    world.until("stopping", |world| world.done.contains(&ActionKind::Stop));
    world.live();
    let newest = world.deployed[&launch("blue-1")].seen.checkpoints.newest.clone().unwrap();
    for progress in world.operations.values_mut() {
        *progress = Progress::Failed("timed out".to_owned());
    }
    world.until_idle();
    assert_eq!(world.active(), "blue-1-2/good-1");
    let path = |start: &Start| matches!(start, Start::Savepoint(savepoint) if *savepoint == newest);
    assert!(path(&world.record.active.as_ref().unwrap().start), "{:?}", world.record.active);
}

#[test]
fn a_stop_that_fails_leaves_the_job_as_it_is() {
    let mut world = running();
    world.want("good-1");
    for _ in 0..60 {
        world.round(super::world::Death::No);
        for progress in world.operations.values_mut() {
            *progress = Progress::Failed("no space".to_owned());
        }
    }
    assert_eq!(world.active(), "blue-1/good-0");
    assert_eq!(world.live_launches(), [launch("blue-1")]);
    assert_eq!(world.record.failed.as_ref().unwrap().failure.cause, Cause::StopFailed);
}

/// C11.
#[test]
fn a_suspended_job_goes_on_from_its_savepoint() {
    for strategy in [Strategy::StopStart, Strategy::BlueGreen] {
        let mut world = World::new(strategy);
        world.until_idle();
        world.wanted.suspended = true;
        let plan = world.rounds(40);
        assert!(matches!(plan.record.phase, Phase::Suspended { .. }), "{plan:#?}");
        assert!(world.deployed.is_empty(), "nothing is kept running");
        let ready = plan.conditions.iter().find(|one| one.kind == ConditionKind::Ready).unwrap();
        assert_eq!((ready.status, ready.reason), (true, "Suspended"));
        world.wanted.suspended = false;
        world.until_idle();
        assert_eq!(world.active(), "blue-1-2/good-0");
        let Start::Savepoint(savepoint) = &world.record.active.as_ref().unwrap().start else { panic!() };
        assert_eq!(savepoint.path, "savepoint/2-stop-blue-1-1-1");
    }
}

#[test]
fn a_job_that_gave_up_is_repaired_by_the_next_spec_from_its_own_last_state() {
    for strategy in [Strategy::StopStart, Strategy::BlueGreen] {
        let mut world = World::new(strategy);
        world.until_idle();
        world.kill(launch("blue-1"), Job::Ended(End::Failed("poison".to_owned())));
        let newest = world.deployed[&launch("blue-1")].seen.checkpoints.newest.clone().unwrap();
        world.rounds(10);
        assert_eq!(world.done, [ActionKind::Start], "it is not launched again by itself");
        world.want("good-1");
        world.until("repaired", |world| world.active() == "blue-1-2/good-1");
        assert_eq!(world.record.active.as_ref().unwrap().start, Start::Savepoint(newest));
        world.until_idle();
    }
}

#[test]
fn a_first_version_that_never_ran_is_replaced_by_the_next_spec() {
    for strategy in [Strategy::StopStart, Strategy::BlueGreen] {
        let mut world = World::new(strategy);
        world.want("never-1");
        let plan = world.rounds(20);
        assert!(plan.conditions.iter().any(|one| one.kind == ConditionKind::Degraded && one.status));
        world.want("good-1");
        world.until_idle();
        assert_eq!(world.active(), "blue-1-2/good-1");
    }
}
