//! `tidegate sidecar`: the gate's native part, for JVMs that may load no native code.

use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::exit::{Exit, Failure};

/// What is told on standard error; `RUST_LOG` says otherwise.
const LOG: &str = "warn,tidegate_bridge=info";

/// What the sidecar is told.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen: a Unix socket that only this user may use. The jobs name it with tidegate.sidecar
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
}

/// Serves until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    tidegate_bridge::sidecar::run(&arguments.socket)?;
    Ok(Exit::Done)
}

impl From<tidegate_bridge::Error> for Failure {
    fn from(error: tidegate_bridge::Error) -> Failure {
        let exit = match &error {
            tidegate_bridge::Error::Running(_) => Exit::Refused,
            tidegate_bridge::Error::Socket { .. }
            | tidegate_bridge::Error::Said(_)
            | tidegate_bridge::Error::Closed(_)
            | tidegate_bridge::Error::Busy(_)
            | tidegate_bridge::Error::BadCall(_)
            | tidegate_bridge::Error::Jni(_)
            | tidegate_bridge::Error::Message { .. } => Exit::Failed,
        };
        let text = error.to_string();
        let code = text.split(':').next().unwrap_or_default().to_owned();
        Failure::new(exit, &code, text)
    }
}
