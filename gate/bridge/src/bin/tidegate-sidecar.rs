//! `tidegate sidecar` alone, without the rest of that command: small and quick to build. The tests of the Flink module run it.

use std::path::PathBuf;
use std::process::ExitCode;

use tidegate_bridge::sidecar;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: tidegate-sidecar SOCKET");
        return ExitCode::from(2);
    };
    match sidecar::run(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidegate-sidecar: {error}");
            ExitCode::FAILURE
        }
    }
}
