//! What is asked for by the command in a cell, again and again if it must be: a process that may be killed, and a look at what
//! has become of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::arena::{Arena, Side, job_name};
use super::{HandOver, files};
use crate::command::{Command, member};
use crate::kafka::stable_ends;
use crate::process::Process;
use crate::rest::{Job, JobState};
use crate::{Observed, wait_until};

/// For a whole phase of a cell, with the restart of whoever was killed in it.
pub(super) const PHASE_DEADLINE: Duration = Duration::from_secs(300);
/// Two seconds of the stream: the boundary is that far ahead, so that a kill finds the cutover committed and not finished.
const AHEAD: &str = "+120s";

/// A request to hand over to green.
#[derive(Debug)]
pub(super) struct Promotion {
    tidegate: Command,
    hand_over: HandOver,
    log: PathBuf,
    process: Option<Process>,
    /// How often it was asked for.
    pub(super) asked: usize,
    /// Who looks when the cutover is finished.
    looker: Looker,
}

/// Looks once at what is behind the exactly-once sinks.
#[derive(Debug)]
pub(super) struct Looker {
    pub(super) servers: String,
    pub(super) topic: String,
    pub(super) folder: PathBuf,
    /// What a reader could see.
    pub(super) seen: Option<Seen>,
}

/// What a reader could see at a moment.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Up to where, in each partition of the topic.
    pub(super) ends: BTreeMap<i32, i64>,
    /// The files.
    pub(super) files: BTreeSet<OsString>,
}

impl Looker {
    async fn look(&mut self) -> Result<()> {
        if self.seen.is_none() {
            let (servers, topic) = (self.servers.clone(), self.topic.clone());
            let files = files::visible(&self.folder)?;
            let ends = tokio::task::spawn_blocking(move || stable_ends(&servers, &topic)).await??;
            self.seen = Some(Seen { ends, files });
        }
        Ok(())
    }
}

impl Promotion {
    pub(super) fn new(tidegate: Command, hand_over: HandOver, log: PathBuf, looker: Looker) -> Self {
        Self { tidegate, hand_over, log, process: None, asked: 0, looker }
    }

    /// What a reader could see when the cutover was found to be finished.
    pub(super) fn seen(&mut self) -> Seen {
        self.looker.seen.take().unwrap_or_default()
    }

    /// Asks.
    pub(super) fn ask(&mut self) -> Result<()> {
        let line = ["promote", "--to", "green-1", "--at", AHEAD, "--hand-over", self.hand_over.as_str()];
        self.process = Some(self.tidegate.start(&line, &self.log)?);
        self.asked += 1;
        Ok(())
    }

    /// kill -9 of who has asked.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().context("nobody asks")?.kill()?;
        Ok(())
    }

    /// Waits until a cutover is in this state.
    pub(super) async fn wait_cutover(&self, state: &str) -> Result<()> {
        let gone_by = |status: &Value| status["active"] == "green-1";
        let there = |status: &Value| status["cutover"]["state"] == state || gone_by(status);
        let status = self.tidegate.wait_status(&format!("the cutover is {state}"), there).await?;
        ensure!(status["cutover"]["state"] == state, "the moment is missed: {status}");
        Ok(())
    }

    /// Fails when the cutover is no longer in this state.
    pub(super) async fn demand_cutover(&self, state: &str) -> Result<()> {
        let status = self.tidegate.done(&["status"]).await?;
        ensure!(status["cutover"]["state"] == state, "the moment is missed: {status}");
        Ok(())
    }

    /// Waits until green has the output and blue may be stopped; asks again when what was asked for has come to nothing. Returns
    /// the boundary.
    pub(super) async fn wait_done(&mut self) -> Result<i64> {
        wait_until("green has the output, and blue may be retired", PHASE_DEADLINE, async || {
            let told = self.tidegate.run(&["status"]).await?;
            let status = &told.json;
            if told.exit != 0 {
                return Ok(Observed::NotYet(told.to_string()));
            }
            if status["active"] == "green-1" {
                self.looker.look().await?;
            }
            let done = status["active"] == "green-1" && member(status, "blue-1")["retirable"] == true;
            if !done && status["active"] == "blue-1" && status["cutover"].is_null() && !self.asking()? {
                self.ask()?;
            }
            Ok(Observed::when(done, status.clone(), || told.to_string()))
        })
        .await
        .and_then(|status| boundary(&status))
    }

    fn asking(&mut self) -> Result<bool> {
        Ok(match &mut self.process {
            Some(process) => process.ended()?.is_none(),
            None => false,
        })
    }
}

/// Where the output went over to green.
fn boundary(status: &Value) -> Result<i64> {
    let history = status["history"].as_array().map_or(&[][..], Vec::as_slice);
    let done: Vec<&Value> = history.iter().filter(|past| past["outcome"] == "done").collect();
    let [cutover] = done[..] else { anyhow::bail!("not one cutover: {status}") };
    cutover["at"].as_i64().with_context(|| status.to_string())
}

/// The end of blue, by the command.
#[derive(Debug)]
pub(super) struct Retirement {
    tidegate: Command,
    line: Vec<String>,
    log: PathBuf,
    job: Job,
    process: Option<Process>,
}

impl Retirement {
    pub(super) fn new(arena: &Arena, rollout: &str, job: Job) -> Self {
        let url = arena.flink(Side::Blue).rest().base().to_owned();
        let line = vec!["terminate".into(), job_name(rollout, Side::Blue), "--url".into(), url];
        let log = arena.folder().join(format!("{rollout}-terminate.log"));
        Self { tidegate: arena.tidegate(rollout), line, log, job, process: None }
    }

    /// Asks.
    pub(super) fn ask(&mut self) -> Result<()> {
        let line: Vec<&str> = self.line.iter().map(String::as_str).collect();
        self.process = Some(self.tidegate.start_verb(&line, &self.log)?);
        Ok(())
    }

    /// kill -9 of who has asked.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().context("nobody asks")?.kill()?;
        Ok(())
    }

    /// Waits until the job has ended; asks again when what was asked for has come to nothing.
    pub(super) async fn wait_done(&mut self) -> Result<()> {
        wait_until("blue has ended", PHASE_DEADLINE, async || {
            let ended = match self.job.status().await {
                Ok(status) if status.state.is_terminal() => {
                    ensure!(
                        status.state == JobState::Finished,
                        "blue has not ended well: {}",
                        status.summary()
                    );
                    true
                }
                Ok(_) => false,
                // A JobManager that was killed meanwhile brings back all jobs but those that have ended.
                Err(error) if format!("{error:#}").contains("404 Not Found") => true,
                Err(error) => return Ok(Observed::NotYet(format!("{error:#}"))),
            };
            let asking = match &mut self.process {
                Some(process) => process.ended()?.is_none(),
                None => false,
            };
            if !ended && !asking {
                self.ask()?;
            }
            Ok(Observed::when(ended, (), || "it still runs".into()))
        })
        .await
    }
}
