//! The shell dies, the resource is deleted: at every step.

use super::world::{Death, World};
use crate::rollout::*;

/// Where a rollout to `revision` ends when the shell dies in round `dies`.
fn end_of(strategy: Strategy, revision: &str, dies: usize, death: Death) -> (String, Vec<ActionKind>) {
    let mut world = World::new(strategy);
    world.rounds(1);
    world.until_idle();
    world.want(revision);
    for round in 0..dies + 1 {
        world.round(if round == dies { death } else { Death::No });
    }
    world.until_idle();
    let revision = world.record.active.as_ref().unwrap().revision.0.clone();
    (revision, world.done)
}

/// C1: at every step of a good rollout, a failed one and a stop-start, the shell dies before it persists, and before it acts.
#[test]
fn a_shell_that_dies_at_any_step_is_resumed() {
    for strategy in [Strategy::BlueGreen, Strategy::StopStart] {
        for (revision, end) in [("good-1", "good-1"), ("crash-1", "good-0"), ("never-1", "good-0")] {
            for dies in 0..50 {
                for death in [Death::BeforePersisting, Death::BeforeAction] {
                    let (is, done) = end_of(strategy, revision, dies, death);
                    assert_eq!(is, end, "{strategy:?} {revision}, {death:?} in round {dies}: {done:?}");
                }
            }
        }
    }
}

/// A start that cannot be done, because there are too few slots or nobody answers, ends at its deadline like one that fails.
#[test]
fn a_version_that_cannot_be_started_is_given_up_at_the_deadline() {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    world.refuses_starts = true;
    world.want("good-1");
    world.until("given up", |world| world.record.failed.is_some());
    assert_eq!(world.record.failed.as_ref().unwrap().failure.cause, Cause::StartFailed);
    assert_eq!(world.active(), "blue-1/good-0");
    world.refuses_starts = false;
    world.ask(Verb::Retry);
    world.until_idle();
    assert_eq!(world.active(), "green-2/good-1");
}

/// The answer to a start was lost, it was given up, and then its job is there after all.
#[test]
fn a_job_that_comes_to_run_after_it_was_given_up_is_taken_down() {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    let start = Start::Empty;
    let (launch, revision) = ("green-7".parse().unwrap(), Revision("good-1".to_owned()));
    let stray = Version { launch, revision, start, scale: None, ran: false, rooted: false };
    world.execute(Action::Start { version: stray });
    world.rounds(1);
    world.until_idle();
    assert_eq!(world.live_launches(), ["blue-1".parse().unwrap()]);
    assert!(!world.deployed.contains_key(&launch));
}

/// There is nothing to go back to: it is tried on, loudly, and another spec takes its place.
#[test]
fn the_first_version_is_tried_on_and_replaced_when_it_was_never_there() {
    let mut world = World::new(Strategy::BlueGreen);
    world.refuses_starts = true;
    world.rounds(60);
    let plan = world.plan();
    let loud = plan.conditions.iter().find(|condition| condition.kind == ConditionKind::Degraded).unwrap();
    assert!(loud.status && plan.action.is_some(), "{loud:?}");
    // The shell has learnt that it can never be started, and has forgotten why.
    if let Phase::Starting { created, .. } = &mut world.record.phase {
        *created = true;
    }
    world.refuses_starts = false;
    world.want("good-1");
    world.until_idle();
    assert_eq!(world.active(), "blue-1-2/good-1");
}

/// C7: whatever is under way, a deleted resource goes, with savepoints where that is possible.
#[test]
fn a_resource_that_is_deleted_at_any_step_is_let_go() {
    for strategy in [Strategy::BlueGreen, Strategy::StopStart] {
        for rounds in 0..70 {
            let mut world = World::new(strategy);
            world.until_idle();
            world.want("good-1");
            world.rounds(1 + rounds);
            let active = world.record.active.clone().unwrap().launch;
            world.deleting = true;
            world.until("released", |world| world.released);
            let stopped = world.operations.iter().any(|(operation, progress)| {
                operation.kind == OperationKind::Stop
                    && operation.launch.member.color == active.member.color
                    && matches!(progress, Progress::Done(_))
            });
            assert!(stopped, "{strategy:?}, round {rounds}: {:#?}", world.operations);
        }
    }
}

/// C7.
#[test]
fn a_savepoint_that_is_impossible_never_blocks_the_deletion() {
    for store_away in [false, true] {
        let mut world = World::new(Strategy::BlueGreen);
        world.until_idle();
        world.store_away = store_away;
        world.kill("blue-1".parse().unwrap(), Job::Restarting);
        world.deleting = true;
        let begun = world.now;
        world.until("released", |world| world.released);
        let limit = world.wanted.settings.deadlines.leave_ms;
        assert!(world.now <= begun + limit + 20_000, "{} ms", world.now - begun);
    }
}

/// Every kind of action is a point at which a shell may be killed; each is reached by some rollout here.
#[test]
fn every_action_is_asked_for_by_some_rollout() {
    let mut done = Vec::new();
    for (strategy, revision) in
        [(Strategy::BlueGreen, "good-1"), (Strategy::BlueGreen, "late-1"), (Strategy::StopStart, "crash-1")]
    {
        let mut world = World::new(strategy);
        world.until_idle();
        world.want(revision);
        world.until_idle();
        world.deleting = true;
        world.until("released", |world| world.released);
        done.extend(world.done);
    }
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    world.want("good-1");
    world.until("watching", |world| matches!(world.record.phase, Phase::Watching { .. }));
    world.kill("green-1".parse().unwrap(), Job::Ended(End::Canceled));
    world.until_idle();
    world.want("good-2");
    world.until("cutting over", |world| matches!(world.record.phase, Phase::CuttingOver { .. }));
    world.ask(Verb::Abort);
    world.until_idle();
    done.extend(world.done);
    let missing: Vec<&ActionKind> = ActionKind::ALL.iter().filter(|kind| !done.contains(kind)).collect();
    assert_eq!(missing, [&ActionKind::Forget], "Forget only comes when a person asks for it; see requests");
}
