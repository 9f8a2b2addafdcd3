//! The `tidegate` command.

mod arguments;
mod ask;
mod checks;
mod cli;
mod controller;
mod exit;
mod live;
mod notify;
mod output;
mod resource;
mod session;
mod sidecar;
mod status;
mod verify;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::parse();
    match cli::run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.tell(cli.output()),
    }
}
