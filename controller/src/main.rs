//! The `tidegate` command.

mod ask;
mod checks;
mod cli;
mod controller;
mod exit;
mod notify;
mod output;
mod resource;
mod status;
mod verify;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = <cli::Cli as clap::Parser>::parse();
    match cli::run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.tell(cli.output()),
    }
}
