//! The `tidegate` command on one rollout, as a person or a pipeline runs it: a process, its exit code, its JSON.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::Process;
use crate::{Observed, wait_until};

const DEADLINE: Duration = Duration::from_secs(90);

/// The command, with its store and rollout.
#[derive(Debug, Clone)]
pub struct Command {
    binary: PathBuf,
    store: String,
    rollout: String,
}

/// How one call ended.
#[derive(Debug)]
pub struct Told {
    /// The exit code.
    pub exit: i32,
    /// Standard output; null when it is no JSON.
    pub json: Value,
    line: String,
    text: String,
}

impl Command {
    /// For the store of this URL.
    #[must_use]
    pub fn new(binary: &Path, store: &str, rollout: &str) -> Self {
        Self { binary: binary.into(), store: store.into(), rollout: rollout.into() }
    }

    /// Runs a verb on the rollout, with its arguments, to its end.
    ///
    /// # Errors
    /// When it does not end within 90 s; a bad exit code is no error here.
    pub async fn run(&self, arguments: &[&str]) -> Result<Told> {
        self.verb(&[arguments, &["--store", &self.store, "--rollout", &self.rollout]].concat()).await
    }

    /// The same for a verb that asks for no rollout.
    ///
    /// # Errors
    /// As [`Command::run`].
    pub async fn verb(&self, arguments: &[&str]) -> Result<Told> {
        let line = arguments.join(" ");
        let mut command = tokio::process::Command::new(&self.binary);
        command.args(arguments).args(["--output", "json"]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(DEADLINE, command.output())
            .await
            .with_context(|| format!("`tidegate {line}` did not end within {DEADLINE:?}"))?
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let exit = output.status.code().with_context(|| format!("`tidegate {line}`: {}", output.status))?;
        let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Told { exit, json, line, text })
    }

    /// Starts a verb on the rollout and does not wait for its end; what it tells goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str], log: &Path) -> Result<Process> {
        self.start_verb(&[arguments, &["--store", &self.store, "--rollout", &self.rollout]].concat(), log)
    }

    /// The same for a verb that asks for no rollout.
    ///
    /// # Errors
    /// As [`Command::start`].
    pub fn start_verb(&self, arguments: &[&str], log: &Path) -> Result<Process> {
        let mut command = std::process::Command::new(&self.binary);
        command.args(arguments).args(["--output", "json"]);
        Process::start(&format!("tidegate {}", arguments.join(" ")), command, log)
    }

    /// Runs a verb that must end with this exit code and, if it fails, with this stable error code.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub async fn demand(&self, arguments: &[&str], exit: i32, code: &str) -> Result<Value> {
        let told = self.run(arguments).await?;
        let found = told.json["code"].as_str().unwrap_or_default();
        ensure!(told.exit == exit && found == code, "wanted exit code {exit} and {code:?}, not: {told}");
        Ok(told.json)
    }

    /// Runs a verb that must succeed.
    ///
    /// # Errors
    /// When it fails.
    pub async fn done(&self, arguments: &[&str]) -> Result<Value> {
        self.demand(arguments, 0, "").await
    }

    /// Waits until the rollout's status is as wanted, and returns it.
    ///
    /// # Errors
    /// At the deadline, with the last status.
    pub async fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(what, DEADLINE, async || {
            let told = self.run(&["status"]).await?;
            let holds = told.exit == 0 && wanted(&told.json);
            Ok(Observed::when(holds, told.json.clone(), || told.to_string()))
        })
        .await
    }

    /// Waits until a member has a role, such as `standby`.
    ///
    /// # Errors
    /// At the deadline, with the last status.
    pub async fn wait_role(&self, name: &str, role: &str) -> Result<Value> {
        self.wait_status(&format!("{name} is {role}"), |status| member(status, name)["role"] == role).await
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`tidegate {}` ended with {}: {}", self.line, self.exit, self.text)
    }
}

/// A member of a status; null when it is not there.
#[must_use]
pub fn member<'a>(status: &'a Value, name: &str) -> &'a Value {
    let members = status["members"].as_array().map_or(&[][..], Vec::as_slice);
    members.iter().find(|member| member["member"] == name).unwrap_or(&Value::Null)
}
