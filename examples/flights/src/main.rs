//! The main job of Tidegate, on a year of real flights: a running Flink job hands its output to a new version of
//! itself, with other code and another parallelism, while data flows; then every row is compared with the truth.
//!
//! Pure: [`flight`], [`truth`], [`outcome`]. The world: [`input`], [`replay`], [`parts`], [`tidegate`]; what is
//! shown: [`narrator`]. The order of events: [`story`]; and [`operated`], where the controller does all of it.

mod cli;
mod flight;
mod input;
mod levels;
mod narrator;
mod operated;
mod outcome;
mod parts;
mod pause;
mod replay;
mod story;
mod tidegate;
mod truth;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
