//! What two jobs share: the log that both read, the store, and the sink in which committed records are visible.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_agent::Rollout;
use tidegate_protocol::document::{Document, HandOver, Outcome, Past, Settings};
use tidegate_protocol::identity::{Attempt, Color, Member, Origin};
use tidegate_protocol::report::Report;
use tidegate_protocol::request::Request;
use tidegate_protocol::time::{EventTime, When};

pub(crate) const ROLLOUT: &str = "orders";
pub(crate) const BLUE: Member = Member::new(Color::Blue, 1);
pub(crate) const GREEN: Member = Member::new(Color::Green, 1);
/// The log's partitions, shared out over the subtasks.
pub(crate) const PARTITIONS: usize = 6;
/// Event time goes ten times as fast as wall-clock time: a record per millisecond, each ten milliseconds after the one before.
const STEP: i64 = 10;
const BEGIN: i64 = 1_767_225_600_000;
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// A boundary so far ahead that what a test does before it is done by then, on a slow machine too: five seconds.
pub(crate) const AHEAD: When = When::In(50_000);

/// A folder with a store, a log, and a sink.
pub(crate) struct World {
    folder: TempDir,
    root: PathBuf,
    url: String,
    /// For looks and questions, as a person's tool has it; jobs have their own.
    desk: OnceLock<Rollout>,
    started: Instant,
    ends: Mutex<Option<usize>>,
    sink: Mutex<Vec<(usize, Member)>>,
}

/// Settings under which a cutover takes a fraction of a second.
pub(crate) fn quick() -> Settings {
    Settings { control_path_ms: 300, ..Settings::default() }
}

/// The event time of a record: ascending, but for a little disorder.
pub(crate) fn time(record: usize) -> i64 {
    BEGIN + STEP * record as i64 - STEP * (record * 7 % 5) as i64
}

/// No record after this one in its partition is below it.
pub(crate) fn watermark(record: usize) -> EventTime {
    EventTime::from_millis(BEGIN + STEP * record as i64)
}

