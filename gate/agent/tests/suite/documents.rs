//! A document that is not as the agents left it: gates keep their orders, the trouble is told, and it ends with the cause.

use std::sync::Arc;

use tidegate_agent::Agent;
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::{Color, Member};

use crate::cutover::blue_and_green;
use crate::job::world::{BLUE, GREEN, World, quick};
use crate::job::{Job, Spec};

/// Changes the document's bytes, sees the trouble, restores them, and sees that everything goes on.
async fn survives(world: &Arc<World>, damage: impl Fn(&str) -> Option<String>, code: &str) {
    let (blue, green) = blue_and_green(world).await;
    let file = world.file("document.json");
    let good = std::fs::read_to_string(&file).unwrap();
    match damage(&good) {
        Some(bad) => std::fs::write(&file, bad).unwrap(),
        None => std::fs::remove_file(&file).unwrap(),
    }
    let (of_blue, of_green) = (blue.orders(), green.orders());
    for member in [BLUE, GREEN] {
        let told = world
            .reports(member, code, |report| report.trouble.iter().any(|trouble| trouble.code == code))
            .await;
        assert_eq!(told.trouble.len(), 1, "{:?}", told.trouble);
    }
    blue.logs(code).await;
    world.goes_on(BLUE).await;
    assert_eq!((blue.orders(), green.orders()), (of_blue, of_green), "an order was given");
    std::fs::write(&file, good).unwrap();
    blue.logs(&format!("{code} is over")).await;
    world.reports(GREEN, "is well", |report| report.trouble.is_empty()).await;
    let past = world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn a_damaged_document_is_not_followed() {
    survives(&World::with(quick()).await, |good| Some(good[..good.len() / 2].to_owned()), "DocumentDamaged")
        .await;
}

#[tokio::test]
async fn an_empty_document_is_not_followed() {
    survives(&World::with(quick()).await, |_| Some(String::new()), "DocumentDamaged").await;
}

#[tokio::test]
async fn a_document_of_an_unknown_version_is_not_followed() {
    let newer = |good: &str| Some(good.replacen("\"version\": 1", "\"version\": 2", 1));
    survives(&World::with(quick()).await, newer, "DocumentVersion").await;
}

#[tokio::test]
async fn a_document_that_was_deleted_is_not_created_again() {
    survives(&World::with(quick()).await, |_| None, "DocumentMissing").await;
}

#[tokio::test]
async fn a_document_of_another_rollout_is_not_followed() {
    let foreign = |good: &str| Some(good.replacen("\"orders\"", "\"payments\"", 1));
    survives(&World::with(quick()).await, foreign, "DocumentForeign").await;
}

/// A request is due, and would be refused: that alone would be a change.
#[tokio::test]
async fn nobody_conducts_by_a_document_of_another_rollout() {
    let world = World::with(quick()).await;
    let blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let file = world.file("document.json");
    let foreign = std::fs::read_to_string(&file).unwrap().replacen("\"orders\"", "\"payments\"", 1);
    std::fs::write(&file, &foreign).unwrap();
    blue.logs("DocumentForeign").await;
    std::fs::write(world.file("request"), "abort: true\n").unwrap();
    let before = world.report(BLUE).await.unwrap().written;
    world.reports(BLUE, "two more rounds", |report| report.written.since(before) > 1_500).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), foreign);
    world.is_exact().await;
}

#[tokio::test]
async fn an_older_document_that_was_put_back_is_not_followed() {
    let world = World::with(quick()).await;
    let (blue, green) = blue_and_green(&world).await;
    let file = world.file("document.json");
    let old = std::fs::read(&file).unwrap();
    let past = world.cut_over(GREEN, HandOver::Ordered).await;
    let settled = world.says("settled", |document| document.owners.len() == 1).await;
    let both_follow = |report: &tidegate_protocol::report::Report| report.epoch == Some(settled.epoch);
    world.reports(GREEN, "follows", both_follow).await;
    world.reports(BLUE, "follows", both_follow).await;
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, old).unwrap();
    blue.logs("DocumentOlder").await;
    green.logs("DocumentOlder: the document has epoch 1").await;
    world.goes_on(GREEN).await;
    assert_eq!(world.document().await.epoch.0, 1, "the old one was built upon");
    std::fs::write(&file, good).unwrap();
    green.logs("DocumentOlder is over").await;
    world.is_exact().await;
    world.is_cut(&past);
}

/// A generation that is new has followed nothing, so it goes by what the others tell.
#[tokio::test]
async fn a_new_generation_does_not_follow_a_document_that_was_put_back() {
    let world = World::with(quick()).await;
    let (blue, _green) = blue_and_green(&world).await;
    let file = world.file("document.json");
    let old = std::fs::read(&file).unwrap();
    let left = blue.snapshot().await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    let epoch = world.document().await.epoch;
    world.reports(GREEN, "follows", |report| report.epoch >= Some(epoch)).await;
    std::fs::write(&file, old).unwrap();
    let newcomer = Job::start(&world, Spec::new(Member::new(Color::Blue, 2), 2), Some(&left));
    newcomer.logs("DocumentOlder: the document has epoch 1").await;
    assert_eq!(newcomer.orders(), 0);
}

#[tokio::test]
async fn a_member_with_gate_state_creates_no_rollout() {
    let world = World::with(quick()).await;
    let (blue, _green) = blue_and_green(&world).await;
    let elsewhere = World::new();
    let lost = Job::start(&elsewhere, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    lost.logs("UnknownRollout").await;
    assert_eq!((elsewhere.rollout().document().await.unwrap(), lost.orders()), (None, 0));
    world.is_exact().await;
}

#[tokio::test]
async fn a_store_or_rollout_that_cannot_be_is_an_error_at_the_start() {
    let world = World::new();
    let mut config = Spec::new(BLUE, 1).agent(&world);
    let code = |config: &tidegate_agent::AgentConfig| Agent::open(config).map(|_| ()).unwrap_err().code();
    config.rollout = "No Such Name".to_owned();
    assert_eq!(code(&config), "StoreBadName");
    config.rollout = "orders".to_owned();
    config.store = "consul://nowhere".to_owned();
    assert_eq!(code(&config), "StoreNotAStore");
    config.store = format!("{}/missing", world.url());
    assert_eq!(code(&config), "StoreMissing");
}
