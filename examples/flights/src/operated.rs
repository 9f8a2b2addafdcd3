//! The story of the operated demo: a resource is edited, and the controller does all the rest.
//!
//! Version 1 runs; the resource is edited to version 2 with another parallelism, and goes over by itself; then it is edited to
//! version 3, which crashes after it has taken over, and the output goes back to version 2 by itself. Nobody promotes, stops or
//! starts anything.

mod lane;
mod outcome;
mod parts;
mod resource;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tidegate_integration_tests::kafka::LiveReader;
use tidegate_integration_tests::{Observed, wait_until};

use crate::flight::readable;
use crate::narrator::Narrator;
use crate::parts::{INPUT, OUTPUT};
use crate::replay::Replay;
use crate::story::row_time;
use crate::tidegate::{Cutover, Tidegate};
use crate::truth::{MAX_DELAY_MINUTES, Truth, Version};
use crate::{input, pause};
pub(crate) use lane::On;
pub(crate) use outcome::Outcome;
use parts::Parts;
use resource::{Edit, Status};

const SECOND_AT_PERCENT: u32 = 8;
const THIRD_AT_PERCENT: u32 = 40;
const DEADLINE: Duration = Duration::from_secs(600);
/// How many rows version 3 writes before it crashes, in each subtask of its sink.
const CRASH_AFTER_ROWS: u32 = 100;

/// The edits, in their order.
const FIRST: Edit = Edit { version: "v1", parallelism: 2, crash_after_rows: 0 };
const SECOND: Edit = Edit { version: "v2", parallelism: 3, crash_after_rows: 0 };
const THIRD: Edit = Edit { version: "v3", parallelism: 2, crash_after_rows: CRASH_AFTER_ROWS };

/// What to tell.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) flink: String,
    pub(crate) on: On,
    pub(crate) replay: Duration,
    pub(crate) tidegate: PathBuf,
    pub(crate) jar: PathBuf,
}

/// Starts everything below `folder`, edits the resource and compares every row.
///
/// # Errors
/// When a part fails or does not get where it should within its deadline. A wrong output is no error here: see
/// [`Outcome::demand_exact`].
pub(crate) async fn tell(folder: &Path, plan: &Plan) -> Result<Outcome> {
    let narrator = Narrator::new();
    let flights = Arc::new(input::flights().await?);
    let truth = Truth::of(&flights, MAX_DELAY_MINUTES);
    narrator.say(&format!("{} flights of 2013; {} rows to expect", flights.len(), truth.rows()));
    let parts = Parts::start(folder, plan, &narrator).await?;
    let tidegate = Tidegate::new(&plan.tidegate, parts.people());
    let mut show = Show { narrator, parts, tidegate, edited: Instant::now(), rollouts: 0 };

    show.edit(FIRST).await?;
    show.live(FIRST, "blue-1").await?;
    let servers = show.parts.kafka.bootstrap_servers();
    let mut reader = LiveReader::start(&servers, OUTPUT)?;
    let replay = Replay::start(flights, show.parts.kafka.producer()?, INPUT, plan.replay);
    show.narrator.say(&format!("the year begins and will last {} s", plan.replay.as_secs()));

    flow_until(&replay, SECOND_AT_PERCENT, plan.replay).await?;
    show.edit(SECOND).await?;
    show.live(SECOND, "green-1").await?;

    flow_until(&replay, THIRD_AT_PERCENT, plan.replay).await?;
    show.edit(THIRD).await?;
    show.given_back("green-1").await?;

    wait_for_the_end(&replay, &mut reader, &truth, plan.replay).await?;
    show.narrator.say("the year is over, and its last row is there");
    let cutovers = show.tidegate.cutovers().await?;
    show.parts.delete_resource().await?;
    show.narrator.say("the resource is deleted, and its job is stopped with a savepoint");
    let verified = verify(folder, &show, &truth, &cutovers).await?;
    let rows: Vec<_> = reader.stop()?.iter().filter_map(|row| Some((row_time(row)?, row.arrived))).collect();
    let pauses = cutovers.iter().filter_map(|cutover| pause::milliseconds(&rows, cutover.at));
    Ok(Outcome {
        flink: plan.flink.clone(),
        on: plan.on,
        rollouts: show.rollouts,
        pause_ms: pauses.max(),
        cutovers,
        verified,
    })
}

/// The parts while the story runs.
struct Show {
    narrator: Narrator,
    parts: Parts,
    tidegate: Tidegate,
    /// When the resource was last edited.
    edited: Instant,
    rollouts: u32,
}

