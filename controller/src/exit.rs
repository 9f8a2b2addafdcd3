//! How a command ends: one table of exit codes, the same for every verb.

use std::fmt;
use std::process::ExitCode;

use serde_json::json;
use tidegate::flink;
use tidegate_agent::Rollout;

use crate::output::{Output, say};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is done.
    Done,
    /// It failed, or what was verified is not as it should be.
    Failed,
    /// The command line cannot be understood.
    Usage,
    /// It was not done in time.
    Timeout,
    /// The cutover was aborted: nothing changed hands.
    Aborted,
    /// The new version was given up, and the old one has the output, or has it again.
    RolledBack,
    /// It was refused: nothing was begun.
    Refused,
    /// Another request took the place of this one.
    Fenced,
    /// The store, the API server or the Flink cluster cannot be used.
    Unreachable,
}

/// The table, as it stands in help and docs. What was aborted and what was rolled back have one number: in either case whoever had
/// the output before has it, and a pipeline does the same then.
pub(crate) const TABLE: [(u8, &str, &str); 8] = [
    (0, "done", "done"),
    (1, "failed", "failed, or what was verified is not as it should be"),
    (2, "usage", "the command line cannot be understood"),
    (3, "timeout", "not done in time; a request that nobody took up is withdrawn from its store"),
    (4, "rolled back", "aborted or rolled back: whoever had the output before has it"),
    (5, "refused", "refused before anything was begun"),
    (6, "fenced", "another request or edit took the place of this one"),
    (7, "unreachable", "the store, the API server or the Flink cluster cannot be used"),
];

impl Exit {
    /// The exit code. 2 is also what the argument parser uses.
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Timeout => 3,
            Exit::Aborted | Exit::RolledBack => 4,
            Exit::Refused => 5,
            Exit::Fenced => 6,
            Exit::Unreachable => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
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

    /// What was typed cannot be meant.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, "Usage", message)
    }

    /// There is no document.
    pub(crate) fn unknown_rollout(rollout: &Rollout) -> Failure {
        let (store, name) = (rollout.url(), rollout.name());
        let message = format!(
            "{store} has no rollout {name:?}; check --rollout, or start its first job: that creates it"
        );
        Failure::new(Exit::Refused, "UnknownRollout", message)
    }

    /// Tells it on standard error, and on standard output too for programs.
    pub(crate) fn tell(&self, output: Output) -> ExitCode {
        let Failure { exit, code, message } = self;
        let text =
            if message.starts_with(code.as_str()) { message.clone() } else { format!("{code}: {message}") };
        eprintln!("tidegate: {text}");
        let outcome = format!("{exit:?}").to_lowercase();
        let told = json!({"outcome": outcome, "code": code, "message": message});
        match output {
            Output::Json => say(told),
            Output::Yaml => say(serde_saphyr::to_string(&told).unwrap_or_default().trim_end()),
            Output::Text | Output::Name => true,
        };
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

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Failure {
        let status = if let kube::Error::Api(status) = &error { Some(status.code) } else { None };
        let (exit, code, way_out) = match status {
            Some(401 | 403) => {
                (Exit::Unreachable, "Denied", "give this account the right, or name another with --context")
            }
            Some(404) => (
                Exit::Refused,
                "NotFound",
                "check name and namespace; `tidegate crd | kubectl apply -f -` installs the definition",
            ),
            Some(409) => (Exit::Fenced, "Conflict", "look at it with `tidegate status`, and ask again"),
            Some(400 | 422) => (Exit::Refused, "Rejected", "correct what is named"),
            Some(_) | None => (Exit::Unreachable, "ApiServer", "check that it runs and can be reached"),
        };
        let mut source: &dyn std::error::Error = &error;
        while let Some(next) = source.source() {
            source = next;
        }
        Failure::new(exit, code, format!("{source}; {way_out}"))
    }
}

impl From<flink::Error> for Failure {
    fn from(error: flink::Error) -> Failure {
        let exit = match error.problem() {
            flink::Problem::Unusable { .. } => Exit::Usage,
            flink::Problem::Unreachable { .. }
            | flink::Problem::Slow { .. }
            | flink::Problem::Broken { .. }
            | flink::Problem::Denied { .. }
            | flink::Problem::Unreadable { .. }
            | flink::Problem::Kubernetes { .. } => Exit::Unreachable,
            flink::Problem::Refused { .. }
            | flink::Problem::Version { .. }
            | flink::Problem::NoSubmission
            | flink::Problem::JobNotFound { .. }
            | flink::Problem::AmbiguousName { .. }
            | flink::Problem::Jar { .. }
            | flink::Problem::JarLost
            | flink::Problem::Program { .. }
            | flink::Problem::Snapshot { .. }
            | flink::Problem::StateNotTaken { .. }
            | flink::Problem::Slots { .. }
            | flink::Problem::LaunchUsed { .. }
            | flink::Problem::NotOurs { .. }
            | flink::Problem::NotEnded { .. }
            | flink::Problem::Template { .. } => Exit::Refused,
            flink::Problem::JobFailed { .. } | flink::Problem::NotAsAsked { .. } => Exit::Failed,
        };
        Failure::new(exit, error.code(), &error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::new(Exit::Failed, "Failed", format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_line_in_the_table() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Timeout,
            Exit::Aborted,
            Exit::RolledBack,
            Exit::Refused,
            Exit::Fenced,
            Exit::Unreachable,
        ];
        for exit in all {
            let number = exit.number();
            assert_eq!(TABLE[usize::from(number)].0, number, "{exit:?}");
        }
    }
}
