//! How long it takes from an edit of what people write to, until every subtask of both jobs has the order that comes of it. Real
//! agents on real servers; the subtasks are those of the tests' small job, in this process, so an order has no way to go from an
//! agent to a task. The servers of ZooKeeper and etcd do not wait for the disk.
//!
//! The last line of standard output is one JSON object, in milliseconds.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/job/mod.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod job;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use job::world::{BLUE, GREEN, World, quick, until};
use job::{Job, Spec};
use tidegate_agent::Rollout;
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::store::{Kind, SharedStore};
use tidegate_protocol::document::Outcome;
use tidegate_protocol::identity::{Attempt, Epoch, Member};

const EDITS: usize = 20;
const PARALLELISMS: [u32; 2] = [2, 200];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(Scratch::new("control")?.run(all))?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn all(folder: &Path) -> Result<BTreeMap<String, f64>> {
    println!("from an edit to the order in every subtask of both jobs, {EDITS} edits:");
    let mut figures = BTreeMap::new();
    for kind in [Kind::Directory, Kind::ZooKeeper, Kind::ConfigMap] {
        for parallelism in PARALLELISMS {
            let folder = folder.join(format!("{kind}-{parallelism}"));
            std::fs::create_dir(&folder)?;
            let mut took = edits(&folder, kind, parallelism).await?;
            took.sort();
            let [median, worst] = [took[took.len() / 2], took[took.len() - 1]].map(milliseconds);
            println!(
                "  {kind:10} 2 x {parallelism:3} subtasks   median {median:6.1} ms   worst {worst:6.1} ms"
            );
            figures.insert(format!("{kind}_{parallelism}_median"), median);
            figures.insert(format!("{kind}_{parallelism}_worst"), worst);
        }
    }
    Ok(figures)
}

/// With one decimal.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e4).round() / 10.0
}

/// Cutovers there and back, each asked for once the one before is over and settled.
async fn edits(folder: &Path, kind: Kind, parallelism: u32) -> Result<Vec<Duration>> {
    let store = SharedStore::start(folder, kind, job::world::ROLLOUT).await?;
    let world = World::on(store.url().to_owned());
    world.begin(quick()).await;
    let blue = Job::start(&world, Spec::large(BLUE, parallelism), None);
    world.goes_on(BLUE).await;
    let green = Job::start(&world, Spec::large(GREEN, parallelism), Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    let person = Rollout::open(store.people(), job::world::ROLLOUT)?;
    person.document().await?;
    let mut took = Vec::new();
    for to in [GREEN, BLUE].into_iter().cycle().take(EDITS) {
        took.push(edit(&world, &person, [&blue, &green], to).await?);
    }
    world.is_exact().await;
    Ok(took)
}

async fn edit(world: &Arc<World>, person: &Rollout, jobs: [&Job; 2], to: Member) -> Result<Duration> {
    let calm = world.says("the last cutover is settled", |document| document.owners.len() == 1).await;
    ensure!(calm.cutover.is_none(), "{calm:?}");
    let next = Epoch(calm.epoch.0 + 1);
    let sheet = person.sheet().await?;
    let mut keys = sheet.keys.clone()?;
    let edited = [("promote", "now"), ("to", &to.to_string()), ("hand-over", "overlapped")];
    keys.extend(edited.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let began = Instant::now();
    person.write_sheet(&sheet, &keys).await?;
    let had = |job: &Job| job.ordered(next);
    let ordered = until("the order in every subtask", async || Some(had(jobs[0])?.max(had(jobs[1])?))).await;
    let answer = world.document().await.answered.context("no answer")?;
    ensure!(answer.refusal.is_none(), "{answer:?}");
    let last = calm.history.iter().map(|past| past.terms.attempt.0).max().unwrap_or(0);
    let past = world.ended(Attempt(last + 1)).await;
    ensure!(past.terms.to == to && past.outcome == Outcome::Done, "{past:?}");
    Ok(ordered - began)
}
