//! The binary, as it is typed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::process::Process;

const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

pub(crate) const DONE: i32 = 0;
pub(crate) const FAILED: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const TIMEOUT: i32 = 3;
pub(crate) const ROLLED_BACK: i32 = 4;
pub(crate) const REFUSED: i32 = 5;
pub(crate) const FENCED: i32 = 6;
pub(crate) const UNREACHABLE: i32 = 7;

/// Nothing that is typed here takes longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// With the account of a kubeconfig.
#[derive(Clone)]
pub(crate) struct Typed {
    kubeconfig: PathBuf,
    /// Where it keeps what it remembers.
    state: PathBuf,
}

/// How it ended.
#[derive(Debug)]
#[allow(dead_code, reason = "the line is for messages, by Debug")]
pub(crate) struct Said {
    line: String,
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Typed {
    pub(crate) fn new(kubeconfig: &Path, state: &Path) -> Typed {
        Typed { kubeconfig: kubeconfig.to_owned(), state: state.to_owned() }
    }

    /// Types a line; words are parted by blanks.
    pub(crate) async fn line(&self, line: &str) -> Result<Said> {
        let mut command = Command::new(TIDEGATE);
        command.args(line.split_whitespace());
        self.say(command, line).await
    }

    /// Types a line into a shell that stands in a folder.
    pub(crate) async fn in_shell(&self, line: &str, folder: &Path) -> Result<Said> {
        self.say(shell(line, folder)?, line).await
    }

    /// Starts a line in a shell that stands in a folder; it is the line's process, and writes into the log.
    pub(crate) fn start(&self, line: &str, kubeconfig: &Path, folder: &Path, log: &Path) -> Result<Process> {
        let mut command = shell(&format!("exec {line}"), folder)?;
        self.surround(&mut command);
        command.env("KUBECONFIG", kubeconfig);
        Process::start(line, command, log)
    }

    /// The files in which it remembers jobs.
    pub(crate) fn remembered(&self) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.state.join("tidegate"))?;
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.retain(|path| path.is_file());
        ensure!(!files.is_empty(), "nothing is remembered");
        Ok(files)
    }

    fn surround(&self, command: &mut Command) {
        command.env("KUBECONFIG", &self.kubeconfig).env("USER", "ann").env("NO_COLOR", "1");
        command.env("XDG_STATE_HOME", &self.state);
        command.env_remove("TIDEGATE_STORE").env_remove("TIDEGATE_ROLLOUT");
    }

    async fn say(&self, mut command: Command, line: &str) -> Result<Said> {
        self.surround(&mut command);
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(DEADLINE, command.output())
            .await
            .with_context(|| format!("`{line}` did not end within {DEADLINE:?}"))??;
        let exit = output.status.code().with_context(|| format!("`{line}`: {}", output.status))?;
        let text = |bytes| String::from_utf8(bytes);
        Ok(Said { line: line.to_owned(), exit, out: text(output.stdout)?, err: text(output.stderr)? })
    }

    /// It is done; what it has said as JSON.
    pub(crate) async fn done(&self, line: &str) -> Result<Value> {
        let said = self.line(&format!("{line} --output json")).await?;
        ensure!(said.exit == DONE && said.err.is_empty(), "{said:?}");
        serde_json::from_str(&said.out).with_context(|| format!("{said:?}"))
    }

    /// It is done; what it has said for people.
    pub(crate) async fn text(&self, line: &str) -> Result<String> {
        let said = self.line(line).await?;
        ensure!(said.exit == DONE, "{said:?}");
        Ok(said.out)
    }

    /// It ends so, with these words on standard error and nothing on standard output.
    pub(crate) async fn fails(&self, line: &str, exit: i32, words: &[&str]) -> Result<()> {
        let said = self.line(line).await?;
        ensure!(said.exit == exit && said.out.is_empty(), "expected {exit}: {said:?}");
        ensure!(words.iter().all(|word| said.err.contains(word)), "expected {words:?}: {said:?}");
        Ok(())
    }
}

/// It finds this binary by its name.
fn shell(line: &str, folder: &Path) -> Result<Command> {
    let own = Path::new(TIDEGATE).parent().context("no folder")?.to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder);
    command.env("PATH", std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&others)))?);
    Ok(command)
}
