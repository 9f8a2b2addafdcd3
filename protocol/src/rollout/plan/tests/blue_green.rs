//! One row of the table after the other: blue-green.

use super::world::World;
use crate::rollout::*;

fn running() -> World {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    world
}

fn watching(revision: &str) -> World {
    let mut world = running();
    world.want(revision);
    world.until("watching", |world| matches!(world.record.phase, Phase::Watching { .. }));
    world
}

fn condition(plan: &Plan, kind: ConditionKind) -> (bool, &'static str) {
    let condition = plan.conditions.iter().find(|one| one.kind == kind).unwrap();
    (condition.status, condition.reason)
}

fn launch(text: &str) -> Launch {
    text.parse().unwrap()
}

fn failed(world: &World) -> Option<(String, Cause)> {
    world.record.failed.as_ref().map(|failed| (failed.revision.0.clone(), failed.failure.cause))
}

#[test]
fn the_first_version_is_started_and_accepted() {
    let world = running();
    assert_eq!(world.active(), "blue-1/good-0");
    assert_eq!(world.done, [ActionKind::Start]);
    assert_eq!(condition(&world.plan(), ConditionKind::Ready), (true, "Running"));
}

#[test]
fn a_new_version_goes_over_by_itself() {
    let mut world = running();
    world.want("good-1");
    world.done.clear();
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
    use ActionKind::{Delete, Drop, Promote, Snapshot, Start, Stop};
    assert_eq!(world.done, [Snapshot, Start, Drop, Snapshot, Promote, Drop, Stop, Delete]);
    assert_eq!(world.live_launches(), [launch("green-1")]);
    let last: Vec<&Kept> = world.record.savepoints.iter().collect();
    assert!(last.len() == 1 && last[0].last, "the old version's last savepoint is kept: {last:?}");
    assert_eq!(condition(&world.plan(), ConditionKind::Ready), (true, "Running"));
}

/// C9.
#[test]
fn a_version_that_fails_before_the_cutover_is_removed_and_the_old_one_never_touched() {
    for (revision, cause) in [("never-1", Cause::StartFailed), ("crash-1", Cause::Unstable)] {
        let mut world = running();
        world.want(revision);
        world.done.clear();
        world.until_idle();
        assert_eq!(world.active(), "blue-1/good-0");
        assert_eq!(failed(&world), Some((revision.to_owned(), cause)));
        if cause == Cause::StartFailed {
            let failure = &world.record.failed.as_ref().unwrap().failure;
            assert_eq!(failure.message, "green-1 has failed: no such class", "its exception is told once");
        }
        assert!(!world.done.contains(&ActionKind::Stop) && !world.done.contains(&ActionKind::Cancel));
        assert_eq!(world.live_launches(), [launch("blue-1")]);
        let plan = world.rounds(50);
        assert_eq!(condition(&plan, ConditionKind::Ready), (false, "OtherRevision"));
        assert_eq!(condition(&plan, ConditionKind::Degraded), (true, cause.code()));
        assert_eq!(condition(&plan, ConditionKind::Available), (true, "Running"));
        assert_eq!(world.record.attempt, 2, "it is not tried again by itself");
    }
}

/// C2, C3.
#[test]
fn the_next_attempt_takes_nothing_from_the_one_before() {
    let mut world = running();
    world.want("crash-1");
    world.until_idle();
    world.want("good-2");
    world.until("starting", |world| world.record.phase.beside().is_some());
    let target = world.record.phase.beside().unwrap();
    assert_eq!(target.launch, launch("green-2"), "a new generation");
    let Start::Savepoint(savepoint) = &target.start else { panic!("{target:?}") };
    assert_eq!(savepoint.path, "savepoint/3-snapshot-blue-1-1-1");
    world.until_idle();
    assert_eq!(world.active(), "green-2/good-2");
    assert_eq!(failed(&world), None);
}

/// C4.
#[test]
fn a_version_that_only_runs_is_not_ready_before_it_is_as_far_as_the_old_one() {
    let mut world = running();
    world.want("good-1");
    world.behind.insert(launch("green-1").member, 11_000);
    world.until("behind", |world| world.plan().waiting.iter().any(|waiting| waiting.code == "Lag"));
    let plan = world.rounds(10);
    assert!(matches!(plan.record.phase, Phase::Proving { .. }) && plan.lag_ms == Some(11_000), "{plan:#?}");
    world.behind.clear();
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
}

