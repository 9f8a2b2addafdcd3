//! `tidegate verify` against a real broker: what was aborted is not there, what is open is not waited for in vain.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use tidegate_integration_tests::kafka::KafkaBroker;
use tidegate_integration_tests::{Scratch, binary};

const DEADLINE: Duration = Duration::from_secs(30);
/// Blue owns the times below 10, green the others.
const BLUE: &str = "{\"k\":1,\"t\":1}\n{\"k\":2,\"t\":2}\n{\"k\":3,\"t\":30}\n";
const GREEN: &str =
    "{\"k\":1,\"t\":1,\"mean\":1}\n{\"k\":2,\"t\":2,\"mean\":2}\n{\"k\":3,\"t\":30,\"mean\":1.5}\n";

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_committed_counts_and_an_open_transaction_is_told() -> Result<()> {
    Scratch::new("verify")?
        .run(async |folder| {
            let (kafka, binary) = tokio::try_join!(KafkaBroker::start(folder), binary::tidegate())?;
            kafka.create_topic("rows", 3, &[]).await?;
            std::fs::write(folder.join("blue.jsonl"), BLUE)?;
            std::fs::write(folder.join("green.jsonl"), GREEN)?;
            let verify = Verify { binary, servers: kafka.bootstrap_servers(), folder };
            let writer = Writer::new(&kafka)?;

            ensure!(verify.counts("30")? == (false, [3, 0, 0, 0]), "an empty topic has lost everything");
            writer.transaction(&[(0, r#"{"k":1,"t":1}"#), (1, r#"{"t":2,"k":2}"#)], true)?;
            writer.transaction(&[(2, r#"{"k":3,"t":30,"mean":7}"#)], false)?;
            ensure!(verify.counts("30")? == (false, [1, 0, 0, 0]), "an aborted row is no row");

            writer.begin(&[(2, r#"{"k":3,"t":30,"mean":1.50}"#)])?;
            let (success, told) = verify.run("1")?;
            ensure!(!success && told.contains("a transaction is open since offset 2"), "{told}");
            writer.producer.commit_transaction(DEADLINE)?;
            ensure!(verify.counts("30")? == (true, [0, 0, 0, 0]), "every row is there once");

            writer.transaction(&[(0, r#"{"k":1,"t":1,"mean":1}"#), (1, r#"{"k":4,"t":1}"#)], true)?;
            ensure!(
                verify.counts("30")? == (false, [0, 1, 0, 1]),
                "green's row is a second one, k=4 is nobody's"
            );
            Ok(())
        })
        .await
}

struct Verify<'a> {
    binary: PathBuf,
    servers: String,
    folder: &'a Path,
}

impl Verify<'_> {
    /// Whether it succeeded, and lost, duplicated, wrong, unexpected.
    fn counts(&self, deadline_s: &str) -> Result<(bool, [u64; 4])> {
        let (success, told) = self.run(deadline_s)?;
        let report: Value = serde_json::from_str(&told).with_context(|| told.clone())?;
        let count = |name: &str| report[name].as_u64().with_context(|| format!("no {name} in {told}"));
        Ok((success, [count("lost")?, count("duplicated")?, count("wrong")?, count("unexpected")?]))
    }

    fn run(&self, deadline_s: &str) -> Result<(bool, String)> {
        let file = |color: &str| format!("{color}={}", self.folder.join(format!("{color}.jsonl")).display());
        let output = std::process::Command::new(&self.binary)
            .args(["verify", "--output", "json", "--bootstrap-servers", &self.servers, "--topic", "rows"])
            .args([
                "--expected",
                &file("blue"),
                "--expected",
                &file("green"),
                "--owner",
                "blue",
                "--owner",
                "green@10",
            ])
            .args(["--key", "k", "--time-field", "t", "--deadline-s", deadline_s])
            .output()?;
        let told = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&told).into_owned()))
    }
}

struct Writer {
    producer: BaseProducer,
}

impl Writer {
    fn new(kafka: &KafkaBroker) -> Result<Self> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka.bootstrap_servers())
            .set("transactional.id", "writer")
            .create()?;
        producer.init_transactions(DEADLINE)?;
        Ok(Self { producer })
    }

    fn begin(&self, rows: &[(i32, &str)]) -> Result<()> {
        self.producer.begin_transaction()?;
        for (partition, row) in rows {
            let record = BaseRecord::<str, str>::to("rows").partition(*partition).payload(*row);
            self.producer.send(record).map_err(|(error, _)| anyhow!(error))?;
        }
        Ok(self.producer.flush(DEADLINE)?)
    }

    fn transaction(&self, rows: &[(i32, &str)], commit: bool) -> Result<()> {
        self.begin(rows)?;
        if commit {
            self.producer.commit_transaction(DEADLINE)?;
        } else {
            self.producer.abort_transaction(DEADLINE)?;
        }
        Ok(())
    }
}
