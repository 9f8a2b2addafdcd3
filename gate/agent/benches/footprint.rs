//! What two jobs ask of a store while they are quiet, how large what they write becomes over a cutover, and how much memory an agent
//! takes: with one subtask, and with many. Agents and servers are real; the subtasks are those of the tests' small job.
//!
//! The last line of standard output is one JSON object.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/job/mod.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod job;
#[path = "../tests/suite/tapped.rs"]
mod tapped;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use job::world::{BLUE, GREEN, ROLLOUT, World, quick, until};
use job::{GATE, Job, Spec};
use tapped::{Tap, tapped};
use tidegate_agent::{Agent, AgentConfig, Event, Evidence, Instruction, Rollout, Teller};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::store::{Kind, SharedStore};
use tidegate_protocol::document::HandOver;
use tidegate_protocol::subtask::Subtask;
use tidegate_store::Object;

const PARALLELISMS: [u32; 3] = [1, 16, 128];
const KINDS: [Kind; 3] = [Kind::Directory, Kind::ZooKeeper, Kind::ConfigMap];
const QUIET: Duration = Duration::from_secs(10);
/// So many agents on each store and for each size; a ZooKeeper server takes 60 connections of one host.
const AGENTS: usize = 15;

/// By name.
type Figures = BTreeMap<String, f64>;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(Scratch::new("footprint")?.run(all))?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn all(folder: &Path) -> Result<Figures> {
    let mut figures = Figures::new();
    println!("resident memory of an agent, its store's client included, the mean of {AGENTS}:");
    // Nothing is given back before the end: what was given back would be used again, and not be seen.
    let (mut stores, mut agents) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let folder = folder.join(format!("{kind}-memory"));
        std::fs::create_dir(&folder)?;
        stores.push(SharedStore::start(&folder, kind, ROLLOUT).await?);
        let store = &stores[stores.len() - 1];
        for parallelism in PARALLELISMS {
            let kib = memory(store, parallelism, &mut agents).await?;
            println!("  {kind:10} {parallelism:3} subtasks   {kib:6.0} KiB");
            figures.insert(format!("{kind}_{parallelism}_agent_kib"), kib.round());
        }
    }
    drop((agents, stores));
    println!("two quiet jobs, and a cutover between them:");
    for kind in KINDS {
        for parallelism in PARALLELISMS {
            let folder = folder.join(format!("{kind}-{parallelism}"));
            std::fs::create_dir(&folder)?;
            two_jobs(&folder, kind, parallelism, &mut figures).await?;
        }
    }
    Ok(figures)
}

/// What goes through the stores of two jobs.
#[derive(Debug, Default)]
struct Counted {
    reads: AtomicU64,
    writes: AtomicU64,
    document: AtomicUsize,
    report: AtomicUsize,
}

#[async_trait::async_trait]
impl Tap for Counted {
    async fn read(&self, _object: &Object) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn lists(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    async fn writes(&self, object: &Object, bytes: &[u8]) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let largest = match object {
            Object::Document => &self.document,
            Object::Report(_) => &self.report,
            Object::Request => return,
        };
        largest.fetch_max(bytes.len(), Ordering::Relaxed);
    }
}

async fn two_jobs(folder: &Path, kind: Kind, parallelism: u32, figures: &mut Figures) -> Result<()> {
    let store = SharedStore::start(folder, kind, ROLLOUT).await?;
    let world = World::on(store.url().to_owned());
    world.begin(quick()).await;
    let counted = Arc::new(Counted::default());
    let start = |member, from| {
        Job::start_on(&world, Spec::large(member, parallelism), from, tapped(&world, &counted))
    };
    let blue = start(BLUE, None);
    world.goes_on(BLUE).await;
    let _green = start(GREEN, Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    let so_far = || [&counted.reads, &counted.writes].map(|count| count.load(Ordering::Relaxed));
    let (begin, before) = (Instant::now(), so_far());
    until("the end of the quiet time", async || (begin.elapsed() >= QUIET).then_some(())).await;
    let (seconds, after) = (begin.elapsed().as_secs_f64(), so_far());
    let [reads, writes] = [0, 1].map(|index| (after[index] - before[index]) as f64 / seconds / 2.0);
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.is_exact().await;
    let [document, report] = [&counted.document, &counted.report].map(|size| size.load(Ordering::Relaxed));
    println!(
        "  {kind:10} 2 x {parallelism:3} subtasks   {reads:4.1} reads/s and {writes:4.1} writes/s of each job   \
         largest document {document:5} bytes   largest report {report:5} bytes"
    );
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    for (name, value) in [("reads", rounded(reads)), ("writes", rounded(writes))] {
        figures.insert(format!("{kind}_{parallelism}_{name}_per_second"), value);
    }
    for (name, value) in [("document", document), ("report", report)] {
        figures.insert(format!("{kind}_{parallelism}_{name}_bytes"), value as f64);
    }
    Ok(())
}

/// KiB for each of many agents, each with a rollout and a client of its own, when all their subtasks have had their order.
async fn memory(store: &SharedStore, parallelism: u32, agents: &mut Vec<Teller>) -> Result<f64> {
    // The first one pays for what all of them share.
    agents.push(agent(store, &format!("first-{parallelism}"), parallelism).await?);
    let before = resident()?;
    for index in 0..AGENTS {
        agents.push(agent(store, &format!("r{index}-{parallelism}"), parallelism).await?);
    }
    Ok((resident()? - before) / AGENTS as f64)
}

async fn agent(store: &SharedStore, rollout: &str, parallelism: u32) -> Result<Teller> {
    let url = store.url().replace(ROLLOUT, rollout);
    let config = format!(
        r#"{{"store":{url:?},"rollout":"{rollout}","color":"blue","generation":1,"job":"job","gates":["{GATE}"],"from_beginning":true}}"#
    );
    let config = AgentConfig::parse(config.as_bytes())?;
    let (mut agent, teller) = Agent::new(&config, Rollout::open(&url, rollout)?);
    let (gate, attempt) = (|| GATE.to_owned(), 0);
    teller.tell(Event::GateOpened { gate: gate(), parallelism, evidence: Evidence::Committer });
    teller.tell(Event::CommittersOpened { gate: gate(), parallelism });
    for subtask in 0..parallelism {
        let status =
            Subtask::<()>::new(BLUE, tidegate_protocol::subtask::Limits::default(), &[], Vec::new())?
                .status();
        teller.tell(Event::SubtaskReady { gate: gate(), subtask, attempt, parallelism });
        teller.tell(Event::SubtaskStatus { gate: gate(), subtask, attempt, status });
    }
    let (told, mut orders) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(instruction) = agent.next().await {
            if matches!(instruction, Instruction::Order { .. }) {
                let _ = told.send(()); // nobody counts any more
            }
        }
    });
    for _ in 0..parallelism {
        let order = tokio::time::timeout(Duration::from_secs(60), orders.recv()).await;
        order.ok().flatten().context("a subtask has had no order within 60 s")?;
    }
    Ok(teller)
}

/// The resident memory of this process, in KiB.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
