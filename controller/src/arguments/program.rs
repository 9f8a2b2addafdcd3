//! What a job is made from, and how a version of it takes the place of the last one.

use clap::{Args, ValueEnum};

/// What a job is made from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Program {
    /// The jar: a file of this machine with --url; whatever the controller, or the image, can read, with a resource
    #[arg(long, value_name = "FILE")]
    pub(crate) jar: Option<String>,

    /// The main class, instead of the one that the jar's manifest names
    #[arg(long, value_name = "CLASS")]
    pub(crate) entry_class: Option<String>,

    /// An argument of the main method; once for each, in their order: all of them, not only what changes
    #[arg(long = "arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,

    /// The parallelism
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=32_768))]
    pub(crate) parallelism: Option<u32>,

    /// A key of Flink's configuration of this job, and its value; once for each
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) configuration: Vec<(String, String)>,
}

/// How a version replaces another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// Both run, and the output changes hands at one point in event time
    BlueGreen,
    /// The old one is stopped with a savepoint first, and comes back when the new one is not sound
    StopStart,
}

impl Program {
    /// Whether any of it was typed.
    pub(crate) fn is_given(&self) -> bool {
        self.jar.is_some()
            || self.entry_class.is_some()
            || !self.arguments.is_empty()
            || self.parallelism.is_some()
            || !self.configuration.is_empty()
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write KEY=VALUE, such as execution.checkpointing.interval=10s".to_owned()),
    }
}
