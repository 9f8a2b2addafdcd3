//! A real `tidegate sidecar`, beside all JVMs of one cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tokio::net::UnixStream;

use super::DEADLINE;
use crate::process::Process;
use crate::{Observed, wait_until};

/// Dropping it kills it.
#[derive(Debug)]
pub(super) struct Sidecar {
    binary: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Sidecar {
    /// Starts one with its socket below `folder`, and waits until it takes connections.
    pub(super) async fn start(binary: &Path, folder: &Path, color: &str) -> Result<Self> {
        let path = |ending: &str| folder.join(format!("{color}-sidecar.{ending}"));
        let mut sidecar =
            Self { binary: binary.into(), socket: path("sock"), log: path("log"), process: None };
        sidecar.launch().await?;
        Ok(sidecar)
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// kill -9.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().context("the sidecar does not run")?.kill()?;
        Ok(())
    }

    /// Starts it (again), and waits until it takes connections.
    pub(super) async fn launch(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the sidecar runs already");
        let mut command = Command::new(&self.binary);
        command.arg("sidecar").arg("--socket").arg(&self.socket);
        let process = self.process.insert(Process::start("the sidecar", command, &self.log)?);
        wait_until("the sidecar takes connections", DEADLINE, async || {
            process.check_alive()?;
            let connected = UnixStream::connect(&self.socket).await;
            Ok(Observed::or_not_yet(connected.map(|_| Observed::Reached(())).map_err(Into::into)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scratch, binary};

    #[tokio::test]
    async fn a_killed_one_is_started_again_at_its_socket() -> Result<()> {
        let binary = binary::tidegate().await?;
        Scratch::new("sidecar")?
            .run(async |folder| {
                let mut sidecar = Sidecar::start(&binary, folder, "blue").await?;
                assert!(sidecar.launch().await.is_err());
                sidecar.kill()?;
                assert!(sidecar.kill().is_err());
                assert!(UnixStream::connect(sidecar.socket()).await.is_err());
                sidecar.launch().await
            })
            .await
    }
}