/// C5.
#[test]
fn a_deadline_takes_back_and_never_forces() {
    let mut world = running();
    world.want("good-1");
    world.behind.insert(launch("green-1").member, 11_000);
    world.until_idle();
    assert_eq!(world.active(), "blue-1/good-0");
    assert_eq!(failed(&world), Some(("good-1".to_owned(), Cause::DeadlinePassed)));
    assert!(!world.done.contains(&ActionKind::Promote));
}

#[test]
fn a_failed_check_takes_back_before_the_cutover_and_after_it() {
    for mut world in [running(), watching("good-1")] {
        world.want("good-1");
        world.until("a new version", |world| world.record.phase.beside().is_some_and(|version| version.ran));
        world.checks.insert("orders".to_owned(), Verdict::Failed("too few".to_owned()));
        world.until_idle();
        assert_eq!(world.active(), "blue-1/good-0");
        assert_eq!(failed(&world), Some(("good-1".to_owned(), Cause::CheckFailed)));
    }
}

#[test]
fn a_pending_check_is_waited_for() {
    let mut world = running();
    world.want("good-1");
    world.checks.insert("orders".to_owned(), Verdict::Pending("1 of 3".to_owned()));
    world.until("the check", |world| {
        world.plan().waiting.iter().any(|waiting| waiting.message == "check orders: 1 of 3")
    });
    world.checks.insert("orders".to_owned(), Verdict::Passed);
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn after_the_cutover_a_sick_version_gives_the_output_back_when_both_live() {
    let mut world = watching("good-1");
    world.done.clear();
    world.ask(Verb::Rollback { frontier: None });
    world.until_idle();
    assert_eq!(world.active(), "blue-1/good-0");
    assert!(!world.done.contains(&ActionKind::Reclaim) && !world.done.contains(&ActionKind::Cancel));
    assert!(world.done.contains(&ActionKind::Stop), "the new one owned event time, and its sinks commit");
}

#[test]
fn after_the_cutover_a_dead_version_is_continued_from_the_way_back() {
    let mut world = watching("good-1");
    world.kill(launch("green-1"), Job::Ended(End::Failed("no memory".to_owned())));
    world.until("reclaimed", |world| world.active() == "blue-2/good-0");
    assert!(world.done.contains(&ActionKind::Reclaim));
    let Start::Savepoint(start) = &world.record.active.as_ref().unwrap().start else { panic!() };
    assert_eq!(start.path, "savepoint/2-pin-blue-1-1-1");
    world.until_idle();
    assert_eq!(world.active(), "blue-2/good-0");
    assert_eq!(failed(&world), Some(("good-1".to_owned(), Cause::Unstable)));
    assert_eq!(world.live_launches(), [launch("blue-2")]);
}

#[test]
fn a_version_that_crashes_for_ever_after_the_cutover_is_taken_back() {
    let mut world = running();
    world.want("late-1");
    world.until_idle();
    assert!(world.active().ends_with("/good-0"), "{}", world.active());
    assert_eq!(failed(&world), Some(("late-1".to_owned(), Cause::Unstable)));
}

#[test]
fn a_spec_edited_before_the_commit_supersedes_and_after_it_waits() {
    let mut world = running();
    world.want("good-1");
    world.until("proving", |world| matches!(world.record.phase, Phase::Proving { .. }));
    world.want("good-2");
    world.until_idle();
    assert_eq!(world.active(), "green-2/good-2");
    assert_eq!(failed(&world), None, "a superseded revision may be wanted again");

    let mut world = watching("good-1");
    world.want("good-2");
    world.rounds(3);
    assert!(matches!(world.record.phase, Phase::Watching { .. }));
    world.until_idle();
    assert_eq!(world.active(), "blue-2/good-2");
}

#[test]
fn a_spec_put_back_after_the_cutover_gives_the_output_back() {
    let mut world = watching("good-1");
    world.want("good-0");
    world.until_idle();
    assert_eq!(world.active(), "blue-1/good-0");
}

#[test]
fn a_pause_holds_what_is_not_begun_and_its_time_does_not_count() {
    let mut world = running();
    world.want("good-1");
    world.until("ready", |world| matches!(world.record.phase, Phase::Proving { .. }));
    world.wanted.paused = true;
    world.done.clear();
    let plan = world.rounds(200);
    assert!(matches!(world.record.phase, Phase::Proving { .. }), "no deadline passes in a pause");
    assert_eq!(condition(&plan, ConditionKind::Paused), (true, "Asked"));
    world.wanted.paused = false;
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn promotion_waits_for_a_delay_a_time_or_a_person() {
    let mut world = running();
    let at = crate::time::WallTime::from_millis(world.now + 200_000);
    world.want("good-1");
    world.wanted.settings.promotion = Promotion::At(at);
    world.until("promoted", |world| world.done.contains(&ActionKind::Promote));
    assert!(world.now >= at.as_millis());

    let mut world = running();
    world.want("good-1");
    world.wanted.settings.promotion = Promotion::After(100_000);
    world.until("ready", |world| matches!(world.record.phase, Phase::Ready { .. }));
    let ready = world.now;
    world.until("promoted", |world| world.done.contains(&ActionKind::Promote));
    assert!(world.now >= ready + 100_000);

    let mut world = running();
    world.want("good-1");
    world.wanted.settings.promotion = Promotion::Manual;
    let plan = world.rounds(300);
    assert!(matches!(plan.record.phase, Phase::Ready { .. }), "{:?}", plan.record.phase);
    assert_eq!(condition(&plan, ConditionKind::CutoverPending), (true, "Ready"));
    world.ask(Verb::Promote { waive: false });
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn nothing_is_stopped_while_the_document_cannot_be_read() {
    let mut world = watching("good-1");
    world.store_away = true;
    world.done.clear();
    world.rounds(200);
    assert!(!world.done.contains(&ActionKind::Stop) && !world.done.contains(&ActionKind::Delete));
    world.store_away = false;
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn a_deployment_that_somebody_deleted_is_never_launched_again_from_a_guess() {
    let mut world = running();
    world.deployed.clear();
    let plan = world.rounds(20);
    assert_eq!(condition(&plan, ConditionKind::Degraded), (true, "DeploymentLost"));
    assert_eq!(world.done, [ActionKind::Start]);
    world.ask(Verb::Replace { from: Some("s3://checkpoints/17".to_owned()) });
    world.until_idle();
    assert_eq!(world.active(), "blue-1-2/good-0", "the same member: to the document this is a restart");
}

/// The leftover cannot be settled without the active version, so nobody may wait for it to go first.
#[test]
fn an_active_version_that_is_lost_is_told_although_an_earlier_one_has_not_ended() {
    let mut world = watching("good-1");
    world.ask(Verb::Rollback { frontier: None });
    world.until("back", |world| world.active() == "blue-1/good-0" && !world.record.leftovers.is_empty());
    world.deployed.remove(&launch("blue-1"));
    world.ask(Verb::Retry);
    let plan = world.rounds(20);
    assert_eq!(condition(&plan, ConditionKind::Degraded), (true, "DeploymentLost"));
}

#[test]
fn a_lost_status_adopts_what_is_there() {
    let mut world = running();
    world.record = Record::default();
    world.want("good-1");
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
    assert_eq!(world.done.iter().filter(|kind| **kind == ActionKind::Start).count(), 2);
}

#[test]
fn the_store_of_an_earlier_resource_is_taken_up_from_a_state_that_a_person_names() {
    let mut world = running();
    world.deployed.clear();
    world.record = Record::default();
    world.done.clear();
    let plan = world.rounds(20);
    assert_eq!(condition(&plan, ConditionKind::Degraded), (true, "DeploymentLost"));
    assert_eq!(world.done, [], "nothing is started from a guess");
    world.ask(Verb::Replace { from: Some("s3://checkpoints/17".to_owned()) });
    world.until_idle();
    assert_eq!(world.active(), "blue-1-2/good-0");
}
