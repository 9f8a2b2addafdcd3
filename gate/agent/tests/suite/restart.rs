//! Jobs that fail and start again in the middle of a cutover.

use std::sync::Arc;

use tidegate_protocol::document::{Cutover, Document, Outcome, Settings};
use tidegate_protocol::identity::Incarnation;
use tidegate_protocol::time::When;

use crate::cutover::blue_and_green;
use crate::job::Job;
use crate::job::world::{AHEAD, BLUE, GREEN, World, quick};

fn proposed(document: &Document) -> bool {
    matches!(document.cutover, Some(Cutover::Proposed { .. }))
}

fn committed(document: &Document) -> bool {
    matches!(document.cutover, Some(Cutover::Committed { .. }))
}

/// A cutover that is committed, and whose boundary is still ahead.
async fn committed_ahead(world: &Arc<World>) -> (Job, Job) {
    let (blue, green) = blue_and_green(world).await;
    world.promote(GREEN, AHEAD, None).await.unwrap();
    world.says("committed", committed).await;
    (blue, green)
}

async fn ends_exactly(world: &World) {
    let document = world.says("the end of the cutover", |document| !document.history.is_empty()).await;
    let past = document.history.last().unwrap();
    assert_eq!(past.outcome, Outcome::Done, "{past:?}");
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(past);
}

#[tokio::test]
async fn both_jobs_restart_while_a_boundary_is_proposed() {
    let world = World::with(quick()).await;
    let (blue, green) = blue_and_green(&world).await;
    let green_left = (green.spec.clone(), green.kill().await);
    world.promote(GREEN, When::Now, None).await.unwrap();
    world.says("proposed", proposed).await;
    world.reports(BLUE, "holds", |report| report.gates.values().any(|gate| gate.held > 0)).await;
    blue.snapshot().await;
    let blue = blue.restart(&world).await;
    world.reports(BLUE, "a new incarnation", |report| report.incarnation == Incarnation(2)).await;
    let (spec, last) = green_left;
    let _green = Job::start(&world, spec, last.as_ref());
    ends_exactly(&world).await;
    assert!(blue.orders() > 0);
}

#[tokio::test]
async fn the_old_job_restarts_while_a_cutover_is_committed() {
    let world = World::with(quick()).await;
    let (blue, _green) = committed_ahead(&world).await;
    let _blue = blue.restart(&world).await;
    ends_exactly(&world).await;
}

#[tokio::test]
async fn the_new_job_restarts_while_a_cutover_is_committed() {
    let world = World::with(quick()).await;
    let (blue, green) = committed_ahead(&world).await;
    // Nothing is finished without blue, so green holds what is to be its own.
    let (spec, last) = (blue.spec.clone(), blue.kill().await);
    world.reports(GREEN, "holds", |report| report.gates.values().any(|gate| gate.held > 0)).await;
    green.snapshot().await;
    let _green = green.restart(&world).await;
    let _blue = Job::start(&world, spec, last.as_ref());
    assert_eq!(
        world.reports(GREEN, "a new incarnation", |report| report.incarnation.0 == 2).await.job,
        "job-of-green-1"
    );
    ends_exactly(&world).await;
}

#[tokio::test]
async fn both_jobs_restart_while_a_cutover_is_committed() {
    let world = World::with(quick()).await;
    let (blue, green) = committed_ahead(&world).await;
    let (blue_spec, green_spec) = (blue.spec.clone(), green.spec.clone());
    let (blue, green) = (blue.kill().await, green.kill().await);
    let _green = Job::start(&world, green_spec, green.as_ref());
    let _blue = Job::start(&world, blue_spec, blue.as_ref());
    ends_exactly(&world).await;
}

#[tokio::test]
async fn tasks_that_fail_over_get_their_order_from_the_agent_s_memory() {
    let world = World::with(quick()).await;
    let (blue, green) = committed_ahead(&world).await;
    world.move_store(false);
    let (of_blue, of_green) = (blue.orders(), green.orders());
    blue.fail_over().await;
    green.fail_over().await;
    crate::job::world::until("orders", async || {
        (blue.orders() >= of_blue + 2 && green.orders() >= of_green + 3).then_some(())
    })
    .await;
    world.goes_on(BLUE).await;
    world.move_store(true);
    ends_exactly(&world).await;
}

#[tokio::test]
async fn tasks_that_fail_over_while_a_boundary_is_proposed_are_asked_again() {
    let world = World::with(quick()).await;
    let (blue, green) = blue_and_green(&world).await;
    let attempt = world.promote(GREEN, When::Now, None).await.unwrap();
    blue.fail_over().await;
    green.fail_over().await;
    world.ended(attempt).await;
    ends_exactly(&world).await;
}

/// P28: the input of the old version ends while it hands over. Its last round tells what is committed by then and finishes.
#[tokio::test]
async fn the_old_job_ends_while_a_cutover_is_committed() {
    let world = World::with(quick()).await;
    let (blue, _green) = committed_ahead(&world).await;
    world.end();
    blue.end().await;
    let document = world.document().await;
    assert_eq!((document.active().member, document.cutover), (GREEN, None), "{:?}", document.history);
    world.is_exact().await;
}

/// A proposal of a job that died is given up at its deadline by the one that was to take over, which goes on discarding.
#[tokio::test]
async fn the_old_job_dies_while_a_boundary_is_proposed() {
    let settings = Settings { propose_deadline_ms: 3_000, ..quick() };
    let world = World::with(settings).await;
    let (blue, green) = blue_and_green(&world).await;
    let left = (green.spec.clone(), green.kill().await);
    world.promote(GREEN, When::Now, None).await.unwrap();
    world.says("proposed", proposed).await;
    let killed = (blue.spec.clone(), blue.kill().await);
    let _green = Job::start(&world, left.0, left.1.as_ref());
    let document = world.says("given up", |document| !document.history.is_empty()).await;
    assert!(matches!(document.history[0].outcome, Outcome::Aborted { .. }), "{:?}", document.history);
    let _blue = Job::start(&world, killed.0, killed.1.as_ref());
    world.goes_on(BLUE).await;
    world.is_exact().await;
}
