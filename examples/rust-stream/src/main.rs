//! A Rust stream job whose output changes hands: Kafka in and out, Arrow batches, exactly once.
//!
//! [`job`] is the job, and all that a reader needs; [`demo`] starts a broker, two versions of it, and hands the output over.

mod demo;
mod job;
mod order;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// A Rust stream job whose output changes hands.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run one version of the job, until SIGTERM
    Job(job::Arguments),
    /// Start a broker and both versions, hand the output over, and compare every row
    Demo(demo::Arguments),
}

fn main() -> ExitCode {
    match run(&Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Job(arguments) => job::run(arguments),
        Verb::Demo(arguments) => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(demo::run(arguments))
        }
    }
}
