//! The command line.

use std::path::{PathBuf, absolute};

use anyhow::bail;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;
use tidegate_proof::model::Tier;
use tidegate_proof::mutants::load;

use crate::progress::Progress;
use crate::{all, hunt, model, repository, sim};

const AFTER: &str = "Exit codes:
  0  everything is as it must be
  1  something is not, or could not be run
  2  the command line cannot be understood

Example:
  prove all --quick";

/// Proves the protocol, on the code that ships: a model, a simulation, and planted bugs that both must find.
#[derive(Debug, Parser)]
#[command(name = "prove", version, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,

    /// How results are printed on standard output
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,

    /// How many threads work; as many as there are processors when not said
    #[arg(long, short, global = true, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run everything; the last line is a JSON object with the figures
    #[command(after_help = "Example:\n  prove all --quick")]
    All(AllArguments),
    /// Visit every state of small worlds
    #[command(after_help = "Example:\n  prove model --tier test")]
    Model(ModelArguments),
    /// Run random worlds, seed by seed
    #[command(after_help = "Example:\n  prove sim --from 1000 --seeds 5000")]
    Sim(SimArguments),
    /// Run one seed and tell what happens in it
    #[command(after_help = "Example:\n  prove seed 17")]
    Seed {
        /// The seed
        seed: u64,
    },
    /// Plant known mistakes in a copy of the code, one at a time, and see them caught
    #[command(after_help = "Example:\n  prove mutants P12 O6")]
    Mutants(MutantArguments),
    /// List the mistakes that are planted
    #[command(after_help = "Example:\n  prove mutant-list --output json")]
    MutantList,
}

#[derive(Debug, Args)]
struct AllArguments {
    /// The sizes of the tests: minutes, not hours
    #[arg(long)]
    quick: bool,

    /// Write the tables into docs/proof.md, which a run that is not quick does anyway
    #[arg(long)]
    write: bool,

    /// Begin the simulation anew, instead of where it was interrupted
    #[arg(long)]
    restart: bool,
}

#[derive(Debug, Args)]
struct ModelArguments {
    /// Only this one; may be given several times
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,

    /// Only those of the tests, or all
    #[arg(long, value_enum, default_value_t = Size::Test)]
    tier: Size,

    /// Stop at the first scenario that is not as it must be, and leave out those that must break
    #[arg(long)]
    until_broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Size {
    Test,
    Prove,
}

#[derive(Debug, Args)]
struct SimArguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,

    /// The first one
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,

    /// From the first seed on, or from where the last such run of the same sources was stopped; progress is kept in this file
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    resume: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct MutantArguments {
    /// Which; all when none is named
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// Stop at the first tier that catches
    #[arg(long)]
    quick: bool,

    /// Only this tier; all that may catch when not said
    #[arg(long, value_enum, value_name = "TIER")]
    tier: Vec<tidegate_proof::mutants::Tier>,
}

/// Does what was asked; returns whether everything is as it must be.
pub(crate) fn run(cli: &Cli) -> anyhow::Result<bool> {
    let threads = match cli.threads {
        Some(threads) => threads.max(1),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let json = cli.output == Output::Json;
    match &cli.verb {
        Verb::All(AllArguments { quick, write, restart }) => {
            all::run(&all::Plan { quick: *quick, write: *write || !*quick, restart: *restart, threads })
        }
        Verb::Model(arguments) => run_model(arguments, threads, json),
        Verb::Sim(arguments) => run_sim(arguments, threads, json),
        Verb::Seed { seed } => {
            let (log, passed) = sim::tell(*seed);
            println!("{log}");
            Ok(passed)
        }
        Verb::Mutants(MutantArguments { ids, quick, tier }) => {
            let (ids, tiers) = (ids.clone(), tier.clone());
            let verdicts =
                hunt::run(&hunt::Plan { ids, tiers, quick: *quick, every_tier: !*quick, threads })?;
            for verdict in &verdicts {
                let line = if json { serde_json::to_string(verdict)? } else { verdict.to_string() };
                println!("{line}");
            }
            Ok(verdicts.iter().all(|verdict| !verdict.catches.is_empty()))
        }
        Verb::MutantList => {
            for mutant in load(&repository::root()?)? {
                if json {
                    let tiers: Vec<&str> = mutant.tiers.iter().map(|tier| tier.name()).collect();
                    println!("{}", json!({"id": mutant.id, "mistake": mutant.mistake, "tiers": tiers}));
                } else {
                    println!("{:<5} {}", mutant.id, mutant.mistake);
                }
            }
            Ok(true)
        }
    }
}

fn run_model(arguments: &ModelArguments, threads: usize, json: bool) -> anyhow::Result<bool> {
    let ModelArguments { scenario, tier, until_broken } = arguments;
    let wanted: Vec<_> = model::scenarios(*tier == Size::Prove || !scenario.is_empty())
        .into_iter()
        .filter(|one| scenario.is_empty() || scenario.iter().any(|name| one.name == name))
        .filter(|one| !until_broken || one.expect == tidegate_proof::model::Expect::Holds)
        .collect();
    if wanted.is_empty() {
        let all = model::scenarios(true);
        let names: Vec<String> = all
            .iter()
            .map(|one| format!("{}{}", one.name, if one.tier == Tier::Test { "" } else { " (--tier prove)" }))
            .collect();
        bail!("no such scenario; there are: {}", names.join(", "));
    }
    let progress = Progress::new(None);
    let mut good = true;
    for scenario in wanted {
        let outcome = model::check(&scenario, threads, &progress);
        println!("{}", if json { serde_json::to_string(&outcome)? } else { outcome.to_string() });
        good &= outcome.broken.is_none();
        if *until_broken && !good {
            break;
        }
    }
    Ok(good)
}

fn run_sim(arguments: &SimArguments, threads: usize, json: bool) -> anyhow::Result<bool> {
    let SimArguments { seeds, from, resume } = arguments;
    let progress = Progress::new(Some(*seeds));
    let outcome = match resume {
        None => sim::sweep(*from..from.saturating_add(*seeds), threads, &progress),
        Some(path) => {
            sim::campaign(&repository::root()?, &absolute(path)?, (*seeds, 0), false, threads, &progress)?
        }
    };
    println!("{}", if json { serde_json::to_string(&outcome)? } else { outcome.to_string() });
    Ok(outcome.broken.is_none())
}
