//! The harness itself: real parts start, answer, survive a kill -9, and leave no process behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tidegate_integration_tests::flink::{FlinkCluster, Settings, VERSIONS};
use tidegate_integration_tests::kafka::{KafkaBroker, LiveReader, read_committed};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, Scratch, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

fn gone(processes: &[u32]) -> bool {
    processes.iter().all(|id| !Path::new(&format!("/proc/{id}")).exists())
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_and_both_flink_versions_start_at_once_and_leave_nothing_behind() -> Result<()> {
    Scratch::new("harness")?
        .run(async |folder| {
            let settings = VERSIONS.map(|version| Settings::new(version).task_managers(1, 1));
            let (kafka, first, second) = tokio::try_join!(
                KafkaBroker::start(folder),
                FlinkCluster::start(folder, &settings[0]),
                FlinkCluster::start(folder, &settings[1]),
            )?;
            write_and_read(&kafka).await?;
            for cluster in [&first, &second] {
                ensure!(cluster.rest().task_managers().await?.len() == 1);
                let error =
                    cluster.rest().job("00000000000000000000000000000000").status().await.unwrap_err();
                let text = format!("{error:#}");
                ensure!(text.contains("GET http://127.0.0.1:") && text.contains("404"), "{text}");
            }
            let processes = [kafka.process_ids(), first.process_ids(), second.process_ids()].concat();
            ensure!(processes.len() == 5);
            drop((kafka, first, second));
            ensure!(gone(&processes), "some of {processes:?} are left");
            Ok(())
        })
        .await
}

async fn write_and_read(kafka: &KafkaBroker) -> Result<()> {
    kafka.create_topic("words", 3, &[("retention.ms", "-1")]).await?;
    let mut live = LiveReader::start(&kafka.bootstrap_servers(), "words")?;
    let producer = kafka.producer()?;
    for n in 0..300 {
        producer.send("words", n % 3, b"key", n.to_string().as_bytes())?;
    }
    producer.flush(DEADLINE)?;
    let records = read_committed(&kafka.bootstrap_servers(), "words", DEADLINE)?;
    ensure!(records.len() == 300, "{} records", records.len());
    for partition in 0..3 {
        let values: Vec<String> = records
            .iter()
            .filter(|record| record.partition == partition)
            .map(|record| String::from_utf8_lossy(&record.value).into_owned())
            .collect();
        let expected: Vec<String> = (partition..300).step_by(3).map(|n| n.to_string()).collect();
        ensure!(values == expected, "partition {partition} has another order");
    }
    wait_until("the live reader has 300 records", DEADLINE, async || {
        let count = live.look(<[_]>::len)?;
        Ok(Observed::when(count == 300, (), || format!("{count} records")))
    })
    .await?;
    ensure!(live.stop()?.len() == 300);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_and_a_killed_task_manager_come_back() -> Result<()> {
    Scratch::new("killed")?
        .run(async |folder| {
            let settings = Settings::new(VERSIONS[0]).task_managers(1, 1);
            let (mut kafka, mut flink) =
                tokio::try_join!(KafkaBroker::start(folder), FlinkCluster::start(folder, &settings))?;
            kafka.create_topic("kept", 1, &[]).await?;
            let producer = kafka.producer()?;
            producer.send("kept", 0, b"key", b"before")?;
            producer.flush(DEADLINE)?;

            kafka.kill()?;
            flink.kill_task_manager(0)?;
            ensure!(flink.kill_task_manager(0).is_err(), "it is dead already");
            flink.start_task_manager(0)?;
            kafka.restart().await?;
            flink.wait_ready().await?;
            flink.kill_job_manager()?;
            flink.start_job_manager()?;
            flink.wait_ready().await?;

            producer.send("kept", 0, b"key", b"after")?;
            producer.flush(DEADLINE)?;
            let records = read_committed(&kafka.bootstrap_servers(), "kept", DEADLINE)?;
            let values: Vec<&[u8]> = records.iter().map(|record| record.value.as_slice()).collect();
            ensure!(values == [b"before".as_slice(), b"after".as_slice()], "{values:?}");
            Ok(())
        })
        .await
}

/// A test process that is killed cannot clean up: the system does it. This very binary is started once more, as the
/// process that gets killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_test_process_started_dies_with_it() -> Result<()> {
    Scratch::new("orphans")?
        .run(async |folder| {
            let told = folder.join("child");
            let mut test = Command::new(std::env::current_exe()?);
            test.args(["--exact", "starts_a_child_and_hangs"]).env(CHILD_FILE, &told);
            let test = Process::start("the test process", test, &folder.join("test.log"))?;
            let child = wait_until("the child is started", DEADLINE, async || {
                let id = std::fs::read_to_string(&told).unwrap_or_default().parse::<u32>();
                Ok(Observed::or_not_yet(id.map(Observed::Reached).map_err(Into::into)))
            })
            .await?;
            ensure!(!gone(&[child]));
            test.kill()?;
            wait_until("the child is gone", DEADLINE, async || {
                Ok(Observed::when(gone(&[child]), (), || format!("process {child} lives")))
            })
            .await
        })
        .await
}

const CHILD_FILE: &str = "TIDEGATE_TEST_CHILD_FILE";

/// Does nothing, except in the process that `what_a_killed_test_process_started_dies_with_it` starts.
#[test]
fn starts_a_child_and_hangs() -> Result<()> {
    let Some(file) = std::env::var_os(CHILD_FILE) else { return Ok(()) };
    let mut sleep = Command::new("sleep");
    sleep.arg("1000");
    let child = Process::start("sleep", sleep, &Path::new(&file).with_extension("log"))?;
    std::fs::write(file, child.id().to_string())?;
    loop {
        std::thread::park();
    }
}
