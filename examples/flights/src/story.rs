//! The story: blue runs, green starts beside it, the output is handed over, blue retires, every row is compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::kafka::{LiveReader, Record};
use tidegate_integration_tests::rest::Job;
use tidegate_integration_tests::store::Kind;
use tidegate_integration_tests::{Observed, wait_until};

use crate::flight::{Flight, readable};
use crate::levels::Status;
use crate::narrator::{Narrator, Watcher};
use crate::outcome::Outcome;
use crate::parts::{BLUE, GREEN, INPUT, OUTPUT, Parts};
use crate::replay::Replay;
use crate::tidegate::{Promoted, Tidegate, Verified};
use crate::truth::{HOUR_MS, MAX_DELAY_MINUTES, ROW_TIME_OFFSET_MS, Truth, Version};
use crate::{input, pause};

const START_GREEN_AT_PERCENT: u32 = 25;
const DEADLINE: Duration = Duration::from_secs(60);
/// How far green may be behind blue, in seconds of the replay: their reports are not of the same moment.
const CAUGHT_UP_S: i64 = 2;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

/// What to tell.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) flink: String,
    pub(crate) store: Kind,
    pub(crate) promote_after_percent: u32,
    pub(crate) replay: Duration,
    pub(crate) tidegate: PathBuf,
    pub(crate) jar: PathBuf,
}

/// Starts everything below `folder`, runs the cutover and compares every row.
///
/// # Errors
/// When a part fails or does not get where it should within its deadline. A wrong output is no error here: see
/// [`Outcome::demand_exact`].
pub(crate) async fn tell(folder: &Path, plan: &Plan) -> Result<Outcome> {
    let narrator = Narrator::new();
    let flights = Arc::new(input::flights().await?);
    let truth = Truth::of(&flights, MAX_DELAY_MINUTES);
    narrator.say(&format!(
        "{} flights of 2013, {} of them too late; {} rows to expect",
        flights.len(),
        truth.late(),
        truth.rows()
    ));
    narrator.say(&format!("starting Kafka, Flink {} and a store of kind {}", plan.flink, plan.store));
    let parts = Parts::start(folder, &plan.flink, &plan.jar, plan.store).await?;
    narrator.say(&format!("the store of both jobs is {}: {}", parts.store.keeper(), parts.store.url()));
    let mut rehearsal = Rehearsal::begin(parts, plan, &flights, narrator).await?;
    let green = rehearsal.start_green().await?;
    let promoted = rehearsal.promote(plan.promote_after_percent).await?;
    let blue_restarts = rehearsal.retire_blue(&promoted).await?;
    let green_restarts = rehearsal.finish(&green, &truth).await?;
    let (verified, pause_ms) = rehearsal.verify(folder, &truth, &promoted).await?;
    Ok(Outcome {
        flink: plan.flink.clone(),
        store: plan.store,
        flights: flights.len(),
        late: truth.late(),
        promoted,
        verified,
        pause_ms,
        restarts: [blue_restarts, green_restarts],
    })
}

/// The parts while the story runs. Fields are dropped in this order: first who looks, then who is looked at.
struct Rehearsal {
    narrator: Narrator,
    watcher: Watcher,
    reader: LiveReader,
    replay: Arc<Replay>,
    tidegate: Tidegate,
    blue: Job,
    replay_time: Duration,
    replay_deadline: Duration,
    parts: Parts,
}

impl Rehearsal {
    /// Blue runs, and the flights begin to flow.
    async fn begin(
        parts: Parts,
        plan: &Plan,
        flights: &Arc<Vec<Flight>>,
        narrator: Narrator,
    ) -> Result<Self> {
        let blue = parts.run(BLUE, None).await?;
        blue.wait_running(DEADLINE).await?;
        let servers = parts.kafka.bootstrap_servers();
        let reader = LiveReader::start(&servers, OUTPUT)?;
        let replay = Arc::new(Replay::start(flights.clone(), parts.kafka.producer()?, INPUT, plan.replay));
        let tidegate = Tidegate::new(&plan.tidegate, parts.store.people());
        let watcher = Watcher::start(tidegate.clone(), replay.clone(), narrator.clone());
        narrator.say(&format!(
            "blue ({}, parallelism {}) runs; the year begins and will last {} s",
            BLUE.version,
            BLUE.parallelism,
            plan.replay.as_secs()
        ));
        let replay_deadline = plan.replay * 2 + DEADLINE;
        Ok(Self {
            narrator,
            watcher,
            reader,
            replay,
            tidegate,
            blue,
            replay_time: plan.replay,
            replay_deadline,
            parts,
        })
    }

    /// Starts green from a savepoint of blue, which goes on.
    async fn start_green(&mut self) -> Result<Job> {
        self.flow_until(START_GREEN_AT_PERCENT).await?;
        let asked = Instant::now();
        let savepoint = self.blue.native_savepoint(DEADLINE).await.context("the savepoint of blue")?;
        self.narrator.say(&format!("a savepoint of blue, which goes on: {} ms", asked.elapsed().as_millis()));
        let green = self.parts.run(GREEN, Some(savepoint)).await?;
        green.wait_running(DEADLINE).await?;
        let member = GREEN.member();
        self.wait_status(&format!("{member} is in standby"), |status| {
            status.member(&member).is_some_and(|level| level.role == "standby")
        })
        .await?;
        self.narrator.say(&format!(
            "green ({}, parallelism {}) runs beside it, in standby: its rows are discarded",
            GREEN.version, GREEN.parallelism
        ));
        Ok(green)
    }

