//! How long nothing comes out for a reader of committed records while one version takes over from another: by Tidegate, and by
//! Flink's own way, which stops the old version with a savepoint and then starts the new one from it. The same job on the same
//! cluster, small and with about 200 MB of state on the heap, in one run.
//!
//! The last line of standard output is one JSON object: the median silence of each way of Tidegate's by the median silence of
//! Flink's way. A ratio of 0.5 means half the silence.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use tidegate_integration_tests::command::{Command, member};
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::java::extended_jar;
use tidegate_integration_tests::kafka::{KafkaBroker, LiveReader, Producer};
use tidegate_integration_tests::rest::{Job, RunRequest};
use tidegate_integration_tests::store::{Kind, SharedStore};
use tidegate_integration_tests::{Observed, Scratch, binary, wait_until, workspace_root};

const VERSION: &str = "1.20.3";
const DEADLINE: Duration = Duration::from_secs(120);
const ROUNDS: usize = 3;
const RECORDS_PER_SECOND: f64 = 1000.0;
const CHECKPOINT_INTERVAL_MS: u64 = 1000;
/// How long each version has the output, to see how it is when nothing happens.
const REST: Duration = Duration::from_secs(5);
const INPUT: &str = "lines";
const OUTPUT: &str = "lines-out";
const ROLLOUT: &str = "ballast";

/// How much state the job has.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    keys: usize,
    bytes: usize,
}

const LOADS: [Load; 2] =
    [Load { name: "small", keys: 1000, bytes: 16 }, Load { name: "large", keys: 20_000, bytes: 10_000 }];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(Scratch::new("pause")?.run(all))?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn all(folder: &Path) -> Result<BTreeMap<String, f64>> {
    println!("the longest silence while a version takes over, {ROUNDS} times each, median and worst:");
    let mut figures = BTreeMap::new();
    for load in LOADS {
        let folder = folder.join(load.name);
        std::fs::create_dir(&folder)?;
        let mut bench = Bench::start(&folder, load).await?;
        let stopped = bench.by_stopping().await?;
        let ordered = bench.by_cutover("ordered").await?;
        let overlapped = bench.by_cutover("overlapped").await?;
        for (way, silences) in
            [("stop and start", &stopped), ("ordered", &ordered), ("overlapped", &overlapped)]
        {
            let worst = silences.iter().max().copied().unwrap_or_default();
            println!(
                "  {:5} {way:14} {:6} ms {:6} ms",
                load.name,
                median(silences).as_millis(),
                worst.as_millis()
            );
        }
        println!("  {:5} at rest        {:6} ms", load.name, median(&bench.at_rest).as_millis());
        for (way, silences) in [("ordered", ordered), ("overlapped", overlapped)] {
            let ratio = median(&silences).as_secs_f64() / median(&stopped).as_secs_f64();
            figures.insert(format!("pause_{}_{way}", load.name), (ratio * 1000.0).round() / 1000.0);
        }
    }
    Ok(figures)
}

/// A broker, a cluster, a stream that never ends, and the version that has the output.
struct Bench {
    load: Load,
    reader: LiveReader,
    lines: Lines,
    tidegate: Command,
    flink: FlinkCluster,
    jar: String,
    kafka: KafkaBroker,
    store: SharedStore,
    launches: usize,
    active: Job,
    at_rest: Vec<Duration>,
}

