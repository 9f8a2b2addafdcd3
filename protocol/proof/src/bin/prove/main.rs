//! Proves the protocol: `prove all`, or one part of it. `make prove` is its door.

mod all;
mod build;
mod child;
mod cli;
mod figures;
mod hunt;
mod model;
mod page;
mod progress;
mod repository;
mod sim;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = <cli::Cli as clap::Parser>::parse();
    match cli::run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("prove: {error:#}");
            ExitCode::FAILURE
        }
    }
}
