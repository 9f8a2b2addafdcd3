//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidegate_agent::Rollout;
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::{Attempt, Member};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::When;

use crate::exit::{Exit, Failure};
use crate::output::{Output, say};
use crate::{ask, controller, resource, status, verify};

/// Seconds: nobody waits longer, and the clock can still count it.
const YEAR: u64 = 31_536_000;

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed, or what was verified is not as it should be
  2  the command line cannot be understood
  3  not done in time; a request that nobody took up is withdrawn
  4  the cutover was aborted: nothing changed hands
  5  refused: nothing was begun
  6  another request took the place of this one
  7  the store cannot be used";

/// A verb on a rollout, as it is typed, with what else it takes.
macro_rules! example {
    ($verb:literal $(, $more:literal)?) => {
        concat!("Example:\n  tidegate ", $verb, " --store directory:///var/lib/tidegate --rollout orders" $(, $more)?)
    };
}

/// Hands the output of a running Flink job over to its new version, exactly.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,

    /// How results are printed on standard output
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show who owns what, how far every member is, and what is waited for
    #[command(after_help = example!("status", " --why"))]
    Status(StatusArguments),
    /// Hand the output over to the standby, and wait until that is done
    #[command(after_help = example!("promote", " --at +30s"))]
    Promote(PromoteArguments),
    /// End a cutover that is not committed yet
    #[command(after_help = example!("abort"))]
    Abort(AbortArguments),
    /// Hold back cutovers: none is proposed, and one that is not committed yet is aborted
    #[command(after_help = example!("pause"))]
    Pause(PauseArguments),
    /// End the pause
    #[command(after_help = example!("resume"))]
    Resume(PauseArguments),
    /// Hand the output back to the member that had it before, by a cutover the other way round
    #[command(after_help = example!("rollback"))]
    Rollback(RollbackArguments),
    /// Compare a Kafka topic row by row with what each member should have written
    #[command(
        after_help = "Example:\n  tidegate verify --bootstrap-servers 127.0.0.1:9092 --topic out \\\n    \
        --expected blue=v1.jsonl --expected green=v2.jsonl --owner blue --owner green@1767225600000 \\\n    \
        --key origin --key hour --time-field hour --time-offset-ms 3599999"
    )]
    Verify(verify::Arguments),
    /// Run the controller of the resource FlinkBlueGreenDeployment, until a signal ends it
    #[command(after_help = "Example:\n  tidegate controller --namespace shop --lease-duration 15s")]
    Controller(controller::Arguments),
    /// Print the definition of the resource FlinkBlueGreenDeployment, for kubectl apply
    #[command(after_help = "Example:\n  tidegate crd")]
    Crd,
}

/// Which rollout.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The store's URL, as the jobs have it in tidegate.store
    #[arg(long, env = "TIDEGATE_STORE", value_name = "URL")]
    store: String,

    /// The rollout's name, as the jobs have it in tidegate.rollout
    #[arg(long, env = "TIDEGATE_ROLLOUT", value_name = "NAME")]
    rollout: String,
}

#[derive(Debug, Args)]
struct StatusArguments {
    #[command(flatten)]
    place: Place,

    /// Show it again whenever it changes, until the cutover under way has ended
    #[arg(long)]
    watch: bool,

    /// Show only what is waited for, down to the subtask
    #[arg(long)]
    why: bool,
}

#[derive(Debug, Args)]
struct Waiting {
    /// Do not wait for the end: only until the request is taken up or refused
    #[arg(long)]
    no_wait: bool,

    /// How long to wait at most, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=YEAR))]
    timeout: u64,
}

#[derive(Debug, Args)]
struct PromoteArguments {
    #[command(flatten)]
    place: Place,

    /// The boundary in event time: now, +30s, an RFC 3339 time, or epoch milliseconds. A boundary that is named is refused when it
    /// has passed, never moved
    #[arg(long, value_name = "WHEN", default_value = "now")]
    at: When,

    /// Who takes over, such as green-2; the one live standby when not given
    #[arg(long, value_name = "MEMBER")]
    to: Option<Member>,