impl Bench {
    async fn start(folder: &Path, load: Load) -> Result<Self> {
        let settings = Settings::new(VERSION).task_managers(1, 6).java_flag("-Xmx1800m");
        let (binary, store, kafka, flink) = tokio::try_join!(
            binary::tidegate(),
            SharedStore::start(folder, Kind::Directory, ROLLOUT),
            KafkaBroker::start(folder),
            FlinkCluster::start(folder, &settings)
        )?;
        for topic in [INPUT, OUTPUT] {
            kafka.create_topic(topic, 2, &[]).await?;
        }
        let root = workspace_root();
        let base = root.join(format!("examples/flights/job/target/flink-{VERSION}/flights-job.jar"));
        ensure!(base.is_file(), "{} is missing: build it with `make jars`", base.display());
        let source = root.join("integration-tests/jobs/Ballast.java");
        let jar =
            flink.rest().upload(&extended_jar(folder, &base, &source, "Ballast", flink.libraries())?).await?;
        let reader = LiveReader::start(&kafka.bootstrap_servers(), OUTPUT)?;
        let tidegate = Command::new(&binary, store.people(), ROLLOUT);
        let lines = Lines::start(kafka.producer()?, load.keys);
        let request = request(&kafka, load, 0, "no", None);
        let active = flink.rest().run(&jar, &request).await?;
        active.wait_running(DEADLINE).await?;
        let at_rest = Vec::new();
        let mut bench =
            Self { load, reader, lines, tidegate, flink, jar, kafka, store, launches: 0, active, at_rest };
        let keys = load.keys;
        wait_until("all state is there", DEADLINE, async || {
            let rows = bench.reader.look(|records| records.len())?;
            Ok(Observed::when(rows > keys, (), || format!("{rows} rows")))
        })
        .await?;
        Ok(bench)
    }

    /// Flink's own way.
    async fn by_stopping(&mut self) -> Result<Vec<Duration>> {
        let mut silences = Vec::new();
        for _ in 0..ROUNDS {
            let since = self.rest().await?;
            let savepoint = self.active.stop_with_savepoint(DEADLINE).await?;
            self.active = self.submit(Some(savepoint), None).await?;
            silences.push(self.silence(since).await?);
        }
        Ok(silences)
    }

    /// The first time, the version without a gate is replaced by one that has the output from the start.
    async fn by_cutover(&mut self, hand_over: &str) -> Result<Vec<Duration>> {
        if self.launches == ROUNDS {
            let savepoint = self.active.stop_with_savepoint(DEADLINE).await?;
            self.active = self.submit(Some(savepoint), Some(MEMBERS[0])).await?;
            self.active.wait_running(DEADLINE).await?;
            self.tidegate.wait_role("blue-1", "active").await?;
        }
        let mut silences = Vec::new();
        for _ in 0..ROUNDS {
            let now = self.launches - ROUNDS - 1;
            let (old, new) = (MEMBERS[now], MEMBERS[now + 1]);
            let savepoint = self.active.native_savepoint(DEADLINE).await?;
            let next = self.submit(Some(savepoint), Some(new)).await?;
            next.wait_running(DEADLINE).await?;
            self.wait_level(&name(old), &name(new)).await?;
            let since = self.rest().await?;
            let promoted = self.tidegate.done(&["promote", "--at", "now", "--hand-over", hand_over]).await?;
            ensure!(promoted["outcome"] == "done", "{promoted}");
            silences.push(self.silence(since).await?);
            let may_retire = |status: &Value| member(status, &name(old))["retirable"] == true;
            self.tidegate.wait_status("the old version may be retired", may_retire).await?;
            std::mem::replace(&mut self.active, next).stop_with_savepoint(DEADLINE).await?;
        }
        Ok(silences)
    }

    async fn wait_level(&self, old: &str, new: &str) -> Result<()> {
        self.tidegate.wait_role(new, "standby").await?;
        let what = format!("{new} is as far as {old}");
        self.tidegate
            .wait_status(&what, |status| {
                let watermark = |name| member(status, name)["gates"][0]["watermark"].as_i64();
                watermark(new).zip(watermark(old)).is_some_and(|(new, old)| new >= old - 500)
            })
            .await
            .map(drop)
    }

    async fn submit(&mut self, savepoint: Option<String>, member: Option<(&str, u32)>) -> Result<Job> {
        self.launches += 1;
        let gate = if member.is_some() { "yes" } else { "no" };
        let mut request = request(&self.kafka, self.load, self.launches, gate, savepoint);
        if let Some((color, generation)) = member {
            request.configuration = [
                ("tidegate.store", self.store.url().to_owned()),
                ("tidegate.rollout", ROLLOUT.to_owned()),
                ("tidegate.color", color.to_owned()),
                ("tidegate.generation", generation.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value))
            .into();
        }
        self.flink.rest().run(&self.jar, &request).await
    }

