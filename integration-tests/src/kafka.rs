//! One Kafka broker (KRaft, its own controller) as a process, and what tests do with it.

mod producer;
mod reader;
mod slow_commits;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::MetadataTopic;

use crate::maven::Libraries;
use crate::ports::Reservation;
use crate::process::Process;
use crate::{Observed, wait_until};

pub use producer::Producer;
pub use reader::{LiveReader, Record, open_transactions, read_committed, stable_ends};

const READY_DEADLINE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CLUSTER_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// A running broker; dropping it kills it.
#[derive(Debug)]
pub struct KafkaBroker {
    folder: PathBuf,
    libraries: Libraries,
    port: u16,
    slow_port: u16,
    process: Option<Process>,
}

/// How long a transaction takes to end for those who come by [`KafkaBroker::slow_bootstrap_servers`].
pub const SLOW_COMMIT: Duration = Duration::from_secs(2);

impl KafkaBroker {
    /// Starts a broker below `folder` and waits until it answers.
    ///
    /// # Errors
    /// When the libraries cannot be had, the process ends, or it takes more than 60 s.
    pub async fn start(folder: &Path) -> Result<Self> {
        let libraries = Libraries::kafka().await?;
        let folder = folder.join("kafka");
        fs::create_dir_all(folder.join("log")).context("cannot create the broker's folder")?;
        let (port, controller, slow) = (Reservation::take()?, Reservation::take()?, Reservation::take()?);
        let slow_port = slow_commits::carry_slowly(slow.port(), SLOW_COMMIT).await?;
        let properties = folder.join("server.properties");
        let ports = Ports {
            clients: port.port(),
            controller: controller.port(),
            slow: slow.port(),
            told_slow: slow_port,
        };
        fs::write(&properties, server_properties(&folder, &ports))?;
        let mut broker = Self { folder, libraries, port: port.port(), slow_port, process: None };
        broker.format(&properties).await?;
        port.release();
        controller.release();
        slow.release();
        broker.restart().await?;
        Ok(broker)
    }

    /// For `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same for clients whose transactions take [`SLOW_COMMIT`] to end.
    #[must_use]
    pub fn slow_bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.slow_port)
    }

    /// The process ids of everything that runs.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.process.iter().map(Process::id).collect()
    }

    /// Creates a topic; `configuration` are topic configs such as `cleanup.policy`.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        configuration: &[(&str, &str)],
    ) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in configuration {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
        for created in admin.create_topics([&topic], &options).await.context("cannot create topics")? {
            created.map_err(|(topic, code)| anyhow!("cannot create topic {topic}: {code}"))?;
        }
        self.wait_topic(name, partitions).await
    }

    /// A broker that is busy tells others of a new topic some time after it has accepted it.
    async fn wait_topic(&self, name: &str, partitions: i32) -> Result<()> {
        wait_until(&format!("the broker knows the topic {name}"), READY_DEADLINE, async || {
            let (client, topic) = (self.client(), name.to_owned());
            let looked = tokio::task::spawn_blocking(move || -> Result<usize> {
                let consumer: BaseConsumer = client.create()?;
                let metadata = consumer.fetch_metadata(Some(&topic), REQUEST_TIMEOUT)?;
                let led = |topic: &MetadataTopic| {
                    topic.partitions().iter().filter(|partition| partition.leader() >= 0).count()
                };
                Ok(metadata.topics().iter().map(led).sum())
            })
            .await?;
            let known = looked.map(|known| {
                Observed::when(known == partitions as usize, (), || format!("{known} partitions"))
            });
            Ok(Observed::or_not_yet(known))
        })
        .await
    }

    /// Deletes topics with all that is in them.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn delete_topics(&self, names: &[&str]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT));
        for deleted in admin.delete_topics(names, &options).await.context("cannot delete topics")? {
            deleted.map_err(|(topic, code)| anyhow!("cannot delete topic {topic}: {code}"))?;
        }
        Ok(())
    }

    /// A producer that keeps the order of its records.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn producer(&self) -> Result<Producer> {
        Producer::new(&self.bootstrap_servers())
    }

    /// The broker's process, to freeze it.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// kill -9.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the broker does not run")?.kill()?;
        Ok(())
    }

    /// Starts the broker on the data and port that it had, and waits until it answers.
    ///
    /// # Errors
    /// When it runs already, ends, or it takes more than 60 s.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the broker runs already");
        }
        let mut java = self.java(&["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg("kafka.Kafka").arg(self.folder.join("server.properties"));
        self.process = Some(Process::start("the Kafka broker", java, &self.folder.join("log/broker.log"))?);
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let client = self.client();
        wait_until("the Kafka broker answers", READY_DEADLINE, async || {
            if let Some(process) = &mut self.process {
                process.check_alive()?;
            }
            let client = client.clone();
            let looked = tokio::task::spawn_blocking(move || -> Result<usize> {
                let consumer: BaseConsumer = client.create()?;
                Ok(consumer.fetch_metadata(None, Duration::from_secs(1))?.brokers().len())
            })
            .await?;
            Ok(Observed::or_not_yet(
                looked.map(|brokers| Observed::when(brokers == 1, (), || format!("{brokers} brokers"))),
            ))
        })
        .await
    }

    async fn format(&self, properties: &Path) -> Result<()> {
        let mut java = self.java(&["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(properties);
        let output = tokio::process::Command::from(java)
            .output()
            .await
            .context("cannot run `java`: install a JDK 17 and put it on the PATH")?;
        if !output.status.success() {
            bail!("cannot format the broker's storage: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn java(&self, flags: &[&str]) -> Command {
        let mut java = Command::new("java");
        java.args(flags).arg("-cp").arg(self.libraries.classpath()).current_dir(&self.folder);
        java
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.bootstrap_servers());
        client
    }
}

/// Of 127.0.0.1.
struct Ports {
    clients: u16,
    controller: u16,
    /// Where the broker listens for those who came by the slow way.
    slow: u16,
    /// Where it tells those that it is.
    told_slow: u16,
}

/// The short broker session makes it usable some 4 s after a kill -9.
fn server_properties(folder: &Path, ports: &Ports) -> String {
    let Ports { clients, controller, slow, told_slow } = ports;
    let data = folder.join("data");
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{clients},SLOW://127.0.0.1:{slow},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{clients},SLOW://127.0.0.1:{told_slow}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SLOW:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
log.cleaner.dedupe.buffer.size=2097152
",
        data.display()
    )
}
