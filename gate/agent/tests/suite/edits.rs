//! People at work with an editor and a shell on the file `request`, beside real jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate_protocol::document::{Cutover, Document, Outcome, Settings};
use tidegate_protocol::identity::{Attempt, Member};
use tidegate_protocol::report::Report;
use tidegate_store::{Error, Object, Version};

use crate::cutover::blue_and_green;
use crate::job::world::{BLUE, GREEN, World, quick, until};
use crate::job::{Job, Spec};
use crate::tapped::{Tap, tapped};

/// What a shell's `echo … > request` does.
fn echo(world: &World, text: &str) {
    std::fs::write(world.file("request"), text).unwrap();
}

fn text(world: &World) -> String {
    std::fs::read_to_string(world.file("request")).unwrap_or_default()
}

/// Waits until the file says so; what it said then.
async fn shows(world: &World, part: &str) -> String {
    let looks = async || Some(text(world)).filter(|text| text.contains(part));
    until(&format!("{part:?} in the file"), looks).await
}

/// The output has changed hands, by one cutover of however many tries.
async fn has_it(world: &World, member: Member) -> Document {
    let what = format!("{member} has it");
    world.says(&what, |document| document.cutover.is_none() && document.active().member == member).await
}

fn refused(document: &Document, code: &str) -> bool {
    document.answered.as_ref().and_then(|answer| answer.refusal.as_ref()).is_some_and(|found| found.0 == code)
}

#[tokio::test]
async fn an_edit_is_taken_answered_and_told_and_the_same_edit_later_is_a_new_one() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let help = shows(&world, "blue-1 is active").await;
    assert!(help.starts_with("# promote: now, +30s,"), "{help}");
    echo(&world, "promote: now\n");
    has_it(&world, GREEN).await;
    let told = shows(&world, " is done. green-1 is active").await;
    assert!(!told.contains("\npromote") && told.contains("\ntaken: "), "{told}");
    world.says("settled", |document| document.owners.len() == 1).await;
    let edited = format!("{}promote: now\n", text(&world));
    echo(&world, &edited);
    has_it(&world, BLUE).await;
    shows(&world, " is done. blue-1 is active").await;
    world.says("settled", |document| document.owners.len() == 1).await;
    // An editor that was left open has an older copy, and saves it.
    let before = world.document().await;
    echo(&world, &edited);
    shows(&world, "OldCopy: this was saved from a copy that is older").await;
    let after = world.document().await;
    assert_eq!((after.attempts, after.cutover, after.answered), (before.attempts, None, before.answered));
    world.is_exact().await;
}

#[tokio::test]
async fn a_bad_edit_is_answered_in_the_file_and_changes_nothing() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    shows(&world, "blue-1 is active").await;
    let before = world.document().await;
    for (edit, answer) in [
        (
            "promot: now\n",
            "promot = \"now\" is not known; keys are promote, to, hand-over, abort, pause and id",
        ),
        ("promote: soon\n", "write now, +30s, an RFC 3339 time"),
        ("promote: now\nabort: true\n", "promote and abort are both set"),
        ("pause: ture\n", "pause = \"ture\" is neither true nor false"),
    ] {
        echo(&world, edit);
        let told = shows(&world, "RequestUnreadable: ").await;
        let keys = world.rollout().sheet().await.unwrap().keys.unwrap();
        assert!(keys["status"].contains(answer), "{told}");
        assert!(keys.keys().any(|key| edit.starts_with(key.as_str())), "it stays to be mended: {told}");
    }
    // No list of keys at all: the text stays as it was, with the answer above.
    let mistake = "promote now\n  to: [green-1\n";
    echo(&world, mistake);
    let told = shows(&world, "#! status: RequestUnreadable: ").await;
    assert!(told.ends_with(mistake), "{told}");
    assert_eq!(world.document().await, before);
    echo(&world, &told.replace("promote now\n  to: [green-1", "promote: now\nto: green-1"));
    has_it(&world, GREEN).await;
    world.goes_on(GREEN).await;
    // One that can be read, but not be met, is taken.
    echo(&world, "promote: 2001-01-01T00:00:00Z\nto: blue-1\n");
    world.says("refused", |document| refused(document, "BoundaryInPast")).await;
    shows(&world, "the last request was refused: BoundaryInPast: 2001-01-01T00:00:00Z is not above").await;
    world.is_exact().await;
}