    /// When the new member begins to emit; the rollout's own way when not given
    #[arg(long, value_enum)]
    hand_over: Option<HandOverArgument>,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HandOverArgument {
    /// When all below the boundary is committed: an old value never follows a newer one
    Ordered,
    /// At once: no pause, both emit for a while
    Overlapped,
}

#[derive(Debug, Args)]
struct AbortArguments {
    #[command(flatten)]
    place: Place,

    /// Only this attempt; refused when another one is under way
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u64>,

    /// How long to wait at most, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=YEAR))]
    timeout: u64,
}

#[derive(Debug, Args)]
struct PauseArguments {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct RollbackArguments {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    waiting: Waiting,
}

impl Cli {
    pub(crate) fn output(&self) -> Output {
        self.output
    }
}

/// Runs the verb.
pub(crate) fn run(cli: &Cli) -> Result<Exit, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let output = cli.output;
    match &cli.verb {
        Verb::Status(arguments) => runtime.block_on(async {
            let rollout = open(&arguments.place)?;
            if arguments.watch {
                status::watch(&rollout, output, arguments.why).await
            } else {
                status::show(&rollout, output, arguments.why).await
            }
        }),
        Verb::Promote(arguments) => {
            let hand_over = arguments.hand_over.map(|argument| match argument {
                HandOverArgument::Ordered => HandOver::Ordered,
                HandOverArgument::Overlapped => HandOver::Overlapped,
            });
            let request = Request::Promote { at: arguments.at, to: arguments.to, hand_over };
            runtime.block_on(async {
                ask::promote(&open(&arguments.place)?, &request, (&arguments.waiting).into(), output).await
            })
        }
        Verb::Abort(arguments) => {
            let request = Request::Abort { attempt: arguments.attempt.map(Attempt) };
            let patience =
                ask::Patience { until_end: false, timeout: Duration::from_secs(arguments.timeout) };
            runtime.block_on(async { ask::abort(&open(&arguments.place)?, &request, patience, output).await })
        }
        Verb::Rollback(arguments) => runtime.block_on(async {
            ask::rollback(&open(&arguments.place)?, (&arguments.waiting).into(), output).await
        }),
        Verb::Pause(arguments) => {
            runtime.block_on(async { ask::pause(&open(&arguments.place)?, true, output).await })
        }
        Verb::Resume(arguments) => {
            runtime.block_on(async { ask::pause(&open(&arguments.place)?, false, output).await })
        }
        Verb::Verify(arguments) => verify_topic(arguments, output),
        Verb::Controller(arguments) => controller::run(arguments),
        Verb::Crd => {
            match output {
                Output::Text => say(resource::crd_yaml()?.trim_end()),
                Output::Json => say(resource::crd_json()?),
            };
            Ok(Exit::Done)
        }
    }
}

fn open(place: &Place) -> Result<Rollout, Failure> {
    Ok(Rollout::open(&place.store, &place.rollout)?)
}

fn verify_topic(arguments: &verify::Arguments, output: Output) -> Result<Exit, Failure> {
    let request =
        arguments.request().map_err(|error| Failure::new(Exit::Usage, "Usage", format!("{error:#}")))?;
    let report = verify::run(&request)?;
    match output {
        Output::Text => say(&report),
        Output::Json => say(serde_json::to_string(&report).map_err(anyhow::Error::from)?),
    };
    Ok(if report.is_exact() { Exit::Done } else { Exit::Failed })
}

impl From<&Waiting> for ask::Patience {
    fn from(waiting: &Waiting) -> ask::Patience {
        ask::Patience { until_end: !waiting.no_wait, timeout: Duration::from_secs(waiting.timeout) }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_verb_has_an_example() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        for verb in command.get_subcommands_mut() {
            let help = verb.render_long_help().to_string();
            assert!(help.contains("Example:\n  tidegate "), "{help}");
        }
    }

    #[test]
    fn every_example_can_be_typed() {
        for verb in Cli::command().get_subcommands_mut() {
            let help = verb.render_long_help().to_string();
            let (_, example) = help.split_once("Example:\n").unwrap();
            let line = example.replace("\\\n", " ");
            let line = line.lines().next().unwrap().split_whitespace();
            Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn a_boundary_that_cannot_be_read_is_a_usage_error_with_the_way_out() {
        let line = ["tidegate", "promote", "--store", "directory:///x", "--rollout", "r", "--at", "soon"];
        let error = Cli::try_parse_from(line).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("+30s"), "{error}");
    }
}
