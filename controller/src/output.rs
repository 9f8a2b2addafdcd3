//! Results on standard output.

use std::fmt;
use std::io::Write as _;

use clap::ValueEnum;

/// The form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

/// Prints a result on standard output; returns whether anybody reads it. A reader that has gone away (`| head`) changes nothing
/// of what was done.
pub(crate) fn say(text: impl fmt::Display) -> bool {
    writeln!(std::io::stdout().lock(), "{text}").is_ok()
}
