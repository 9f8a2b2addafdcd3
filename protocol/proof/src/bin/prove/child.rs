//! One process at a time, with an end: a mutant may hang, panic, or fill the memory of its own process only.

use std::convert::Infallible;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use tidegate_proof::mutants::VARIABLE;

/// How a process ended.
pub(crate) struct Ended {
    /// `None` when it had to be stopped.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) seconds: f64,
}

impl Ended {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// What it said when it panicked.
    pub(crate) fn panic(&self) -> Option<String> {
        let (_, said) = self.stderr.split_once("panicked at ")?;
        Some(format!("panic at {}", said.lines().take(2).collect::<Vec<_>>().join(" ")))
    }
}

/// Runs a program, with a mutant active or none, in a folder, for at most so long.
pub(crate) fn run(
    program: &Path,
    arguments: &[&str],
    mutant: Option<&str>,
    folder: &Path,
    limit: Duration,
) -> anyhow::Result<Ended> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_remove(VARIABLE).env("RUST_BACKTRACE", "0");
    command.envs(mutant.map(|mutant| (VARIABLE, mutant)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn().with_context(|| program.display().to_string())?;
    let (open, closed) = mpsc::channel();
    let stdout = drain(child.stdout.take().context("no standard output")?, open.clone());
    let stderr = drain(child.stderr.take().context("no standard error")?, open);
    let ended = closed.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected);
    if !ended {
        child.kill()?;
    }
    let status = child.wait()?;
    Ok(Ended {
        status: ended.then_some(status),
        stdout: text(stdout)?,
        stderr: text(stderr)?,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

type Reader = JoinHandle<io::Result<Vec<u8>>>;

/// Reads to the end, which is that of the process, and lets go of `open` then.
fn drain(mut pipe: impl Read + Send + 'static, open: Sender<Infallible>) -> Reader {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.read_to_end(&mut bytes);
        drop(open);
        read.map(|_| bytes)
    })
}

fn text(reader: Reader) -> anyhow::Result<String> {
    let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
    let bytes = read.context("cannot read what a process says")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Ended {
        run(Path::new("sh"), &["-c", script], None, Path::new("/"), limit).expect("a shell")
    }

    #[test]
    fn what_has_ended_is_told_with_all_that_it_said() {
        let ended = shell("echo much; echo wrong >&2; exit 3", Duration::from_secs(60));
        assert_eq!(ended.status.and_then(|status| status.code()), Some(3));
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("much\n", "wrong\n"));
    }

    #[test]
    fn what_does_not_end_is_stopped() {
        assert_eq!(shell("exec sleep 1000", Duration::from_millis(50)).status, None);
    }
}
