//! `tidegate controller` as a process that is killed and started again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, wait_until};

use super::case::DEADLINE;

/// One controller, in its lives one after the other.
pub(crate) struct Controller {
    namespace: String,
    identity: String,
    kubeconfig: PathBuf,
    log: PathBuf,
    lives: AtomicU32,
    process: Mutex<Option<Process>>,
}

impl Controller {
    pub(crate) fn new(namespace: &str, identity: &str, kubeconfig: &Path, folder: &Path) -> Controller {
        Controller {
            namespace: namespace.to_owned(),
            identity: identity.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            log: folder.join(format!("{identity}.log")),
            lives: AtomicU32::new(0),
            process: Mutex::new(None),
        }
    }

    /// Starts it, if it does not run.
    pub(crate) fn start(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.is_none() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
            command.args(["controller", "--namespace", &self.namespace, "--identity", &self.identity]);
            command.args(["--lease-duration", "5s", "--listen", "127.0.0.1:0"]);
            command.env("KUBECONFIG", &self.kubeconfig);
            self.lives.fetch_add(1, Ordering::Relaxed);
            *process = Some(Process::start("the controller", command, &self.log)?);
        }
        Ok(())
    }

    /// kill -9.
    pub(crate) fn kill(&self) -> Result<()> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        process.context("the controller does not run")?.kill()?;
        Ok(())
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn end(&self) -> Result<()> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut process = process.context("the controller does not run")?;
        process.terminate()?;
        wait_until("the controller ends", DEADLINE, async || {
            let ended = process.ended()?;
            Ok(Observed::when(ended.is_some_and(|status| status.success()), (), || format!("{ended:?}")))
        })
        .await
    }

    /// How often it was started.
    pub(crate) fn lives(&self) -> u32 {
        self.lives.load(Ordering::Relaxed)
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check_alive(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_mut().map_or(Ok(()), Process::check_alive)
    }

    /// All that it has said.
    pub(crate) fn said(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())
    }
}