/// Polls until `look` finds something; the last resort against a hang is a panic that says what was waited for.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl World {
    /// A store whose document is created by the first member.
    pub(crate) fn new() -> Arc<World> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("store");
        std::fs::create_dir(&root).expect("the store's folder");
        World::build(folder, root)
    }

    /// A store in a folder of the test's own.
    pub(crate) fn at(root: PathBuf) -> Arc<World> {
        World::build(tempfile::tempdir().expect("a temporary folder"), root)
    }

    /// Another kind of store.
    pub(crate) fn on(url: String) -> Arc<World> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("no store");
        World::build_on(folder, root, url)
    }

    fn build(folder: TempDir, root: PathBuf) -> Arc<World> {
        let url = format!("directory://{}", root.display());
        World::build_on(folder, root, url)
    }

    fn build_on(folder: TempDir, root: PathBuf, url: String) -> Arc<World> {
        let (started, desk) = (Instant::now(), OnceLock::new());
        let (ends, sink) = (Mutex::new(None), Mutex::new(Vec::new()));
        Arc::new(World { folder, root, url, desk, started, ends, sink })
    }

    /// A store in which blue owns everything, under these settings.
    pub(crate) async fn with(settings: Settings) -> Arc<World> {
        let world = World::new();
        world.begin(settings).await;
        world
    }

    /// Makes blue the owner of everything, under these settings.
    pub(crate) async fn begin(&self, settings: Settings) {
        let document = Document::first(ROLLOUT, BLUE, Origin::Fresh, settings);
        self.desk().write_document(None, &document).await.expect("written");
    }

    /// The store's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// The store's URL.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// A file of the rollout.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root().join(ROLLOUT).join(name)
    }

    /// Takes the store away, or brings it back.
    pub(crate) fn move_store(&self, there: bool) {
        let (root, away) = (self.root(), self.folder.path().join("away"));
        let (from, to) = if there { (away, root) } else { (root, away) };
        std::fs::rename(from, to).expect("renamed");
    }

    /// The rollout, as a person's tool sees it.
    pub(crate) fn rollout(&self) -> Rollout {
        Rollout::open(&self.url(), ROLLOUT).expect("the store is there")
    }

    fn desk(&self) -> &Rollout {
        self.desk.get_or_init(|| self.rollout())
    }

    /// How many records the log has now.
    pub(crate) fn produced(&self) -> usize {
        let ends = *self.ends.lock().expect("no panic");
        ends.unwrap_or_else(|| usize::try_from(self.started.elapsed().as_millis()).expect("a short test"))
    }

    /// Ends the log.
    pub(crate) fn end(&self) {
        let produced = self.produced();
        self.ends.lock().expect("no panic").get_or_insert(produced);
    }

    /// Makes records visible downstream.
    pub(crate) fn commit(&self, records: &[usize], by: Member) {
        self.sink.lock().expect("no panic").extend(records.iter().map(|record| (*record, by)));
    }

    /// How many records are visible.
    pub(crate) fn visible(&self) -> usize {
        self.sink.lock().expect("no panic").len()
    }

    /// The records of a member that are visible.
    pub(crate) fn visible_of(&self, member: Member) -> Vec<usize> {
        self.sink
            .lock()
            .expect("no panic")
            .iter()
            .filter(|(_, by)| *by == member)
            .map(|(record, _)| *record)
            .collect()
    }

    /// Waits until more of a member's records become visible.
    pub(crate) async fn goes_on(&self, member: Member) {
        let before = self.visible_of(member).len();
        until(&format!("output of {member}"), async || {
            (self.visible_of(member).len() > before + 50).then_some(())
        })
        .await;
    }

    /// Ends the log, waits until as many records are visible as it has, and checks that each is there once.
    pub(crate) async fn is_exact(&self) {
        self.end();
        let expected = self.produced();
        until("all records", async || (self.visible() >= expected).then_some(())).await;
        let mut times = BTreeMap::new();
        for (record, _) in &*self.sink.lock().expect("no panic") {
            *times.entry(*record).or_insert(0) += 1;
        }
        let wrong: Vec<_> = (0..expected)
            .map(|record| (record, times.get(&record).copied().unwrap_or(0)))
            .filter(|(_, n)| *n != 1)
            .collect();
        assert!(wrong.is_empty(), "of {expected} records these are not visible once: {wrong:?}");
    }

    /// Nothing of `from` is at or above the boundary, and nothing of `to` below it.
    pub(crate) fn is_cut(&self, past: &Past) {
        let (from, to) = (self.visible_of(past.from), self.visible_of(past.terms.to));
        let at = past.terms.at.as_millis();
        assert!(from.iter().all(|record| time(*record) < at), "{} wrote beyond {at}", past.from);
        assert!(
            to.iter().all(|record| time(*record) >= at) && !to.is_empty(),
            "{} wrote before {at}, or nothing",
            past.terms.to
        );
    }

    /// Waits until the store can be read again.
    pub(crate) async fn is_back(&self) {
        until("the store being back", async || self.desk().document().await.ok()).await;
    }

    /// The document, which is there.
    pub(crate) async fn document(&self) -> Document {
        self.desk().document().await.expect("readable").expect("there").0
    }

    /// A member's report.
    pub(crate) async fn report(&self, member: Member) -> Option<Report> {
        self.desk().report(member).await.expect("readable").map(|(report, _)| report)
    }

    /// Waits until a report says so.
    pub(crate) async fn reports(&self, member: Member, what: &str, says: impl Fn(&Report) -> bool) -> Report {
        until(&format!("{member}: {what}"), async || self.report(member).await.filter(|report| says(report)))
            .await
    }

    /// Waits until a member follows the document with all its subtasks, and until it and the active member have told of event
    /// time, without which no boundary can be chosen.
    pub(crate) async fn is_ready(&self, member: Member) -> Report {
        let seen = |report: &Report| report.highest(|gate| gate.watermark_high).finite().is_some();
        let active = self.document().await.active().member;
        self.reports(active, "has told of event time", seen).await;
        self.reports(member, "is ready", |report| {
            report.is_complete() && report.epoch.is_some() && seen(report)
        })
        .await
    }

    /// Waits until the document says so.
    pub(crate) async fn says(&self, what: &str, says: impl Fn(&Document) -> bool) -> Document {
        until(what, async || Some(self.document().await).filter(|document| says(document))).await
    }

    /// Asks, and returns what the document answers.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Attempt, String> {
        let id = self.desk().ask(request).await.expect("written");
        let answered =
            |document: &Document| document.answered.as_ref().is_some_and(|answer| answer.request == id);
        let document = self.says("an answer", answered).await;
        let answer = document.answered.expect("there");
        match answer.refusal {
            Some((code, _)) => Err(code),
            None => Ok(answer.attempt.expect("an attempt")),
        }
    }

    /// Asks for a cutover.
    pub(crate) async fn promote(
        &self,
        to: Member,
        at: When,
        hand_over: Option<HandOver>,
    ) -> Result<Attempt, String> {
        self.ask(&Request::Promote { at, to: Some(to), hand_over }).await
    }

    /// Waits for the end of an attempt, or of the higher one that took its place.
    pub(crate) async fn ended(&self, attempt: Attempt) -> Past {
        let ended =
            |document: &Document| document.history.iter().find(|past| past.terms.attempt >= attempt).cloned();
        until("the end of the cutover", async || ended(&self.document().await)).await
    }

    /// A whole cutover.
    pub(crate) async fn cut_over(&self, to: Member, hand_over: HandOver) -> Past {
        let attempt = self.promote(to, When::Now, Some(hand_over)).await.expect("taken up");
        let past = self.ended(attempt).await;
        assert_eq!(past.outcome, Outcome::Done, "{past:?}");
        past
    }
}
