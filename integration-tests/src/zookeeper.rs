//! ZooKeeper servers as processes, alone or as an ensemble, and their own command line client.

mod ensemble;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::certificates::Certificates;
use crate::maven::Libraries;
use crate::ports::Reservation;
use crate::process::Process;
use crate::{Observed, wait_until};

pub use ensemble::Ensemble;

const READY_DEADLINE: Duration = Duration::from_secs(60);
/// The server forgets a session that was silent for so long: what the store asks for. With less the client would give a server up
/// sooner than it does elsewhere, and a busy machine would look like one that has failed.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// A running server; dropping it kills it.
#[derive(Debug)]
pub struct ZooKeeper {
    folder: PathBuf,
    libraries: Libraries,
    port: u16,
    secure_port: u16,
    encrypted: bool,
    process: Option<Process>,
}

impl ZooKeeper {
    /// Starts a server below `folder` and waits until it serves.
    ///
    /// # Errors
    /// When the libraries cannot be had, the process ends, or it takes more than 60 s.
    pub async fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, None).await
    }

    /// The same, with a second port that speaks TLS and demands a client's certificate from the same authority.
    ///
    /// # Errors
    /// As [`ZooKeeper::start`].
    pub async fn start_encrypted(folder: &Path, certificates: &Certificates) -> Result<Self> {
        Self::start_with(folder, Some(certificates)).await
    }

    async fn start_with(folder: &Path, certificates: Option<&Certificates>) -> Result<Self> {
        let mut server = Self::prepare(&folder.join("zookeeper")).await?;
        if let Some(certificates) = certificates {
            server.configure(&encryption(server.secure_port, certificates))?;
            server.encrypted = true;
        }
        server.restart().await?;
        Ok(server)
    }

    async fn prepare(folder: &Path) -> Result<Self> {
        let libraries = Libraries::zookeeper().await?;
        fs::create_dir_all(folder.join("log")).context("cannot create the server's folder")?;
        let (port, secure) = (Reservation::take()?, Reservation::take()?);
        let (port, secure_port) = (port.release(), secure.release());
        let server =
            Self { folder: folder.to_owned(), libraries, port, secure_port, encrypted: false, process: None };
        server.configure(&basics(folder, port))?;
        Ok(server)
    }

    /// Adds lines to the server's configuration.
    fn configure(&self, lines: &str) -> Result<()> {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("zoo.cfg"));
        file.and_then(|mut file| file.write_all(lines.as_bytes())).context("cannot write the configuration")
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` for clients that speak TLS.
    #[must_use]
    pub fn secure_host(&self) -> String {
        format!("127.0.0.1:{}", self.secure_port)
    }

    /// How often these nodes were written since they are there, as `zkCli.sh stat` tells; one that is not there never was.
    ///
    /// # Errors
    /// As [`ZooKeeper::cli`].
    pub async fn writes(&self, nodes: &[String]) -> Result<u64> {
        let file = self.folder.join("stat");
        let commands: String = nodes.iter().map(|node| format!("stat {node}\n")).collect();
        fs::write(&file, commands)?;
        let told = self.cli_from(&file).await?;
        let versions = told.lines().filter_map(|line| line.strip_prefix("dataVersion = "));
        versions.map(|version| Ok(version.trim().parse::<u64>()? + 1)).sum()
    }

    /// The port for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process, to freeze it.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// What the server has logged.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(self.folder.join("log/zookeeper.log")).context("cannot read the server's log")
    }

    /// How many sessions have been forgotten so far, because nothing was heard of them.
    ///
    /// # Errors
    /// As [`ZooKeeper::log`].
    pub fn expired_sessions(&self) -> Result<usize> {
        let told = format!("timeout of {}ms exceeded", SESSION_TIMEOUT.as_millis());
        Ok(self.log()?.matches(&told).count())
    }

    /// kill -9.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the server does not run")?.kill()?;
        Ok(())
    }

    /// Starts the server on the data and port that it had, and waits until it serves.
    ///
    /// # Errors
    /// When it runs already, ends, or it takes more than 60 s.
    pub async fn restart(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_ready().await
    }

    fn launch(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the server runs already");
        }
        // Nothing here has to outlive the machine; a kill -9 loses nothing that was handed to the system.
        let mut java = self.java(&["-Xms32m", "-Xmx128m", "-Dzookeeper.forceSync=no"]);
        java.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(self.folder.join("zoo.cfg"));
        let log = self.folder.join("log/zookeeper.log");
        self.process = Some(Process::start("the ZooKeeper server", java, &log)?);
        Ok(())
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let (host, secure_host) = (self.host(), self.secure_host());
        wait_until("the ZooKeeper server serves", READY_DEADLINE, async || {
            if let Some(process) = &mut self.process {
                process.check_alive()?;
            }
            if self.encrypted && TcpStream::connect(&secure_host).await.is_err() {
                return Ok(Observed::NotYet("the port for TLS is closed".into()));
            }
            let told = ask(&host, "srvr").await;
            Ok(Observed::or_not_yet(
                told.map(|told| Observed::when(told.contains("Mode: "), (), || format!("it says {told:?}"))),
            ))
        })
        .await
    }

    /// Runs one command of `zkCli.sh`, such as `set /path value`, as a person does; returns what it prints.
    ///
    /// # Errors
    /// When the command fails, with what it has printed.
    pub async fn cli(&self, command: &[&str]) -> Result<String> {
        self.run_cli(command, Stdio::null()).await
    }

    /// The same with a file of commands, one a line: longer ones than an argument may be.
    ///
    /// # Errors
    /// As [`ZooKeeper::cli`].
    pub async fn cli_from(&self, commands: &Path) -> Result<String> {
        self.run_cli(&[], fs::File::open(commands)?.into()).await
    }

    async fn run_cli(&self, command: &[&str], input: Stdio) -> Result<String> {
        let mut java = self.java(&["-Xms16m", "-Xmx64m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        java.args(["org.apache.zookeeper.ZooKeeperMain", "-server", &self.host()]).args(command);
        let output = tokio::process::Command::from(java).stdin(input).output().await;
        let output = output.context("cannot run `java`: install a JDK 17 and put it on the PATH")?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("zkCli {command:?} has failed ({}): {out}{err}", output.status);
        }
        Ok(out.into_owned())
    }

    fn java(&self, flags: &[&str]) -> Command {
        let mut java = Command::new("java");
        java.args(flags).args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        java.arg(self.libraries.classpath()).current_dir(&self.folder);
        java
    }
}

/// One of the four-letter words. A server that has just begun to listen may never answer.
async fn ask(host: &str, word: &str) -> Result<String> {
    let answer = async {
        let mut stream = TcpStream::connect(host).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut told = String::new();
        stream.read_to_string(&mut told).await?;
        Ok(told)
    };
    tokio::time::timeout(Duration::from_secs(1), answer).await.context("no answer")?
}

fn basics(folder: &Path, port: u16) -> String {
    let (data, session_timeout) = (folder.join("data"), SESSION_TIMEOUT.as_millis());
    format!(
        "tickTime=500
dataDir={}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
maxClientCnxns=0
maxSessionTimeout={session_timeout}
",
        data.display()
    )
}

fn encryption(port: u16, certificates: &Certificates) -> String {
    format!(
        "secureClientPort={port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider
ssl.keyStore.location={}
ssl.keyStore.type=PEM
ssl.trustStore.location={}
ssl.trustStore.type=PEM
",
        certificates.server().display(),
        certificates.authority().display()
    )
}
