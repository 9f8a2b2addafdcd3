//! The `tidegate` command, used as any operator or pipeline uses it: as a process, with its JSON output.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::levels::Status;
use crate::parts::{OUTPUT, ROLLOUT};
use crate::truth::ROW_TIME_OFFSET_MS;

const STATUS_DEADLINE: Duration = Duration::from_secs(10);
const PROMOTE_DEADLINE: Duration = Duration::from_secs(90);
const VERIFY_DEADLINE: Duration = Duration::from_secs(120);

/// The command, for one rollout in one store.
#[derive(Debug, Clone)]
pub(crate) struct Tidegate {
    binary: PathBuf,
    store: String,
}

/// What `promote` tells when it is done.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Promoted {
    pub(crate) outcome: String,
    pub(crate) attempt: u64,
    pub(crate) boundary: i64,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// A cutover that is over, as `status` tells it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Cutover {
    outcome: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The boundary.
    pub(crate) at: i64,
    pub(crate) seconds: f64,
}

/// What `verify` tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Verified {
    pub(crate) expected: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) wrong: u64,
    pub(crate) unexpected: u64,
    pub(crate) colors: std::collections::BTreeMap<String, Found>,
    #[serde(default)]
    pub(crate) examples: Value,
}

/// One owner's part of [`Verified`].
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Found {
    pub(crate) found: u64,
}

impl Tidegate {
    pub(crate) fn new(binary: &Path, store: &str) -> Self {
        Self { binary: binary.into(), store: store.into() }
    }

    /// # Errors
    /// When the command fails or tells something else.
    pub(crate) async fn status(&self) -> Result<Status> {
        let printed = self.run(&["status"], STATUS_DEADLINE).await?;
        Status::read(&printed.json()?)
    }

    /// The cutovers that were done, oldest first.
    ///
    /// # Errors
    /// When the command fails or tells something else.
    pub(crate) async fn cutovers(&self) -> Result<Vec<Cutover>> {
        let printed = self.run(&["status"], STATUS_DEADLINE).await?;
        let status = printed.json()?;
        let history = status["history"].as_array().context("the status has no history")?;
        let past: Vec<Cutover> = history
            .iter()
            .map(|past| Ok(serde_json::from_value(past.clone())?))
            .collect::<Result<_>>()
            .with_context(|| format!("the history of the status: {}", status["history"]))?;
        Ok(past.into_iter().filter(|past| past.outcome == "done").collect())
    }

    /// Asks for the cutover, and waits for its end.
    ///
    /// # Errors
    /// When it was not done.
    pub(crate) async fn promote(&self) -> Result<Promoted> {
        let printed = self.run(&["promote", "--at", "now"], PROMOTE_DEADLINE).await?;
        let promoted: Promoted = serde_json::from_value(printed.json()?)
            .with_context(|| format!("`tidegate promote` printed: {}", printed.stdout))?;
        if promoted.outcome != "done" {
            bail!("the cutover was not done: {}", printed.stdout);
        }
        Ok(promoted)
    }

    /// Compares the output with the truth, given the rows of each owner for the whole year, and who owned what, as
    /// `OWNER@SINCE`; rows that differ are told, and are no error here.
    ///
    /// # Errors
    /// When the comparison could not be made.
    pub(crate) async fn verify(
        &self,
        bootstrap_servers: &str,
        truths: &[(&str, &Path)],
        owners: &[String],
    ) -> Result<Verified> {
        let expected: Vec<String> =
            truths.iter().map(|(owner, file)| format!("{owner}={}", file.display())).collect();
        let offset = ROW_TIME_OFFSET_MS.to_string();
        let mut arguments = vec!["verify", "--bootstrap-servers", bootstrap_servers, "--topic", OUTPUT];
        arguments.extend(expected.iter().flat_map(|expected| ["--expected", expected]));
        arguments.extend(owners.iter().flat_map(|owner| ["--owner", owner]));
        arguments.extend([
            "--key",
            "origin",
            "--key",
            "hour",
            "--time-field",
            "hour",
            "--time-offset-ms",
            &offset,
        ]);
        let printed = self.spawn(&arguments, VERIFY_DEADLINE).await?;
        // Its exit code says that rows differ; so does its JSON.
        let verified = printed.json().and_then(|json| Ok(serde_json::from_value(json)?));
        verified.with_context(|| printed.failure("verify"))
    }

    /// A verb on the rollout that must succeed.
    async fn run(&self, arguments: &[&str], deadline: Duration) -> Result<Printed> {
        let mut all = arguments.to_vec();
        all.extend(["--store", &self.store, "--rollout", ROLLOUT]);
        let printed = self.spawn(&all, deadline).await?;
        if !printed.success {
            bail!(printed.failure(arguments.first().copied().unwrap_or_default()));
        }
        Ok(printed)
    }

    async fn spawn(&self, arguments: &[&str], deadline: Duration) -> Result<Printed> {
        let mut command = tokio::process::Command::new(&self.binary);
        command.args(arguments).args(["--output", "json"]).stdin(Stdio::null()).kill_on_drop(true);
        let line = arguments.join(" ");
        let output = tokio::time::timeout(deadline, command.output())
            .await
            .with_context(|| format!("`tidegate {line}` did not end within {deadline:?}"))?
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Ok(Printed { success: output.status.success(), status: output.status.to_string(), stdout, stderr })
    }
}

#[derive(Debug)]
struct Printed {
    success: bool,
    status: String,
    stdout: String,
    stderr: String,
}

impl Printed {
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("this is not JSON: {}", self.stdout))
    }

    fn failure(&self, verb: &str) -> String {
        format!("`tidegate {verb}` has failed ({}): {}\n{}", self.status, self.stderr, self.stdout)
    }
}
