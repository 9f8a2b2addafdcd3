//! Three servers that elect a leader.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{ZooKeeper, ask};
use crate::ports::Reservation;
use crate::process::Process;
use crate::{Observed, wait_until};

const SERVERS: usize = 3;
const ELECTION_DEADLINE: Duration = Duration::from_secs(60);

/// Servers with a common history; dropping it kills them.
#[derive(Debug)]
pub struct Ensemble {
    servers: Vec<ZooKeeper>,
}

impl Ensemble {
    /// Starts three servers below `folder` and waits until all serve.
    ///
    /// # Errors
    /// As [`ZooKeeper::start`].
    pub async fn start(folder: &Path) -> Result<Self> {
        let mut lines = String::from("initLimit=20\nsyncLimit=10\n");
        for number in 1..=SERVERS {
            let (quorum, election) = (Reservation::take()?, Reservation::take()?);
            lines += &format!("server.{number}=127.0.0.1:{}:{}\n", quorum.release(), election.release());
        }
        let mut servers = Vec::new();
        for number in 1..=SERVERS {
            let server = ZooKeeper::prepare(&folder.join(format!("zookeeper-{number}"))).await?;
            server.configure(&lines)?;
            let data = server.folder.join("data");
            fs::create_dir_all(&data).context("cannot create the server's folder")?;
            fs::write(data.join("myid"), number.to_string())?;
            servers.push(server);
        }
        for server in &mut servers {
            server.launch()?;
        }
        for server in &mut servers {
            server.wait_ready().await?;
        }
        Ok(Self { servers })
    }

    /// `host:port` of each server.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.servers.iter().map(ZooKeeper::host).collect()
    }

    /// `host:port` of each server that does not lead.
    ///
    /// # Errors
    /// When no leader is elected within 60 s.
    pub async fn followers(&mut self) -> Result<Vec<String>> {
        let leader = self.leader().await?.host();
        Ok(self.hosts().into_iter().filter(|host| *host != leader).collect())
    }

    /// Lets all go on that were frozen.
    ///
    /// # Errors
    /// When one has ended.
    pub fn thaw_all(&mut self) -> Result<()> {
        self.servers.iter_mut().filter_map(ZooKeeper::process).try_for_each(Process::thaw)
    }

    /// The server that leads, once there is one.
    ///
    /// # Errors
    /// When none is elected within 60 s.
    pub async fn leader(&mut self) -> Result<&mut ZooKeeper> {
        let hosts = self.hosts();
        let leader = wait_until("a leader is elected", ELECTION_DEADLINE, async || {
            let mut said = Vec::new();
            for host in &hosts {
                said.push(ask(host, "srvr").await.unwrap_or_else(|error| error.to_string()));
            }
            let leader = said.iter().position(|told| told.contains("Mode: leader"));
            Ok(leader.map_or_else(|| Observed::NotYet(said.join("; ")), Observed::Reached))
        })
        .await?;
        self.servers.get_mut(leader).context("it is one of them")
    }
}
