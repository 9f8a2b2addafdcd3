//! Cutovers, forth and back, and what ends one early.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tidegate_integration_tests::process::Process;
use tidegate_protocol::document::{Cutover, HandOver, Outcome, Settings};
use tidegate_protocol::identity::Origin;
use tidegate_protocol::report::Report;
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{EventTime, When};

use crate::job::world::{AHEAD, BLUE, GREEN, World, quick, time};
use crate::job::{Job, Spec};

/// Blue with two subtasks, and green with three, started from a snapshot of blue.
pub(crate) async fn blue_and_green(world: &std::sync::Arc<World>) -> (Job, Job) {
    let blue = Job::start(world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let green = Job::start(world, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    (blue, green)
}

/// Waits until both members, who could not use the store for a while, say that they can: until then one counts as gone, or as
/// closed.
pub(crate) async fn both_are_well_again(world: &World) {
    world.is_back().await;
    let back = tidegate_agent::now();
    for member in [BLUE, GREEN] {
        let well = |report: &Report| report.written >= back && report.trouble.is_empty();
        world.reports(member, "is well again", well).await;
    }
}

/// A cutover during which the store's server stands still for a while: blue goes on, and green takes over after it.
pub(crate) async fn is_made_over_a_freeze(world: &World, server: Option<&mut Process>) -> Result<()> {
    let server = server.context("the server runs")?;
    let attempt = world.promote(GREEN, AHEAD, None).await.map_err(anyhow::Error::msg)?;
    server.freeze()?;
    world.goes_on(BLUE).await;
    server.thaw()?;
    world.is_back().await;
    let past = world.ended(attempt).await;
    assert_eq!(past.outcome, Outcome::Done, "{past:?}");
    world.goes_on(GREEN).await;
    world.is_exact().await;
    Ok(())
}

#[tokio::test]
async fn an_ordered_cutover_is_exact() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let past = world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn an_overlapped_cutover_is_exact() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let past = world.cut_over(GREEN, HandOver::Overlapped).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn the_first_member_creates_the_document_and_a_standby_does_not() {
    let world = World::new();
    let (_blue, _green) = blue_and_green(&world).await;
    let document = world.document().await;
    assert_eq!(
        (document.epoch.0, document.active().member, document.settings),
        (1, BLUE, Settings::default())
    );
    world.is_exact().await;
    assert!(world.visible_of(GREEN).is_empty());
}

/// P27: a request that was left behind from before does not fire when the rollout is created anew.
#[tokio::test]
async fn a_request_older_than_the_document_never_fires() {
    let world = World::new();
    let request = Request::Promote { at: When::Now, to: None, hand_over: None };
    let id = world.rollout().ask(&request).await.unwrap();
    let (_blue, _green) = blue_and_green(&world).await;
    let document = world.document().await;
    let answer = document.answered.unwrap();
    assert_eq!((answer.request, answer.refusal.unwrap().0), (id, "Stale".to_owned()));
    assert_eq!((document.epoch.0, document.cutover), (1, None));
}

#[tokio::test]
async fn a_reverse_cutover_is_exact_and_settles_until_the_first_owner_may_be_stopped() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.cut_over(BLUE, HandOver::Overlapped).await;
    let document =
        world.says("blue alone owns what is not settled", |document| document.owners.len() == 1).await;
    assert_eq!(document.active().member, BLUE);
    assert_eq!(document.settled, document.active().since);
    assert!(document.may_retire(GREEN) && !document.may_retire(BLUE));
    world.goes_on(BLUE).await;
    world.is_exact().await;
}

#[tokio::test]
async fn the_old_member_may_be_stopped_once_its_part_is_settled() {
    let world = World::with(quick()).await;
    let (blue, _green) = blue_and_green(&world).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.says("settled", |document| document.owners.len() == 1 && document.may_retire(BLUE)).await;
    blue.kill().await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
}

#[tokio::test]
async fn an_abort_after_the_commit_is_refused_and_changes_nothing() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    world.promote(GREEN, When::In(600_000), None).await.unwrap();
    world.says("committed", |document| matches!(document.cutover, Some(Cutover::Committed { .. }))).await;
    assert_eq!(world.ask(&Request::Abort { attempt: None }).await, Err("AlreadyCommitted".to_owned()));
    assert!(matches!(world.document().await.cutover, Some(Cutover::Committed { .. })));
    world.is_exact().await;
}

