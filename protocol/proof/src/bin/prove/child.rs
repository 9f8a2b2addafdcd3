//! One process at a time, with an end: a mutant may hang, panic, or fill the memory of its own process only.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
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
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    let status = wait(&mut child, begin + limit)?;
    let text =
        |reader: Option<JoinHandle<String>>| reader.and_then(|reader| reader.join().ok()).unwrap_or_default();
    Ok(Ended { status, stdout: text(stdout), stderr: text(stderr), seconds: begin.elapsed().as_secs_f64() })
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth reading.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, until: Instant) -> anyhow::Result<Option<ExitStatus>> {
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
