//! The command line: what can be typed, and who does it.

mod job;
mod reference;
mod rollout;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::arguments::Attempt;
use crate::exit::{Exit, Failure};
use crate::output::{Output, say, show};
use crate::{controller, resource, sidecar, verify};

/// Hands the output of a running Flink job over to its new version, exactly.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = reference::after_help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,

    /// How results are printed on standard output
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,

    #[command(flatten)]
    attempt: Attempt,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the resources of a namespace, or the jobs of a Flink cluster
    #[command(
        after_help = "Example:\n  tidegate list -n shop\n  tidegate list --url http://flink:8081 --output json"
    )]
    List(job::List),
    /// Show who owns what, how far every member is, and what is waited for
    #[command(
        after_help = "Example:\n  tidegate status orders -n shop --watch\n  tidegate status --store directory:///var/lib/tidegate \
                      --rollout orders --why"
    )]
    Status(rollout::Status),
    /// Apply a resource and wait until its version is live, or start a job on a Flink cluster
    #[command(
        after_help = "Example:\n  tidegate deploy -n shop -f orders.yaml\n  tidegate deploy --url http://flink:8081 --name orders \
                      --jar orders.jar --arg --topic --arg orders --parallelism 4"
    )]
    Deploy(Box<job::Deploy>),
    /// Replace a job by its next version, and wait until that is live, or was given up and the old one has the output
    #[command(
        after_help = "Example:\n  tidegate update orders -n shop --jar /jars/orders-2.jar --id build-1234\n  tidegate update orders \
                      --url http://flink:8081 --jar orders-2.jar --strategy stop-start --settling 1s --window 5s"
    )]
    Update(Box<job::Update>),
    /// End a job with a savepoint, for good
    #[command(
        after_help = "Example:\n  tidegate terminate orders -n shop\n  tidegate terminate orders --url http://flink:8081 --cancel"
    )]
    Terminate(job::Terminate),
    /// Show a job: state, watermarks, checkpoints, failures, restarts, load
    #[command(
        after_help = "Example:\n  tidegate query orders --url http://flink:8081\n  tidegate query orders -n shop"
    )]
    Query(job::Query),
    /// Take a savepoint of a job that goes on, once or again and again
    #[command(
        after_help = "Example:\n  tidegate savepoint orders --url http://flink:8081\n  tidegate savepoint orders -n shop --every 15m --keep 4"
    )]
    Savepoint(job::Savepoint),
    /// Hand the output over to the standby, and wait until that is done
    #[command(
        after_help = "Example:\n  tidegate promote orders -n shop --why \"looked at it\"\n  tidegate promote --store \
                      directory:///var/lib/tidegate --rollout orders --at +30s"
    )]
    Promote(rollout::Promote),
    /// Give up what is under way, as long as nothing is committed
    #[command(
        after_help = "Example:\n  tidegate abort orders -n shop --why \"wrong jar\"\n  tidegate abort --store \
                      directory:///var/lib/tidegate --rollout orders"
    )]
    Abort(rollout::Abort),
    /// Hold back cutovers: nothing new is begun. By a store, one that is not committed yet is aborted
    #[command(
        after_help = "Example:\n  tidegate pause orders -n shop\n  tidegate pause --store directory:///var/lib/tidegate --rollout orders"
    )]
    Pause(rollout::Pause),
    /// End the pause
    #[command(
        after_help = "Example:\n  tidegate resume orders -n shop\n  tidegate resume --store directory:///var/lib/tidegate --rollout orders"
    )]
    Resume(rollout::Pause),
    /// Hand the output back to whom had it before, or go to an earlier revision
    #[command(
        after_help = "Example:\n  tidegate rollback orders -n shop --why \"too slow\"\n  tidegate rollback orders -n shop --to 3f2a\n  tidegate rollback --store \
                      directory:///var/lib/tidegate --rollout orders"
    )]
    Rollback(rollout::Rollback),
    /// Try again what was given up, or what cannot be stopped
    #[command(after_help = "Example:\n  tidegate retry orders -n shop --why \"the bucket is back\"")]
    Retry(rollout::Retry),
    /// Launch the wanted version in place of the one that has the output, for one that has ended or is stuck
    #[command(after_help = "Example:\n  tidegate replace orders -n shop --why \"it is stuck\"")]
    Replace(rollout::Replace),
    /// Show who did what, when and why, or the versions that were deployed
    #[command(after_help = "Example:\n  tidegate history orders -n shop --revisions")]
    History(rollout::History),
    /// Show what would be done with a resource, and do nothing
    #[command(
        after_help = "Example:\n  tidegate plan -n shop -f orders.yaml\n  tidegate plan orders -n shop"
    )]
    Plan(rollout::Plan),
    /// Tell why a rollout does not go on, and the way out
    #[command(
        after_help = "Example:\n  tidegate doctor orders -n shop\n  tidegate doctor --store directory:///var/lib/tidegate --rollout orders"
    )]
    Doctor(rollout::Doctor),
    /// Compare a Kafka topic row by row with what each member should have written
    #[command(
        after_help = "Example:\n  tidegate verify --bootstrap-servers 127.0.0.1:9092 --topic out \\\n    \
        --expected blue=v1.jsonl --expected green=v2.jsonl --owner blue --owner green@1767225600000 \\\n    \
        --key origin --key hour --time-field hour --time-offset-ms 3599999"
    )]
    Verify(Box<verify::Arguments>),
    /// Run the controller of the resource FlinkBlueGreenDeployment, until a signal ends it
    #[command(after_help = "Example:\n  tidegate controller --namespace shop --lease-duration 15s")]
    Controller(controller::Arguments),
    /// Run the native part of gates beside Flink's JVMs that may load no native code, until a signal ends it
    #[command(after_help = "Example:\n  tidegate sidecar --socket /run/tidegate/sidecar.sock")]
    Sidecar(sidecar::Arguments),
    /// Print the definition of the resource FlinkBlueGreenDeployment, for kubectl apply
    #[command(after_help = "Example:\n  tidegate crd")]
    Crd,
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  tidegate completions bash")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages: one for the command, one for each verb
    #[command(after_help = "Example:\n  tidegate man --dir /usr/local/share/man/man1")]
    Man {
        /// The folder; it is made when it is not there
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
    },
}