#[tokio::test]
async fn a_pause_holds_cutovers_back_until_it_is_removed() {
    let world = World::with(Settings { propose_deadline_ms: 60_000, ..quick() }).await;
    let (_blue, green) = blue_and_green(&world).await;
    echo(&world, "promote: now\npause: true\n");
    world.says("refused", |document| refused(document, "Paused")).await;
    let told = shows(&world, "paused: nothing is proposed until the key pause is removed").await;
    assert!(told.contains("\npause: "), "Tidegate never clears it: {told}");
    // What is only proposed ends with a pause.
    echo(&world, "");
    let spec = green.spec.clone();
    let last = green.kill().await;
    echo(&world, "promote: +60s\nto: green-1\n");
    world.says("proposed", |document| matches!(document.cutover, Some(Cutover::Proposed { .. }))).await;
    assert!(world.rollout().pause(true).await.unwrap());
    let past = world.ended(Attempt(1)).await;
    assert!(matches!(&past.outcome, Outcome::Aborted { code, .. } if code == "Paused"), "{past:?}");
    assert!(world.rollout().pause(false).await.unwrap());
    let _green = Job::start(&world, spec, last.as_ref());
    let back = |report: &Report| report.incarnation.0 == 2 && report.is_complete() && report.origin.is_some();
    world.reports(GREEN, "is back", back).await;
    echo(&world, "promote: now\n");
    has_it(&world, GREEN).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
}

/// The write is there, and its author does not know.
#[derive(Debug)]
struct Silent {
    url: String,
}

#[async_trait::async_trait]
impl Tap for Silent {
    fn wrote(&self, object: &Object, version: Version) -> Result<Version, Error> {
        if *object != Object::Request {
            return Ok(version);
        }
        Err(Error::Ambiguous { store: self.url.clone(), object: Object::Request, cause: None })
    }
}

/// P30, for edits: nobody hears that the edit was taken, and yet it is answered once.
#[tokio::test]
async fn an_edit_whose_taking_was_never_confirmed_is_answered_once() {
    let world = World::with(quick()).await;
    let silent = Arc::new(Silent { url: world.url() });
    let blue = Job::start_on(&world, Spec::new(BLUE, 2), None, tapped(&world, &silent));
    world.goes_on(BLUE).await;
    let (spec, from) = (Spec::new(GREEN, 3), blue.snapshot().await);
    let _green = Job::start_on(&world, spec, Some(&from), tapped(&world, &silent));
    world.is_ready(GREEN).await;
    echo(&world, "promote: now\n");
    has_it(&world, GREEN).await;
    world.goes_on(GREEN).await;
    let settled = world.says("settled", |document| document.owners.len() == 1).await;
    let done = settled.history.iter().filter(|past| past.outcome == Outcome::Done).count();
    assert_eq!((done, settled.history.len()), (1, 1), "it was answered twice");
    world.is_exact().await;
}

/// Counts what is written for people.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

#[async_trait::async_trait]
impl Tap for Counted {
    async fn writes(&self, object: &Object, _bytes: &[u8]) {
        if *object == Object::Request {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// At rest nothing is written for people; while something is waited for, a sentence now and then.
#[tokio::test]
async fn sentences_are_written_when_something_happens_and_seldom_otherwise() {
    let world = World::with(Settings { propose_deadline_ms: 8_000, ..quick() }).await;
    let counted = Arc::new(Counted::default());
    let writes = || counted.0.load(Ordering::Relaxed);
    let blue = Job::start_on(&world, Spec::new(BLUE, 2), None, tapped(&world, &counted));
    world.goes_on(BLUE).await;
    let green = Job::start(&world, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    shows(&world, "blue-1 is active").await;
    let (first, begin) = (writes(), Instant::now());
    until("three seconds", async || (begin.elapsed() >= Duration::from_secs(3)).then_some(())).await;
    assert_eq!((first, writes()), (1, 1), "at rest");
    green.kill().await;
    echo(&world, "promote: +60s\nto: green-1\n");
    let past = world.ended(Attempt(1)).await;
    assert!(matches!(past.outcome, Outcome::Aborted { .. }), "{past:?}");
    shows(&world, "attempt 1 was aborted: DeadlinePassed").await;
    let written = writes() - first;
    // The taking, the proposal, one more while it is waited for, the end.
    assert!((3..=5).contains(&written), "{written} writes");
    world.is_exact().await;
}