    /// Lets the active version write for a while; returns the end of that.
    async fn rest(&mut self) -> Result<Instant> {
        self.lines.check()?;
        let began = Instant::now();
        let reader = &mut self.reader;
        wait_until("the output flows", DEADLINE, async || {
            let last = reader.look(|records| records.last().map(|record| record.arrived))?;
            let rested = last.is_some_and(|last| last > began + REST);
            Ok(Observed::when(rested, (), || format!("{last:?}")))
        })
        .await?;
        let end = Instant::now();
        let silence =
            self.reader.look(|records| longest(records.iter().map(|row| row.arrived), began, end))?;
        self.at_rest.push(silence);
        Ok(end)
    }

    /// The longest silence from then until the newest version is heard.
    async fn silence(&mut self, since: Instant) -> Result<Duration> {
        let label = format!("{},", self.launches);
        let reader = &mut self.reader;
        let heard = wait_until("the new version is heard", DEADLINE, async || {
            let heard = reader.look(|records| {
                let newest = records.iter().rev().take_while(|row| row.arrived > since);
                newest.filter(|row| row.value.starts_with(label.as_bytes())).last().map(|row| row.arrived)
            })?;
            Ok(heard.map_or_else(|| Observed::NotYet("only the old one is".into()), Observed::Reached))
        })
        .await?;
        self.reader.look(|records| longest(records.iter().map(|row| row.arrived), since, heard))
    }
}

/// In the order of their launches.
const MEMBERS: [(&str, u32); 7] =
    [("blue", 1), ("green", 1), ("blue", 2), ("green", 2), ("blue", 3), ("green", 3), ("blue", 4)];

fn name((color, generation): (&str, u32)) -> String {
    format!("{color}-{generation}")
}

fn request(
    kafka: &KafkaBroker,
    load: Load,
    version: usize,
    gate: &str,
    savepoint: Option<String>,
) -> RunRequest {
    let arguments = [
        ("--bootstrap-servers", kafka.bootstrap_servers()),
        ("--input", INPUT.to_owned()),
        ("--output", OUTPUT.to_owned()),
        ("--version", version.to_string()),
        ("--bytes", load.bytes.to_string()),
        ("--checkpoint-interval", CHECKPOINT_INTERVAL_MS.to_string()),
        ("--gate", gate.to_owned()),
    ];
    RunRequest {
        arguments: arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect(),
        parallelism: Some(2),
        allow_non_restored_state: savepoint.is_some(),
        savepoint,
        ..RunRequest::default()
    }
}

/// The longest time without an arrival in the interval, its ends included.
fn longest(arrivals: impl Iterator<Item = Instant>, from: Instant, to: Instant) -> Duration {
    let mut last = from;
    let mut longest = Duration::ZERO;
    for arrival in arrivals.filter(|arrival| (from..=to).contains(arrival)).chain([to]) {
        longest = longest.max(arrival - last);
        last = arrival;
    }
    longest
}

fn median(durations: &[Duration]) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Lines `key,now` at an even pace: at first each key once, as fast as may be.
struct Lines {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Lines {
    fn start(producer: Producer, keys: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = stop.clone();
        let thread = std::thread::spawn(move || write(&producer, keys, &theirs));
        Self { stop, thread: Some(thread) }
    }

    /// Fails when it has ended.
    fn check(&mut self) -> Result<()> {
        match self.thread.take_if(|thread| thread.is_finished()) {
            None => Ok(()),
            Some(thread) => {
                thread.join().map_err(|_| anyhow!("the stream has panicked"))?.context("the stream")
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its outcome was asked for before each round.
            let _ = thread.join();
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of lines")]
fn write(producer: &Producer, keys: usize, stop: &AtomicBool) -> Result<()> {
    let began = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = keys + (began.elapsed().as_secs_f64() * RECORDS_PER_SECOND) as usize;
        while sent < due {
            let key = sent % keys;
            let line = format!("{key},{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis());
            producer.send(INPUT, i32::from(key.is_multiple_of(2)), b"", line.as_bytes())?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