impl Cli {
    pub(crate) fn output(&self) -> Output {
        self.output
    }
}

/// Reads what was typed; ends the process when that cannot be understood.
pub(crate) fn parse() -> Cli {
    let words: Vec<OsString> = std::env::args_os().collect();
    let name = words.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    let mut command = Cli::command();
    if name == "kubectl-tidegate" {
        command = as_plugin(command);
    }
    let matches = command.get_matches_from(words);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// As kubectl calls it: usage and examples are what is typed then.
fn as_plugin(command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let command = command.bin_name("kubectl tidegate");
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |verb| {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            verb.after_help(help.replace("\n  tidegate ", "\n  kubectl tidegate "))
        })
    })
}

/// Runs the verb.
pub(crate) fn run(cli: &Cli) -> Result<Exit, Failure> {
    let (attempt, output) = (&cli.attempt, cli.output);
    match &cli.verb {
        Verb::List(arguments) => wait(arguments.run(output)),
        Verb::Status(arguments) => wait(arguments.run(output)),
        Verb::Deploy(arguments) => wait(arguments.run(attempt, output)),
        Verb::Update(arguments) => wait(arguments.run(attempt, output)),
        Verb::Terminate(arguments) => wait(arguments.run(attempt, output)),
        Verb::Query(arguments) => wait(arguments.run(output)),
        Verb::Savepoint(arguments) => wait(arguments.run(attempt, output)),
        Verb::Promote(arguments) => wait(arguments.run(attempt, output)),
        Verb::Abort(arguments) => wait(arguments.run(attempt, output)),
        Verb::Pause(arguments) => wait(arguments.run(true, attempt, output)),
        Verb::Resume(arguments) => wait(arguments.run(false, attempt, output)),
        Verb::Rollback(arguments) => wait(arguments.run(attempt, output)),
        Verb::Retry(arguments) => wait(arguments.run(attempt, output)),
        Verb::Replace(arguments) => wait(arguments.run(attempt, output)),
        Verb::History(arguments) => wait(arguments.run(output)),
        Verb::Plan(arguments) => wait(arguments.run(output)),
        Verb::Doctor(arguments) => wait(arguments.run(output)),
        Verb::Verify(arguments) => verify_topic(arguments, output),
        Verb::Controller(arguments) => controller::run(arguments),
        Verb::Sidecar(arguments) => sidecar::run(arguments),
        Verb::Crd => {
            match output {
                Output::Text | Output::Yaml => say(resource::crd_yaml()?.trim_end()),
                Output::Json => say(resource::crd_json()?),
                Output::Name => {
                    say("customresourcedefinition.apiextensions.k8s.io/flinkbluegreendeployments.tidegate.io")
                }
            };
            Ok(Exit::Done)
        }
        Verb::Completions { shell } => Ok(reference::completions(*shell, Cli::command())),
        Verb::Man { dir } => reference::man(dir, Cli::command()),
    }
}

fn wait(verb: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let result = runtime.block_on(verb);
    // A jar that is still being read is not waited for.
    runtime.shutdown_background();
    result
}

fn verify_topic(arguments: &verify::Arguments, output: Output) -> Result<Exit, Failure> {
    let request = arguments.request().map_err(|error| Failure::usage(format!("{error:#}")))?;
    let report = verify::run(&request)?;
    show(output, &report, "", &report)?;
    Ok(if report.is_exact() { Exit::Done } else { Exit::Failed })
}

#[cfg(test)]
mod tests;
