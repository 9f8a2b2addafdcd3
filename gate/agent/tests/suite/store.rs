//! A store that is away, read-only, full, or counted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_agent::Rollout;
use tidegate_protocol::document::{Cutover, HandOver, Outcome};
use tidegate_protocol::identity::Member;
use tidegate_protocol::time::WallTime;
use tidegate_store::Object;

use crate::cutover::blue_and_green;
use crate::job::world::{AHEAD, BLUE, GREEN, World, quick, until};
use crate::job::{Job, Spec};
use crate::mount::Mount;
use crate::tapped::{Tap, tapped};

const BOTH: [Member; 2] = [BLUE, GREEN];

#[tokio::test]
async fn a_store_that_goes_away_in_the_middle_of_a_committed_cutover_stops_nothing() {
    let world = World::with(quick()).await;
    let (blue, green) = blue_and_green(&world).await;
    let attempt = world.promote(GREEN, AHEAD, None).await.unwrap();
    world.says("committed", |document| matches!(document.cutover, Some(Cutover::Committed { .. }))).await;
    world.move_store(false);
    blue.logs("StoreMissing").await;
    green.logs("StoreMissing").await;
    world.goes_on(BLUE).await;
    world.move_store(true);
    green.logs("StoreMissing is over").await;
    let past = world.ended(attempt).await;
    assert_eq!(past.outcome, Outcome::Done);
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn a_store_that_goes_away_while_a_boundary_is_proposed_only_delays_it() {
    let world = World::with(quick()).await;
    let (blue, green) = blue_and_green(&world).await;
    let spec = green.spec.clone();
    let last = green.kill().await;
    let attempt = world.promote(GREEN, AHEAD, None).await.unwrap();
    world.move_store(false);
    blue.logs("StoreMissing").await;
    world.goes_on(BLUE).await;
    world.move_store(true);
    let _green = Job::start(&world, spec, last.as_ref());
    let past = world.ended(attempt).await;
    assert_eq!(past.outcome, Outcome::Done);
    world.goes_on(GREEN).await;
    world.is_exact().await;
    world.is_cut(&past);
}

#[tokio::test]
async fn a_store_that_becomes_read_only_stops_nothing() {
    let mount = Mount::new("1m");
    let world = World::at(mount.root());
    let (blue, _green) = blue_and_green(&world).await;
    mount.run("mount -o remount,ro /mnt");
    blue.logs("StoreReadOnly").await;
    world.goes_on(BLUE).await;
    mount.run("mount -o remount,rw /mnt");
    blue.logs("StoreReadOnly is over").await;
    world.cut_over(GREEN, HandOver::Overlapped).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
}

#[tokio::test]
async fn a_store_that_is_read_only_at_the_start_keeps_the_gates_closed_and_says_so() {
    let mount = Mount::new("1m");
    mount.run("mount -o remount,ro /mnt");
    let world = World::at(mount.root());
    let blue = Job::start(&world, Spec::new(BLUE, 2), None);
    blue.logs("StoreReadOnly").await;
    assert_eq!((blue.orders(), world.visible()), (0, 0));
    mount.run("mount -o remount,rw /mnt");
    world.goes_on(BLUE).await;
    world.is_exact().await;
}

#[tokio::test]
async fn a_store_that_is_full_stops_nothing() {
    let mount = Mount::new("256k");
    let world = World::at(mount.root());
    let (blue, _green) = blue_and_green(&world).await;
    mount.run("dd if=/dev/zero of=/mnt/filler bs=4k 2>/dev/null; true");
    blue.logs("StoreFull").await;
    world.goes_on(BLUE).await;
    mount.run("rm /mnt/filler");
    blue.logs("StoreFull is over").await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
}

/// Counts writes, and remembers the largest.
#[derive(Debug, Default)]
struct Counted {
    writes: AtomicU64,
    largest: AtomicUsize,
}

#[async_trait::async_trait]
impl Tap for Counted {
    async fn writes(&self, _object: &Object, bytes: &[u8]) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.largest.fetch_max(bytes.len(), Ordering::Relaxed);
    }
}

