//! What must hold, whatever happens. Each law is a function with a name; every test of the planner goes through them.

use std::collections::BTreeSet;

use super::world::World;
use crate::rollout::*;

/// A shell that dies after it has persisted finds the same to do again.
pub(super) fn a_plan_repeated_is_the_same(plan: &Plan, again: &Plan) {
    assert_eq!(plan.record, again.record, "planning again changes the record: {:?}", plan.action);
    assert_eq!(plan.action, again.action, "planning again does something else in {:?}", plan.record.phase);
}

pub(super) fn its_state_is_there(launch: Launch, start: &Start, savepoints: &BTreeSet<String>) {
    if let Start::Savepoint(savepoint) = start {
        assert!(
            savepoints.contains(&savepoint.path),
            "{launch} starts from {}, which is gone",
            savepoint.path
        );
    }
}

/// Before an action.
pub(super) fn check(world: &World, action: &Action) {
    an_owner_is_never_stopped(world, action);
    what_runs_is_never_deleted_unless_it_is_new(world, action);
    a_member_never_runs_twice(world, action);
    a_savepoint_that_is_needed_is_never_dropped(world, action);
    the_old_size_comes_back(world, action);
    only_a_leaving_resource_is_released(world, action);
    a_scheduled_savepoint_disturbs_nothing(world, action);
}

/// After every round.
pub(super) fn check_state(world: &World) {
    there_are_never_two_new_versions(world);
}

fn is_live(world: &World, launch: Launch) -> bool {
    world.deployed.get(&launch).is_some_and(|one| !one.seen.job.has_ended())
}

fn owns(world: &World, launch: Launch) -> bool {
    match &world.document {
        Some(document) => {
            let owns = document.owns(launch.member) && !document.gone.contains(&launch.member);
            owns || document.terms().is_some_and(|terms| terms.to == launch.member)
        }
        None => world.record.active.as_ref().is_some_and(|active| active.launch == launch),
    }
}

fn an_owner_is_never_stopped(world: &World, action: &Action) {
    let (launch, cancels) = match action {
        Action::Stop { operation } => (operation.launch, false),
        Action::Cancel { launch } => (*launch, true),
        Action::Snapshot { .. }
        | Action::Start { .. }
        | Action::Promote { .. }
        | Action::Withdraw { .. }
        | Action::Reclaim(_)
        | Action::Forget { .. }
        | Action::ClearHighAvailability { .. }
        | Action::Delete { .. }
        | Action::Drop { .. }
        | Action::Release => return,
    };
    if !is_live(world, launch) || !owns(world, launch) {
        return;
    }
    let allowed = match &world.record.phase {
        // It is dead, or was given up, or a person said so.
        Phase::Fencing { .. } => cancels,
        Phase::Relaunching { cancel, .. } => cancels && *cancel,
        // The strategy, or the resource, stops it with a savepoint.
        Phase::Stopping { .. } | Phase::Leaving { .. } => !cancels,
        Phase::Idle
        | Phase::Suspended { .. }
        | Phase::Snapshotting { .. }
        | Phase::Starting { .. }
        | Phase::Proving { .. }
        | Phase::Ready { .. }
        | Phase::Pinning { .. }
        | Phase::CuttingOver { .. }
        | Phase::Aborting { .. }
        | Phase::Watching { .. }
        | Phase::Reversing { .. }
        | Phase::Claiming { .. }
        | Phase::Left => false,
    };
    assert!(allowed, "{action:?} while it owns event time: {:#?} {:#?}", world.record, world.document);
}

fn what_runs_is_never_deleted_unless_it_is_new(world: &World, action: &Action) {
    let Action::Delete { launch } = action else { return };
    let leaves = matches!(world.record.phase, Phase::Leaving { .. });
    let ok = !is_live(world, *launch) || !owns(world, *launch) || leaves;
    assert!(ok, "{action:?} deletes a job that owns event time: {:#?}", world.record);
}

fn a_member_never_runs_twice(world: &World, action: &Action) {
    let Action::Start { version } = action else { return };
    let same = |launch: &&Launch| launch.member == version.launch.member && **launch != version.launch;
    let live = world.live_launches();
    let twin = live.iter().find(same);
    assert!(twin.is_none(), "{} is started beside {twin:?}", version.launch);
}

