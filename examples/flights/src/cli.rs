//! The command line.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tidegate_integration_tests::store::Kind;
use tidegate_integration_tests::{Scratch, workspace_root};

use crate::story::{self, Plan};
use crate::truth::Version;
use crate::{input, operated, truth};

/// Hands a year of flights from one version of a Flink job to the next.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start Kafka and Flink, replay the flights, cut over, and verify every row
    Demo(Demo),
    /// The same by a resource: edit it, and watch the controller hand the output over, and take it back from a version that fails
    DemoOperator(DemoOperator),
    /// Print the rows that one version would write for the whole year, one JSON object per line
    Truth {
        /// The version of the job
        #[arg(long, default_value = "v1")]
        version: Version,
    },
}

#[derive(Debug, clap::Args)]
struct Demo {
    /// The Flink version
    #[arg(long, default_value = "1.20.3")]
    flink: String,

    /// What both jobs share: directory, configmap (on a Kubernetes API server) or zookeeper; its server is started
    #[arg(long, default_value = "directory")]
    store: Kind,

    /// When to promote, in percent of the replay; `random` is between 35 and 70
    #[arg(long, value_name = "N|random", default_value = "50")]
    promote_after_percent: Promotion,

    /// How long the replay of all flights takes
    #[arg(long, value_name = "SECONDS", default_value_t = 75)]
    seconds: u64,

    /// The `tidegate` binary; target/release/tidegate when not given
    #[arg(long, value_name = "FILE")]
    tidegate: Option<PathBuf>,

    /// The job's jar; the one of examples/flights/job for this Flink version when not given
    #[arg(long, value_name = "FILE")]
    jar: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct DemoOperator {
    /// The Flink version; Apache's operator runs 1.20.3
    #[arg(long, default_value = "1.20.3")]
    flink: String,

    /// What runs the jobs: `operator`, Apache's, whose jars TIDEGATE_FLINK_OPERATOR names, or `session`, a cluster that is there
    #[arg(long, default_value = "operator")]
    on: operated::On,

    /// How long the replay of all flights takes
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    seconds: u64,

    /// The `tidegate` binary; target/release/tidegate when not given
    #[arg(long, value_name = "FILE")]
    tidegate: Option<PathBuf>,

    /// The job's jar; the one of examples/flights/job for this Flink version when not given
    #[arg(long, value_name = "FILE")]
    jar: Option<PathBuf>,
}

/// The moment of the promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Promotion(u32);

impl FromStr for Promotion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "random" {
            // A fresh hasher has fresh random keys; no more randomness is needed here.
            return Ok(Self(35 + (RandomState::new().build_hasher().finish() % 36) as u32));
        }
        match text.parse() {
            Ok(percent @ 30..=90) => Ok(Self(percent)),
            _ => Err("a whole number from 30 to 90, or `random`: the new version starts at 25".into()),
        }
    }
}

/// Runs what the command line asks for.
pub(crate) fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match cli.verb {
            Verb::Demo(demo) => run_demo(&demo).await,
            Verb::DemoOperator(demo) => run_demo_operator(&demo).await,
            Verb::Truth { version } => print_truth(version).await,
        }
    })
}

async fn run_demo(demo: &Demo) -> Result<ExitCode> {
    let (tidegate, jar) = built(demo.tidegate.as_ref(), demo.jar.as_ref(), &demo.flink)?;
    let plan = Plan {
        flink: demo.flink.clone(),
        store: demo.store,
        promote_after_percent: demo.promote_after_percent.0,
        replay: Duration::from_secs(demo.seconds),
        tidegate,
        jar,
    };
    let told = Scratch::new("flights")?.run(async |folder| {
        let outcome = story::tell(folder, &plan).await?;
        println!("{}\n{}", outcome.table(), outcome.json()?);
        outcome.demand_exact()
    });
    unless_interrupted(told).await
}

async fn run_demo_operator(demo: &DemoOperator) -> Result<ExitCode> {
    let (tidegate, jar) = built(demo.tidegate.as_ref(), demo.jar.as_ref(), &demo.flink)?;
    let (flink, replay) = (demo.flink.clone(), Duration::from_secs(demo.seconds));
    let plan = operated::Plan { flink, on: demo.on, replay, tidegate, jar };
    let told = Scratch::new("flights")?.run(async |folder| {
        let outcome = operated::tell(folder, &plan).await?;
        println!("{}\n{}", outcome.table(), outcome.json()?);
        outcome.demand_exact()
    });
    unless_interrupted(told).await
}

/// The binary and the jar, which must be there.
fn built(tidegate: Option<&PathBuf>, jar: Option<&PathBuf>, flink: &str) -> Result<(PathBuf, PathBuf)> {
    let root = workspace_root();
    let tidegate = tidegate.cloned().unwrap_or_else(|| root.join("target/release/tidegate"));
    let of_flink = format!("examples/flights/job/target/flink-{flink}/flights-job.jar");
    let jar = jar.cloned().unwrap_or_else(|| root.join(of_flink));
    for (file, made_by) in [(&tidegate, "cargo build --release -p tidegate"), (&jar, "make build")] {
        if !file.is_file() {
            bail!("{} is missing: build it with `{made_by}`", file.display());
        }
    }
    Ok((tidegate, jar))
}

async fn unless_interrupted(told: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    tokio::select! {
        told = told => told?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn print_truth(version: Version) -> Result<ExitCode> {
    let truth = truth::Truth::of(&input::flights().await?, truth::MAX_DELAY_MINUTES);
    std::io::stdout().write_all(truth.lines(version).as_bytes()).context("cannot print the rows")?;
    eprintln!("{} rows; {} flights were late and dropped", truth.rows(), truth.late());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_moments() {
        assert_eq!("50".parse(), Ok(Promotion(50)));
        for _ in 0..200 {
            let Promotion(percent) = "random".parse().unwrap();
            assert!((35..=70).contains(&percent), "{percent}");
        }
        assert!("20".parse::<Promotion>().is_err() && "soon".parse::<Promotion>().is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
