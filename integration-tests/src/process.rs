//! A child process that writes into a log file and never outlives this process.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::scratch::tail;

/// A running child; dropping it kills it (SIGKILL) and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with standard output and error appended to `log`.
    ///
    /// # Errors
    /// When the program is missing or the log cannot be opened.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        let same = file.try_clone().context("cannot share the log file")?;
        command.stdin(Stdio::null()).stdout(file).stderr(same);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = start_in_lasting_thread(command)
            .with_context(|| format!("cannot start {name}: is `{program}` installed and on the PATH?"))?;
        Ok(Self { name: name.into(), child, log: log.into() })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails when the process has ended, with the end of its log: call it in every wait for its readiness.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended ({status}); the end of its log:\n{}", self.name, tail(&self.log, 30));
        }
        Ok(())
    }

    /// How it has ended; `None` while it runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask for {}", self.name))
    }

    /// Asks the process to end (SIGTERM), if it runs.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&mut self) -> Result<()> {
        if self.ended()?.is_none() { self.signal(Signal::TERM) } else { Ok(()) }
    }

    /// kill -9, and waits until the process is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<ExitStatus> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Freezes the process (SIGSTOP): it keeps its connections and answers nothing until [`Process::thaw`].
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on (SIGCONT).
    ///
    /// # Errors
    /// When it has ended.
    pub fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        self.check_alive()?;
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        rustix::process::kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The death signal is sent when the *thread* that started the child ends, and test threads and blocking threads end
/// early: one thread that lasts as long as the process starts all children.
fn start_in_lasting_thread(command: Command) -> io::Result<Child> {
    static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                die_with_parent(&mut command);
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    let gone = |_| io::Error::other("the thread that starts processes is gone");
    STARTER
        .send((command, answer))
        .map_err(|_| io::Error::other("the thread that starts processes is gone"))?;
    child.recv().map_err(gone)?
}

/// In a process group of its own a child does not see the terminal's Ctrl-C; it dies when this process is dead.
#[allow(
    unsafe_code,
    reason = "pre_exec is unsafe; the closure only makes two system calls and allocates nothing"
)]
fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    command.process_group(0);
    let before_exec = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the signal was armed.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    };
    // SAFETY: see the reason above: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(before_exec);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Observed, Scratch, wait_until};

    fn exists(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn dropping_kills() {
        let scratch = Scratch::new("drop").unwrap();
        let mut command = Command::new("sleep");
        command.arg("1000");
        let process = Process::start("sleep", command, &scratch.path().join("sleep.log")).unwrap();
        let id = process.id();
        assert!(exists(id));
        drop(process);
        assert!(!exists(id));
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let scratch = Scratch::new("thread").unwrap();
        let log = scratch.path().join("sleep.log");
        let mut process = thread::spawn(move || {
            let mut command = Command::new("sleep");
            command.arg("1000");
            Process::start("sleep", command, &log).unwrap()
        })
        .join()
        .unwrap();
        process.check_alive().unwrap();
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_told_with_its_log() {
        let scratch = Scratch::new("end").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo out of coffee; exit 3"]);
        let mut process = Process::start("brewer", command, &scratch.path().join("brewer.log")).unwrap();
        let error = wait_until("never", Duration::from_secs(20), async || {
            process.check_alive()?;
            Ok(Observed::<()>::NotYet("alive".into()))
        })
        .await
        .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("brewer has ended (exit status: 3)") && text.contains("out of coffee"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let scratch = Scratch::new("missing").unwrap();
        let error = Process::start("it", Command::new("no-such-program"), &scratch.path().join("it.log"))
            .unwrap_err();
        assert!(format!("{error:#}").contains("is `no-such-program` installed"), "{error:#}");
    }
}