fn a_savepoint_that_is_needed_is_never_dropped(world: &World, action: &Action) {
    let Action::Drop { savepoint, .. } = action else { return };
    for (launch, one) in world.deployed.iter().filter(|(_, one)| !one.seen.job.has_ended()) {
        let begun = one.start == Start::Savepoint(savepoint.clone()) && one.seen.checkpoints.completed == 0;
        assert!(!begun, "{launch} has no checkpoint of its own yet, and {} is dropped", savepoint.path);
    }
    let held = held(&world.record.phase);
    assert!(!held.contains(savepoint), "{} is dropped in {:#?}", savepoint.path, world.record.phase);
}

/// Ways back, and states that something is about to be launched from.
fn held(phase: &Phase) -> Vec<Savepoint> {
    let starts: Vec<&Start> = match phase {
        Phase::CuttingOver { way_back, .. }
        | Phase::Aborting { way_back, .. }
        | Phase::Watching { way_back, .. }
        | Phase::Fencing { way_back, .. }
        | Phase::Claiming { way_back, .. }
        | Phase::Reversing { way_back: Some(way_back), .. } => return vec![way_back.clone()],
        Phase::Suspended { start } => vec![start],
        Phase::Relaunching { start, fallback, .. } => {
            start.iter().chain(fallback.as_ref().map(|fallback| &fallback.start)).collect()
        }
        Phase::Starting { purpose: Purpose::InPlace { fallback: Some(fallback) }, .. }
        | Phase::Proving { purpose: Purpose::InPlace { fallback: Some(fallback) }, .. } => {
            vec![&fallback.start]
        }
        Phase::Starting { purpose: Purpose::Standby(version), created: false, .. } if !version.rooted => {
            vec![&version.start]
        }
        Phase::Starting { .. }
        | Phase::Proving { .. }
        | Phase::Reversing { .. }
        | Phase::Idle
        | Phase::Snapshotting { .. }
        | Phase::Ready { .. }
        | Phase::Pinning { .. }
        | Phase::Stopping { .. }
        | Phase::Leaving { .. }
        | Phase::Left => Vec::new(),
    };
    let savepoint = |start: &'_ Start| match start {
        Start::Savepoint(savepoint) => Some(savepoint.clone()),
        Start::Empty | Start::Given(_) => None,
    };
    starts.into_iter().filter_map(savepoint).collect()
}

/// A version that is launched again after it was stopped is as large as it was (C12).
fn the_old_size_comes_back(world: &World, action: &Action) {
    let Action::Start { version } = action else { return };
    let Phase::Starting { purpose: Purpose::InPlace { fallback: None }, .. } = &world.record.phase else {
        return;
    };
    let undone = world.record.failed.as_ref().is_some_and(|failed| failed.revision != version.revision);
    if let Some(scale) =
        world.stopped_scale.get(&version.revision).filter(|_| undone && version.scale.is_some())
    {
        assert_eq!(version.scale, Some(*scale), "{} comes back in another size", version.launch);
    }
}

fn only_a_leaving_resource_is_released(world: &World, action: &Action) {
    if *action == Action::Release {
        assert!(world.deleting && world.deployed.is_empty(), "released with {:?}", world.deployed.keys());
    }
}

fn a_scheduled_savepoint_disturbs_nothing(world: &World, action: &Action) {
    let (Action::Snapshot { operation } | Action::Drop { operation, .. }) = action else { return };
    let is_quiet = world.record.phase == Phase::Idle && world.record.paused.is_none() && !world.deleting;
    assert!(operation.kind != OperationKind::Scheduled || is_quiet, "{action:?} in {:#?}", world.record);
}

fn there_are_never_two_new_versions(world: &World) {
    let live = world.live_launches();
    let new: Vec<&Launch> = match world.document {
        Some(_) => live.iter().filter(|launch| !owns(world, **launch)).collect(),
        None => live.iter().skip(1).collect(),
    };
    let most = usize::from(world.document.is_some());
    assert!(new.len() <= most, "{new:?} all run and own nothing: {:#?}", world.record);
}
