//! Who may speak for a member.

use std::time::{Duration, Instant};

use tidegate_protocol::conductor::SILENT_MS;
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::Incarnation;

use crate::cutover::blue_and_green;
use crate::job::world::{BLUE, GREEN, World, quick, until};
use crate::job::{Job, Spec};

fn another(spec: &Spec) -> Spec {
    Spec { job: "another-job".to_owned(), ..spec.clone() }
}

#[tokio::test]
async fn a_second_job_of_a_color_is_told_to_fail_and_stays_closed() {
    let world = World::with(quick()).await;
    let first = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let orders = first.orders();
    let second = Job::start(&world, another(&first.spec), None);
    second.logs("ColorTaken: job job-of-blue-1 speaks for blue-1 already").await;
    world.goes_on(BLUE).await;
    assert!(second.failed().is_some_and(|message| message.starts_with("ColorTaken: ")));
    assert_eq!((first.failed(), second.orders(), first.orders()), (None, 0, orders));
    let report = world.report(BLUE).await.unwrap();
    assert_eq!(
        (report.job.as_str(), report.incarnation, report.trouble.len()),
        ("job-of-blue-1", Incarnation(1), 0)
    );
    world.is_exact().await;
}

#[tokio::test]
async fn the_slot_of_a_silent_job_may_be_claimed_by_a_job_with_its_state_only() {
    let world = World::with(quick()).await;
    let (_blue, green) = blue_and_green(&world).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    let spec = another(&green.spec);
    let last = green.kill().await;
    let killed = Instant::now();
    let wrong = Job::start(&world, spec.clone(), None);
    wrong.logs("WrongState: green-1 owns a part of event time").await;
    assert!(killed.elapsed() >= Duration::from_millis(SILENT_MS - 2_000), "{:?}", killed.elapsed());
    assert_eq!((wrong.orders(), world.report(GREEN).await.unwrap().incarnation), (0, Incarnation(1)));
    wrong.kill().await;
    let _right = Job::start(&world, spec, last.as_ref());
    world.goes_on(GREEN).await;
    world.is_exact().await;
}

/// An outage of the store is no silence: everybody was away.
#[tokio::test]
async fn an_outage_takes_no_member_s_slot_away() {
    let world = World::with(quick()).await;
    let first = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let second = Job::start(&world, another(&first.spec), None);
    second.logs("ColorTaken").await;
    world.move_store(false);
    let begin = Instant::now();
    let long = Duration::from_millis(SILENT_MS + 500);
    until("a long outage", async || (begin.elapsed() > long).then_some(())).await;
    world.move_store(true);
    second.logs("StoreMissing is over").await;
    first.logs("StoreMissing is over").await;
    let before = world.report(BLUE).await.unwrap().written;
    let report = world.reports(BLUE, "tells again", |report| report.written > before).await;
    assert_eq!((report.job.as_str(), report.incarnation), ("job-of-blue-1", Incarnation(1)));
    assert_eq!(second.orders(), 0);
    world.is_exact().await;
}

#[tokio::test]
async fn an_older_life_of_a_job_closes_its_gates() {
    let world = World::with(quick()).await;
    let older = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let newer = Job::start(&world, older.spec.clone(), Some(&older.snapshot().await));
    older.logs("Superseded: a newer incarnation speaks for blue-1").await;
    let before = world.report(BLUE).await.unwrap();
    assert_eq!(before.incarnation, Incarnation(2));
    let after = world.reports(BLUE, "tells on", |report| report.written > before.written).await;
    assert_eq!((after.incarnation, after.instance), (before.incarnation, before.instance));
    assert!(!newer.logged("Superseded"));
    older.kill().await;
    world.goes_on(BLUE).await;
}

#[tokio::test]
async fn a_report_that_was_removed_or_put_back_is_written_again() {
    let world = World::with(quick()).await;
    let _blue = Job::start(&world, Spec::new(BLUE, 2), None);
    let first = world.is_ready(BLUE).await;
    let file = world.file("reports/blue-1.json");
    let old = std::fs::read(&file).unwrap();
    let newer = |report: &tidegate_protocol::report::Report| {
        report.written > first.written && report.instance == first.instance
    };
    std::fs::remove_file(&file).unwrap();
    world.reports(BLUE, "is there again", newer).await;
    std::fs::write(&file, old).unwrap();
    world.reports(BLUE, "is the newest again", newer).await;
    world.is_exact().await;
}

#[tokio::test]
async fn a_slot_that_another_life_has_claimed_under_the_same_number_is_lost() {
    let world = World::with(quick()).await;
    let blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.is_ready(BLUE).await;
    // As after the removal of the slot, when another job was quicker to claim it.
    until("a claim", async || {
        let (report, version) = world.rollout().report(BLUE).await.unwrap().unwrap();
        let other = tidegate_protocol::report::Report { instance: "other".to_owned(), ..report };
        world.rollout().write_report(Some(&version), &other).await.ok()
    })
    .await;
    blue.logs("Superseded").await;
    assert_eq!(world.report(BLUE).await.unwrap().instance, "other");
}
