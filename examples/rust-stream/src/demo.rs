//! A broker, two versions of the job, a handover; and each of the two is killed once. Then every row is compared with the truth.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use tidegate_integration_tests::command::{Command, member};
use tidegate_integration_tests::kafka::{KafkaBroker, LiveReader, Producer};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, Scratch, binary, wait_until};
use tokio::task::JoinHandle;

use crate::job::{BILLS, DISORDER_MS, INPUT, PARTITIONS, ROLLOUT, STATE, STATES};
use crate::order::{Order, Version};

const DEADLINE: Duration = Duration::from_secs(60);
/// 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;
/// Event time from one order to the next.
const STEP_MS: i64 = 10;
/// So many orders come with each tick: event time goes twenty times as fast as the clock.
const ORDERS: i64 = 40;
const TICK: Duration = Duration::from_millis(20);
/// How many more rows are seen before the next thing is done.
const ROWS: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The command; built from the sources when not given
    #[arg(long, value_name = "FILE")]
    tidegate: Option<PathBuf>,
}

/// All that runs.
struct Stage<'a> {
    folder: &'a Path,
    kafka: KafkaBroker,
    store: String,
    tidegate: Command,
    bills: LiveReader,
}

/// Orders that come steadily, and a little out of order, until it is stopped.
struct Feed {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<i64>>,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let told = Scratch::new("rust-stream")?.run(async |folder| handover(arguments, folder).await).await?;
    println!("{told}");
    Ok(())
}

async fn handover(arguments: &Arguments, folder: &Path) -> Result<Value> {
    let mut stage = Stage::start(arguments, folder).await?;
    let feed = Feed::start(stage.kafka.producer()?);
    let blue = stage.job("blue-1", "v1")?;
    stage.more_rows().await?;
    eprintln!("blue writes bills by version 1; now it is killed, and started again");
    blue.kill()?;
    let mut blue = stage.job("blue-1", "v1")?;
    stage.more_rows().await?;
    let green = stage.job("green-1", "v2")?;
    stage.tidegate.wait_role("green-1", "standby").await?;
    stage.tidegate.wait_status("both tell of event time", both_tell_of_event_time).await?;
    eprintln!("green runs beside it, from blue's last state, in standby: its bills are discarded");
    let promoted = stage.tidegate.done(&["promote", "--at", "now"]).await?;
    let boundary = promoted["boundary"].as_i64().with_context(|| format!("no boundary: {promoted}"))?;
    eprintln!("the output changed hands at {boundary}, in event time");
    stage.more_rows().await?;
    green.kill()?;
    eprintln!("green was killed, and is started again");
    let mut green = stage.job("green-1", "v2")?;
    stage.more_rows().await?;
    let orders = feed.end().await?;
    stage.rows(usize::try_from(orders)?).await?;
    for job in [&mut blue, &mut green] {
        job.terminate()?;
        ended(job).await?;
    }
    stage.verify(orders, boundary).await
}

/// Without it no boundary can be chosen.
fn both_tell_of_event_time(status: &Value) -> bool {
    ["blue-1", "green-1"].iter().all(|name| member(status, name)["gates"][0]["watermark"].is_i64())
}

async fn ended(job: &mut Process) -> Result<()> {
    let status = wait_until("the job has ended", DEADLINE, async || {
        let ended = job.ended()?;
        Ok(ended.map_or_else(|| Observed::NotYet("it runs".into()), Observed::Reached))
    })
    .await?;
    ensure!(status.success(), "a job ended with {status}");
    Ok(())
}

impl<'a> Stage<'a> {
    async fn start(arguments: &Arguments, folder: &'a Path) -> Result<Stage<'a>> {
        let tidegate = match &arguments.tidegate {
            Some(path) => path.clone(),
            None => binary::tidegate().await?,
        };
        let kafka = KafkaBroker::start(folder).await?;
        for (topic, partitions) in [(INPUT, PARTITIONS), (BILLS, PARTITIONS), (STATE, STATES)] {
            kafka.create_topic(topic, partitions, &[("retention.ms", "-1")]).await?;
        }
        let root = folder.join("store");
        std::fs::create_dir(&root)?;
        let store = format!("directory://{}", root.display());
        let tidegate = Command::new(&tidegate, &store, ROLLOUT);
        let bills = LiveReader::start(&kafka.bootstrap_servers(), BILLS)?;
        Ok(Stage { folder, kafka, store, tidegate, bills })
    }

    /// A version of the job, as a process of its own.
    fn job(&self, member: &str, version: &str) -> Result<Process> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(["job", "--member", member, "--version", version, "--store", &self.store]);
        command.args(["--bootstrap-servers", &self.kafka.bootstrap_servers()]);
        Process::start(member, command, &self.folder.join(format!("{member}.log")))
    }

    /// Waits until so many rows can be read by those who read what is committed.
    async fn rows(&mut self, wanted: usize) -> Result<()> {
        let bills = &mut self.bills;
        wait_until("the rows are there", DEADLINE, async || {
            let rows = bills.look(<[_]>::len)?;
            Ok(Observed::when(rows >= wanted, (), || format!("{rows} of {wanted}")))
        })
        .await
    }

    async fn more_rows(&mut self) -> Result<()> {
        let there = self.bills.look(<[_]>::len)?;
        self.rows(there + ROWS).await
    }

    /// An independent reader compares each row with what each version writes of all orders.
    async fn verify(&self, orders: i64, boundary: i64) -> Result<Value> {
        for (name, version) in [("v1", Version::V1), ("v2", Version::V2)] {
            let rows: Vec<_> = (0..orders).map(|id| version.bill(&order(id))).collect();
            std::fs::write(self.folder.join(name), rows.join("\n"))?;
        }
        let truth = |color: &str, name: &str| format!("{color}={}", self.folder.join(name).display());
        let (v1, v2, servers) = (truth("blue", "v1"), truth("green", "v2"), self.kafka.bootstrap_servers());
        let since = format!("green@{boundary}");
        let mut line = vec!["verify", "--bootstrap-servers", &servers, "--topic", BILLS];
        line.extend(["--expected", &v1, "--expected", &v2, "--owner", "blue", "--owner", &since]);
        line.extend(["--key", "id", "--time-field", "at"]);
        let told = self.tidegate.verb(&line).await?;
        let both =
            ["blue", "green"].iter().all(|color| told.json["colors"][color]["found"].as_u64() > Some(0));
        if told.exit != 0 || !both {
            bail!("{told}");
        }
        Ok(told.json)
    }
}

impl Feed {
    fn start(producer: Producer) -> Feed {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut id, mut ticks) = (0, tokio::time::interval(TICK));
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                for _ in 0..ORDERS {
                    let order = serde_json::to_vec(&order(id))?;
                    let partition = i32::try_from(id.rem_euclid(PARTITIONS.into()))?;
                    producer.send(INPUT, partition, id.to_string().as_bytes(), &order)?;
                    id += 1;
                }
            }
            producer.flush(DEADLINE)?;
            Ok(id)
        });
        Feed { stop, task }
    }

    /// How many orders there were.
    async fn end(self) -> Result<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

fn order(id: i64) -> Order {
    let behind = id * 7 % (DISORDER_MS / STEP_MS / 2) * STEP_MS;
    Order { id, at: BEGIN + id * STEP_MS - behind, cents: 100 + id * 37 % 9_900 }
}