#[tokio::test]
async fn an_abort_before_the_commit_lets_go_of_what_was_held() {
    let world = World::with(quick()).await;
    let (_blue, green) = blue_and_green(&world).await;
    green.kill().await;
    let attempt = world.promote(GREEN, When::Now, None).await.unwrap();
    world.reports(BLUE, "holds", |report| report.gates.values().any(|gate| gate.held > 0)).await;
    let asked = world.ask(&Request::Abort { attempt: None }).await.unwrap();
    let past = world.ended(attempt).await;
    assert_eq!(past.terms.attempt, asked);
    assert!(matches!(past.outcome, Outcome::Aborted { code, .. } if code == "Asked"));
    world.is_exact().await;
    assert!(world.visible_of(GREEN).is_empty());
}

#[tokio::test]
async fn a_member_that_dies_before_the_commit_is_not_waited_for_beyond_the_deadline() {
    let world = World::with(Settings { propose_deadline_ms: 700, ..quick() }).await;
    let (_blue, green) = blue_and_green(&world).await;
    green.kill().await;
    let attempt = world.promote(GREEN, When::Now, None).await.unwrap();
    let past = world.ended(attempt).await;
    let Outcome::Aborted { code, message } = past.outcome else { panic!("{past:?}") };
    assert_eq!(code, "DeadlinePassed");
    assert!(message.contains("green-1, gate orders, subtask 0"), "{message}");
    world.goes_on(BLUE).await;
    world.is_exact().await;
}

#[tokio::test]
async fn a_boundary_that_was_passed_is_tried_again_higher() {
    let world = World::with(Settings { control_path_ms: 50, ..quick() }).await;
    let slow = Spec { order_lag: Duration::from_millis(200), ..Spec::new(BLUE, 2) };
    let blue = Job::start(&world, slow, None);
    world.goes_on(BLUE).await;
    let _green = Job::start(&world, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    let past = world.cut_over(GREEN, HandOver::Ordered).await;
    assert!(past.terms.attempt.0 > 1, "{past:?}");
    assert!(blue.logged("proposed a higher boundary"));
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn requests_that_cannot_be_met_are_refused_and_change_nothing() {
    let world = World::with(quick()).await;
    let blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let orders = blue.orders();
    let now = |to| Request::Promote { at: When::Now, to, hand_over: None };
    assert_eq!(world.ask(&now(None)).await, Err("NoStandby".to_owned()));
    assert_eq!(world.ask(&now(Some(BLUE))).await, Err("AlreadyActive".to_owned()));
    assert_eq!(world.ask(&now(Some(GREEN))).await, Err("MemberNotAlive".to_owned()));
    assert_eq!(world.ask(&Request::Abort { attempt: None }).await, Err("NothingToAbort".to_owned()));

    let fresh = Job::start(&world, Spec::new(GREEN, 3), None);
    world.is_ready(GREEN).await;
    assert_eq!(world.ask(&now(None)).await, Err("StandbyWithoutSnapshot".to_owned()));
    fresh.kill().await;
    let _green = Job::start(&world, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    world
        .reports(GREEN, "comes from a snapshot", |report| matches!(report.origin, Some(Origin::Snapshot(_))))
        .await;
    let past = EventTime::from_millis(time(1));
    assert_eq!(world.promote(GREEN, When::At(past), None).await, Err("BoundaryInPast".to_owned()));
    let document = world.document().await;
    assert_eq!((document.cutover, document.history.len()), (None, 0));
    assert!(blue.orders() > orders, "each answer is an epoch");
    world.is_exact().await;
    assert!(world.visible_of(GREEN).is_empty());
}

#[tokio::test]
async fn a_standby_that_starts_at_the_beginning_needs_no_snapshot() {
    let world = World::with(quick()).await;
    let _blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let _green = Job::start(&world, Spec { from_beginning: true, ..Spec::new(GREEN, 3) }, None);
    world.is_ready(GREEN).await;
    let past = world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn a_boundary_that_a_person_names_is_met() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let at = EventTime::from_millis(time(world.produced() + 4_000));
    let attempt = world.promote(GREEN, When::At(at), None).await.unwrap();
    let past = world.ended(attempt).await;
    assert_eq!((past.terms.at, &past.outcome), (at, &Outcome::Done));
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}
