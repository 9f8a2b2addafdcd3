//! How a command ends: one table of exit codes, the same for every verb.

use std::fmt;
use std::process::ExitCode;

use serde_json::json;
use tidegate_agent::Rollout;

use crate::output::{Output, say};

/// The exit codes. 2 is also what the argument parser uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done.
    Done = 0,
    /// It failed, or what was verified is not as it should be.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// It was not done in time; a request that was not taken up has been withdrawn.
    Timeout = 3,
    /// The cutover was aborted: nothing changed hands.
    Aborted = 4,
    /// It was refused: nothing was begun.
    Refused = 5,
    /// Another request took the place of this one.
    Fenced = 6,
    /// The store cannot be used.
    Unreachable = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl fmt::Display) -> Failure {
        Failure { exit, code: code.to_owned(), message: message.to_string() }
    }

    /// There is no document.
    pub(crate) fn unknown_rollout(rollout: &Rollout) -> Failure {
        let (store, name) = (rollout.url(), rollout.name());
        let message = format!(
            "{store} has no rollout {name:?}; check --rollout, or start its first job: that creates it"
        );
        Failure::new(Exit::Refused, "UnknownRollout", message)
    }

    /// Tells it on standard error, and as JSON on standard output when that was asked for.
    pub(crate) fn tell(&self, output: Output) -> ExitCode {
        let Failure { exit, code, message } = self;
        let text =
            if message.starts_with(code.as_str()) { message.clone() } else { format!("{code}: {message}") };
        eprintln!("tidegate: {text}");
        if output == Output::Json {
            let outcome = format!("{exit:?}").to_lowercase();
            say(json!({"outcome": outcome, "code": code, "message": message}));
        }
        (*exit).into()
    }
}

impl From<tidegate_agent::Error> for Failure {
    fn from(error: tidegate_agent::Error) -> Failure {
        let exit = match &error {
            tidegate_agent::Error::Store(_) | tidegate_agent::Error::Timeout { .. } => Exit::Unreachable,
            tidegate_agent::Error::Document(_) => Exit::Failed,
            tidegate_agent::Error::Refused(_) => Exit::Refused,
        };
        Failure::new(exit, error.code(), &error)
    }
}

impl From<tidegate_store::Error> for Failure {
    fn from(error: tidegate_store::Error) -> Failure {
        let exit = match &error {
            tidegate_store::Error::BadName { .. } | tidegate_store::Error::NotAStore { .. } => Exit::Usage,
            tidegate_store::Error::Conflict { .. }
            | tidegate_store::Error::Missing { .. }
            | tidegate_store::Error::ReadOnly { .. }
            | tidegate_store::Error::Full { .. }
            | tidegate_store::Error::Denied { .. }
            | tidegate_store::Error::Unreachable { .. }
            | tidegate_store::Error::TooLarge { .. }
            | tidegate_store::Error::Ambiguous { .. }
            | tidegate_store::Error::Closed => Exit::Unreachable,
        };
        Failure::new(exit, error.code(), &error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::new(Exit::Failed, "Failed", format!("{error:#}"))
    }
}