    async fn promote(&mut self, percent: u32) -> Result<Promoted> {
        self.flow_until(percent).await?;
        self.wait_caught_up().await?;
        self.narrator.say(&format!("tidegate promote, at {:.1} % of the year", self.replay.percent()));
        let asked = Instant::now();
        let promoted = self.tidegate.promote().await?;
        self.narrator.say(&format!(
            "{} -> {}: the output changed hands at {} in event time (attempt {}, {} ms)",
            promoted.from,
            promoted.to,
            readable(promoted.boundary),
            promoted.attempt,
            asked.elapsed().as_millis()
        ));
        Ok(promoted)
    }

    /// Stops blue once it owns nothing any more; returns how often it was restarted.
    async fn retire_blue(&mut self, promoted: &Promoted) -> Result<u64> {
        let from = &promoted.from;
        self.wait_status(&format!("{from} may be retired"), |status| {
            status.member(from).is_some_and(|level| level.retirable)
        })
        .await?;
        let restarts = self.blue.restarts().await?;
        self.blue.stop_with_savepoint(DEADLINE).await.context("stopping blue")?;
        self.narrator.say("blue owned nothing any more and is stopped, with a savepoint");
        Ok(restarts)
    }

    /// Waits for the last row of the year and stops green; returns how often it was restarted.
    async fn finish(&mut self, green: &Job, truth: &Truth) -> Result<u64> {
        let replay = &self.replay;
        wait_until("all flights are replayed", self.replay_deadline, async || {
            Ok(Observed::when(replay.is_done()?, (), || format!("{} sent", replay.sent())))
        })
        .await?;
        self.narrator.say("the year is over");
        let last = truth.last_row_time().context("there are no rows")?;
        wait_until("the last row of the year is read", DEADLINE, async || {
            let newest =
                self.reader.look(|records| records.iter().rev().take(300).filter_map(row_time).max())?;
            let seen = || format!("the newest row is of {}", newest.map_or_else(String::new, readable));
            Ok(Observed::when(newest == Some(last), (), seen))
        })
        .await?;
        let restarts = green.restarts().await?;
        green.stop_with_savepoint(DEADLINE).await.context("stopping green")?;
        self.narrator.say("green is stopped, with a savepoint");
        Ok(restarts)
    }

    async fn verify(
        self,
        folder: &Path,
        truth: &Truth,
        promoted: &Promoted,
    ) -> Result<(Verified, Option<i64>)> {
        drop(self.watcher);
        self.narrator.end();
        let files = [("blue", "blue.jsonl", Version::V1), ("green", "green.jsonl", Version::V2)];
        for (_, file, version) in files {
            fs::write(folder.join(file), truth.lines(version)).context("cannot write the truth")?;
        }
        let (blue, green) = (folder.join("blue.jsonl"), folder.join("green.jsonl"));
        let truths = [("blue", blue.as_path()), ("green", green.as_path())];
        let owners = ["blue".to_owned(), format!("green@{}", promoted.boundary)];
        let servers = self.parts.kafka.bootstrap_servers();
        let verified = self.tidegate.verify(&servers, &truths, &owners).await?;
        let rows: Vec<_> =
            self.reader.stop()?.iter().filter_map(|row| Some((row_time(row)?, row.arrived))).collect();
        self.narrator.say("every row is compared with the truth\n");
        Ok((verified, pause::milliseconds(&rows, promoted.boundary)))
    }

    async fn flow_until(&self, percent: u32) -> Result<()> {
        wait_until(&format!("{percent} % are replayed"), self.replay_deadline, async || {
            self.replay.is_done()?;
            let now = self.replay.percent();
            Ok(Observed::when(now >= f64::from(percent), (), || format!("{now:.1} %")))
        })
        .await
    }

    /// Running is not ready: a cutover to a job that still reads the past is exact, too, but its pause is long.
    async fn wait_caught_up(&self) -> Result<()> {
        let tolerance = CAUGHT_UP_S * YEAR_MS / self.replay_time.as_secs().max(1).cast_signed();
        let watermark = |status: &Status, name: &str| status.member(name).and_then(|level| level.watermark);
        wait_until("green has caught up with blue", self.replay_deadline, async || {
            ensure!(
                !self.replay.is_done()?,
                "green did not catch up before the year was over: give it more time with --seconds"
            );
            let status = match self.watcher.newest() {
                Ok(status) => status,
                Err(error) => return Ok(Observed::NotYet(error)),
            };
            let near = match (watermark(&status, &GREEN.member()), watermark(&status, &BLUE.member())) {
                (Some(green), Some(blue)) => green >= blue - tolerance,
                _ => false,
            };
            Ok(Observed::when(near, (), || status.line()))
        })
        .await
    }

    async fn wait_status(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Result<()> {
        wait_until(what, DEADLINE, async || {
            Ok(match self.watcher.newest() {
                Ok(status) => Observed::when(holds(&status), (), || status.line()),
                Err(error) => Observed::NotYet(error),
            })
        })
        .await
    }
}

/// The event time of a row.
pub(crate) fn row_time(row: &Record) -> Option<i64> {
    let row: Value = serde_json::from_slice(&row.value).ok()?;
    Some(row.get("hour")?.as_i64()? + ROW_TIME_OFFSET_MS)
}