impl Show {
    async fn edit(&mut self, edit: Edit) -> Result<()> {
        self.parts.apply(edit).await?;
        self.rollouts += 1;
        self.edited = Instant::now();
        let crash = if edit.crash_after_rows > 0 { ", which will crash once it has taken over" } else { "" };
        self.narrator.say(&format!(
            "kubectl apply: version {}, parallelism {}{crash}",
            edit.version, edit.parallelism
        ));
        Ok(())
    }

    /// Until the version of that member has the output and was accepted.
    async fn live(&mut self, edit: Edit, member: &str) -> Result<()> {
        self.follow(&format!("{member} is live"), |status| {
            if let Some(failure) = status.degraded() {
                bail!("version {} was given up: {failure}", edit.version);
            }
            Ok(status.is_ready() && status.active() == Some(member))
        })
        .await?;
        let took = self.edited.elapsed().as_secs_f64();
        self.narrator
            .say(&format!("version {} is live as {member}, {took:.0} s after the edit", edit.version));
        Ok(())
    }

    /// Until the new version was given up, and that member has the output again.
    async fn given_back(&mut self, member: &str) -> Result<()> {
        let reason = self
            .follow(&format!("{member} has the output again"), |status| {
                if status.is_ready() {
                    bail!(
                        "version 3 was accepted before it had rows enough to crash: take a longer --seconds"
                    );
                }
                let is_over = status.phase() == "Idle" && status.active() == Some(member);
                Ok(is_over && status.degraded().is_some())
            })
            .await?;
        let took = self.edited.elapsed().as_secs_f64();
        self.narrator.say(&format!("{member} has the output again, {took:.0} s after the edit: {reason}"));
        Ok(())
    }

    /// Says each phase that the resource comes to; returns why it is degraded.
    async fn follow(&mut self, what: &str, done: impl Fn(&Status) -> Result<bool>) -> Result<String> {
        let mut phase = String::new();
        let (narrator, parts) = (&self.narrator, &mut self.parts);
        wait_until(what, DEADLINE, async || {
            let status = parts.status().await?;
            if status.phase() != phase {
                phase = status.phase().to_owned();
                narrator.say(&format!("  {}", status.line()));
            }
            let degraded = status.degraded().unwrap_or_default();
            Ok(Observed::when(done(&status)?, degraded, || status.line()))
        })
        .await
    }
}

async fn flow_until(replay: &Replay, percent: u32, time: Duration) -> Result<()> {
    wait_until(&format!("{percent} % are replayed"), time + DEADLINE, async || {
        replay.is_done()?;
        let now = replay.percent();
        Ok(Observed::when(now >= f64::from(percent), (), || format!("{now:.1} %")))
    })
    .await
}

async fn wait_for_the_end(
    replay: &Replay,
    reader: &mut LiveReader,
    truth: &Truth,
    time: Duration,
) -> Result<()> {
    wait_until("all flights are replayed", time + DEADLINE, async || {
        Ok(Observed::when(replay.is_done()?, (), || format!("{} sent", replay.sent())))
    })
    .await?;
    let last = truth.last_row_time().context("there are no rows")?;
    wait_until("the last row of the year is read", DEADLINE, async || {
        let newest = reader.look(|records| records.iter().rev().take(300).filter_map(row_time).max())?;
        let seen = || format!("the newest row is of {}", newest.map_or_else(String::new, readable));
        Ok(Observed::when(newest == Some(last), (), seen))
    })
    .await
}

/// Each member's rows are those of its version.
async fn verify(
    folder: &Path,
    show: &Show,
    truth: &Truth,
    cutovers: &[Cutover],
) -> Result<crate::tidegate::Verified> {
    let versions = [("v1", Version::V1), ("v2", Version::V2), ("v3", Version::V3)];
    let mut files = Vec::new();
    for (name, version) in versions {
        let file = folder.join(format!("{name}.jsonl"));
        fs::write(&file, truth.lines(version)).context("cannot write the truth")?;
        files.push((name, file));
    }
    let mut owners = vec!["v1".to_owned()];
    for cutover in cutovers {
        owners.push(format!("{}@{}", version_of(&cutover.to)?, cutover.at));
    }
    let truths: Vec<(&str, &Path)> = files.iter().map(|(name, file)| (*name, file.as_path())).collect();
    let verified = show.tidegate.verify(&show.parts.kafka.bootstrap_servers(), &truths, &owners).await?;
    show.narrator.say("every row is compared with the truth\n");
    Ok(verified)
}

/// What a member was started as: the first of each color, then the second blue one.
fn version_of(member: &str) -> Result<&'static str> {
    match member {
        "blue-1" => Ok("v1"),
        "green-1" => Ok("v2"),
        "blue-2" => Ok("v3"),
        other => bail!("nobody was to become {other}"),
    }
}
