//! The real parts of the demo: a Kafka broker, a Flink cluster, a store with its server.

use std::path::Path;

use anyhow::{Context, Result};
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::kafka::KafkaBroker;
use tidegate_integration_tests::rest::{Job, RunRequest};
use tidegate_integration_tests::store::{Kind, SharedStore};

use crate::flight::Origin;
use crate::truth::MAX_DELAY_MINUTES;

/// The topic with the flights.
pub(crate) const INPUT: &str = "flights";
/// The topic with the rows of both versions.
pub(crate) const OUTPUT: &str = "departures";
/// The rollout's name.
pub(crate) const ROLLOUT: &str = "flights";

const CHECKPOINT_INTERVAL_MS: u32 = 500;

/// Everything that runs; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) kafka: KafkaBroker,
    pub(crate) flink: FlinkCluster,
    pub(crate) store: SharedStore,
    jar: String,
}

/// One version of the job, as it is deployed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deployment {
    pub(crate) color: &'static str,
    pub(crate) version: &'static str,
    pub(crate) parallelism: u32,
}

/// What runs first.
pub(crate) const BLUE: Deployment = Deployment { color: "blue", version: "v1", parallelism: 2 };
/// What takes over.
pub(crate) const GREEN: Deployment = Deployment { color: "green", version: "v2", parallelism: 3 };

impl Deployment {
    /// The member's name in documents and reports.
    pub(crate) fn member(&self) -> String {
        format!("{}-1", self.color)
    }
}

impl Parts {
    /// Starts all below `folder`, creates the topics and uploads the job.
    ///
    /// # Errors
    /// When a part does not get ready.
    pub(crate) async fn start(folder: &Path, flink: &str, jar: &Path, store: Kind) -> Result<Self> {
        let settings = Settings::new(flink).task_managers(2, 3);
        let (store, kafka, flink) = tokio::try_join!(
            SharedStore::start(folder, store, ROLLOUT),
            KafkaBroker::start(folder),
            FlinkCluster::start(folder, &settings)
        )?;
        let partitions = Origin::ALL.len() as i32;
        for topic in [INPUT, OUTPUT] {
            // Real flights are older than Kafka's default retention.
            kafka.create_topic(topic, partitions, &[("retention.ms", "-1")]).await?;
        }
        let jar = flink.rest().upload(jar).await?;
        Ok(Self { kafka, flink, store, jar })
    }

    /// Submits one version, from a savepoint of the other one if there is one.
    ///
    /// # Errors
    /// When Flink refuses it.
    pub(crate) async fn run(&self, deployment: Deployment, savepoint: Option<String>) -> Result<Job> {
        let arguments = [
            ("--bootstrap-servers", self.kafka.bootstrap_servers()),
            ("--input", INPUT.into()),
            ("--output", OUTPUT.into()),
            ("--version", deployment.version.into()),
            ("--max-delay-minutes", MAX_DELAY_MINUTES.to_string()),
            ("--checkpoint-interval-ms", CHECKPOINT_INTERVAL_MS.to_string()),
        ];
        let configuration = [
            ("tidegate.store", self.store.url()),
            ("tidegate.rollout", ROLLOUT),
            ("tidegate.color", deployment.color),
            ("tidegate.generation", "1"),
        ];
        let request = RunRequest {
            arguments: arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect(),
            parallelism: Some(deployment.parallelism),
            configuration: configuration.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            // The new version has a sink of its own: the old one's sink state must be left behind.
            allow_non_restored_state: savepoint.is_some(),
            savepoint,
            entry_class: None,
        };
        let job = self.flink.rest().run(&self.jar, &request).await;
        job.with_context(|| format!("cannot run {} ({})", deployment.color, deployment.version))
    }
}
