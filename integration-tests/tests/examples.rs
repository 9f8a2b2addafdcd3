//! `examples/embedded-java` and `examples/manual-configmap`: the job of the one is handed over by the commands of the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::command::{Command, member};
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::kafka::{KafkaBroker, LiveReader, Producer};
use tidegate_integration_tests::rest::{Job, RunRequest};
use tidegate_integration_tests::store::{Keeper, Kind, SharedStore};
use tidegate_integration_tests::{Observed, Scratch, binary, wait_until, workspace_root};
use tokio::task::JoinHandle;

const FLINK: &str = "1.20.3";
const ROLLOUT: &str = "bills";
const DEADLINE: Duration = Duration::from_secs(60);
const PAGE: &str = include_str!("../../examples/manual-configmap/README.md");
/// 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;
/// How many more rows are seen before the next thing is done.
const ROWS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_job_is_handed_over_by_the_commands_of_the_page() -> Result<()> {
    Scratch::new("examples")?
        .run(async |folder| {
            let settings = Settings::new(FLINK).task_managers(1, 4);
            let (binary, store, kafka, flink) = tokio::try_join!(
                binary::tidegate(),
                SharedStore::start(folder, Kind::ConfigMap, ROLLOUT),
                KafkaBroker::start(folder),
                FlinkCluster::start(folder, &settings)
            )?;
            for topic in ["orders", "bills"] {
                kafka.create_topic(topic, 2, &[("retention.ms", "-1")]).await?;
            }
            let jar =
                workspace_root().join(format!("examples/embedded-java/target/flink-{FLINK}/bills-job.jar"));
            ensure!(jar.is_file(), "{} is missing: build it with `make jars`", jar.display());
            let jar = flink.rest().upload(&jar).await?;
            let submit = async |color: &str, percent: &str, savepoint: Option<String>| -> Result<Job> {
                let option = |key: &str, value: &str| (format!("tidegate.{key}"), value.to_owned());
                let request = RunRequest {
                    arguments: vec![kafka.bootstrap_servers(), percent.to_owned()],
                    parallelism: Some(2),
                    configuration: vec![
                        option("store", store.url()),
                        option("rollout", ROLLOUT),
                        option("color", color),
                    ],
                    allow_non_restored_state: savepoint.is_some(),
                    savepoint,
                    entry_class: None,
                };
                let job = flink.rest().run(&jar, &request).await?;
                job.wait_running(DEADLINE).await?;
                Ok(job)
            };

            let tidegate = Command::new(&binary, store.people(), ROLLOUT);
            let mut bills = LiveReader::start(&kafka.bootstrap_servers(), "bills")?;
            let feed = Feed::start(kafka.producer()?);
            let blue = submit("blue", "7", None).await?;
            more(&mut bills).await?;
            let green = submit("green", "19", Some(blue.native_savepoint(DEADLINE).await?)).await?;
            tidegate.wait_role("green-1", "standby").await?;
            let both = |status: &Value| {
                ["blue-1", "green-1"]
                    .iter()
                    .all(|name| member(status, name)["gates"][0]["watermark"].is_i64())
            };
            tidegate.wait_status("both tell of event time", both).await?;
            by_hand(&store).await?;
            let status = tidegate
                .wait_status("blue may be stopped", |status| member(status, "blue-1")["retirable"] == true)
                .await?;
            blue.stop_with_savepoint(DEADLINE).await?;
            more(&mut bills).await?;
            let orders = feed.end().await?;
            reach(&mut bills, usize::try_from(orders)?).await?;
            green.stop_with_savepoint(DEADLINE).await?;
            let boundary = status["history"][0]["at"].as_i64().with_context(|| status.to_string())?;
            verify(&tidegate, &kafka, folder, orders, boundary).await
        })
        .await
}

/// Types the commands of the page.
async fn by_hand(store: &SharedStore) -> Result<()> {
    let Keeper::ApiServer(plane) = store.keeper() else { anyhow::bail!("the store is on no API server") };
    let (_, kubeconfig) = store.people().split_once("?kubeconfig=").context("no kubeconfig")?;
    let (place, _) = store.people().split_once("/bills").context("no namespace")?;
    let namespace = place.trim_start_matches("configmap://");
    let commands: Vec<_> = PAGE.lines().filter_map(|line| line.strip_prefix("$ kubectl ")).collect();
    ensure!(commands.len() == 3, "{commands:?}");
    for command in commands {
        let words = command.split(' ').map(|word| word.trim_matches('\''));
        let words: Vec<_> = words.map(|word| if word == "shop" { namespace } else { word }).collect();
        let told = plane.kubectl_with(kubeconfig.as_ref(), &words, "").await?;
        println!("$ kubectl {}\n{told}", words.join(" "));
    }
    Ok(())
}

async fn reach(bills: &mut LiveReader, wanted: usize) -> Result<()> {
    wait_until("the bills are there", DEADLINE, async || {
        let rows = bills.look(<[_]>::len)?;
        Ok(Observed::when(rows >= wanted, (), || format!("{rows} of {wanted}")))
    })
    .await
}

async fn more(bills: &mut LiveReader) -> Result<()> {
    let there = bills.look(<[_]>::len)?;
    reach(bills, there + ROWS).await
}

async fn verify(
    tidegate: &Command,
    kafka: &KafkaBroker,
    folder: &std::path::Path,
    orders: i64,
    boundary: i64,
) -> Result<()> {
    for (name, percent) in [("blue", 7), ("green", 19)] {
        let rows: Vec<_> = (0..orders).map(|id| bill(id, percent).to_string()).collect();
        std::fs::write(folder.join(name), rows.join("\n"))?;
    }
    let truth = |color: &str| format!("{color}={}", folder.join(color).display());
    let (blue, green, servers) = (truth("blue"), truth("green"), kafka.bootstrap_servers());
    let since = format!("green@{boundary}");
    let mut line = vec!["verify", "--bootstrap-servers", &servers, "--topic", "bills"];
    line.extend(["--expected", &blue, "--expected", &green, "--owner", "blue", "--owner", &since]);
    line.extend(["--key", "id", "--time-field", "at"]);
    let told = tidegate.verb(&line).await?;
    let found = |color: &str| told.json["colors"][color]["found"].as_u64() > Some(0);
    ensure!(told.exit == 0 && found("blue") && found("green"), "{told}");
    println!("{}", told.json);
    Ok(())
}

/// A little out of order.
fn at(id: i64) -> i64 {
    BEGIN + 10 * id - 10 * (id * 7 % 50)
}

fn cents(id: i64) -> i64 {
    100 + id * 37 % 9_900
}

fn bill(id: i64, percent: i64) -> Value {
    json!({"id": id, "at": at(id), "cents": cents(id), "tax": cents(id) * percent / 100})
}

/// Orders that come steadily until it is stopped.
struct Feed {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<i64>>,
}

impl Feed {
    fn start(producer: Producer) -> Feed {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut id, mut ticks) = (0, tokio::time::interval(Duration::from_millis(20)));
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                for _ in 0..20 {
                    let line = format!("{id},{},{}", at(id), cents(id));
                    producer.send("orders", i32::from(id % 2 == 1), b"", line.as_bytes())?;
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