/// Checks that a job which has nothing but its life to tell writes about once a second.
async fn is_quiet(parallelism: u32) {
    let world = World::with(quick()).await;
    let counted = Arc::new(Counted::default());
    let writes = || counted.writes.load(Ordering::Relaxed);
    let _blue = Job::start_on(&world, Spec::new(BLUE, parallelism), None, tapped(&world, &counted));
    world.is_ready(BLUE).await;
    world.goes_on(BLUE).await;
    let (before, begin) = (writes(), Instant::now());
    until("three seconds", async || (begin.elapsed() >= Duration::from_secs(3)).then_some(())).await;
    let (written, seconds) = (writes() - before, begin.elapsed().as_secs());
    let told = format!("{written} writes in {seconds} s with {parallelism} subtasks");
    assert!((1..=seconds + 1).contains(&written), "{told}");
}

#[tokio::test]
async fn writes_do_not_grow_with_subtasks() {
    tokio::join!(is_quiet(1), is_quiet(6));
}

/// A ConfigMap holds 1 MiB, and so does a node of ZooKeeper. While orders are on their way the reports tell who is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_stays_small_with_many_subtasks() {
    let world = World::with(quick()).await;
    let counted = Arc::new(Counted::default());
    let many = |member| Spec { order_lag: Duration::from_millis(100), ..Spec::large(member, 200) };
    let blue = Job::start_on(&world, many(BLUE), None, tapped(&world, &counted));
    world.goes_on(BLUE).await;
    let from = blue.snapshot().await;
    let _green = Job::start_on(&world, many(GREEN), Some(&from), tapped(&world, &counted));
    world.is_ready(GREEN).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
    let largest = counted.largest.load(Ordering::Relaxed);
    println!("the largest value of 2 x 200 subtasks: {largest} bytes");
    assert!((500..=16 * 1024).contains(&largest), "{largest} bytes");
}

/// Aborts the cutover at the worst moment: everybody has acknowledged, and the conductor has read document and reports already.
#[derive(Debug)]
struct Aborting {
    rollout: Rollout,
    conducts: bool,
    /// Whose acknowledgement this agent has read.
    heard: Mutex<BTreeSet<Member>>,
}

impl Aborting {
    fn new(world: &World, conducts: bool) -> Arc<Self> {
        Arc::new(Self { rollout: world.rollout(), conducts, heard: Mutex::default() })
    }

    async fn acknowledges(&self, member: Member) -> Option<bool> {
        let (document, _) = self.rollout.document().await.ok()??;
        let Some(Cutover::Proposed { terms, .. }) = &document.cutover else { return None };
        let (report, _) = self.rollout.report(member).await.ok()??;
        Some(report.acknowledges(terms.attempt))
    }

    async fn abort(&self) -> Option<()> {
        let (document, version) = self.rollout.document().await.ok()??;
        let aborted = document.abort("Asked", "asked for", WallTime::default()).ok()?;
        self.rollout.write_document(Some(&version), &aborted).await.ok().map(|_| ())
    }
}

#[async_trait::async_trait]
impl Tap for Aborting {
    async fn read(&self, object: &Object) {
        let Object::Report(slot) = object else { return };
        let Some(member) = BOTH.into_iter().find(|member| member.to_string() == slot.as_str()) else {
            return;
        };
        if self.conducts && self.acknowledges(member).await == Some(true) {
            let all = {
                let mut heard = self.heard.lock().unwrap();
                heard.insert(member);
                heard.len() == BOTH.len()
            };
            if all {
                self.abort().await;
            }
        }
    }

    /// Another one conducts only when the conductor is silent for long, and must not be ahead of this test.
    async fn writes(&self, object: &Object, _bytes: &[u8]) {
        if !self.conducts && matches!(object, Object::Document) {
            self.abort().await;
        }
    }
}

/// P19: what was decided on a document that is not there any more is not written.
#[tokio::test]
async fn a_decision_on_a_document_that_has_changed_since_is_not_written() {
    let world = World::with(quick()).await;
    let conductor = Aborting::new(&world, true);
    let blue = Job::start_on(&world, Spec::new(BLUE, 2), None, tapped(&world, &conductor));
    world.goes_on(BLUE).await;
    let from = blue.snapshot().await;
    let other = Aborting::new(&world, false);
    let _green = Job::start_on(&world, Spec::new(GREEN, 3), Some(&from), tapped(&world, &other));
    world.is_ready(GREEN).await;
    let attempt = world.promote(GREEN, AHEAD, None).await.unwrap();
    world.ended(attempt).await;
    world.goes_on(BLUE).await;
    // It stays so; and it is for this reason, not for another one.
    let past = world.ended(attempt).await;
    assert!(matches!(&past.outcome, Outcome::Aborted { code, .. } if code == "Asked"), "{past:?}");
    world.is_exact().await;
}
