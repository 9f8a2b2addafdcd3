//! One cell: two versions of a job on one stream, a cutover between them, a kill, and the comparison with the truth.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::arena::{Arena, Side};
use super::moment::{Looker, PHASE_DEADLINE, Promotion, Retirement, Seen};
use super::outage::Outage;
use super::stream::{Lines, PARTITIONS, STEP_MS, Stream, late};
use super::truth::{Difference, Truth};
use super::{Cell, DEADLINE, HandOver, Moment, Victim, files};
use crate::command::member;
use crate::kafka::{LiveReader, Record, open_transactions, read_committed};
use crate::rest::Job;
use crate::{Observed, wait_until};

/// A cell in which fewer records come out per second, from the first one sent to the last one seen, has stalled.
pub(super) const FLOOR: f64 = 1_000.0;
/// Green has caught up when it is less than so many lines behind blue.
const NEAR_LINES: i64 = 6_000;

/// What a cell has shown.
#[derive(Debug)]
pub struct Outcome {
    /// Which one.
    pub cell: Cell,
    /// How many records were sent.
    pub records: usize,
    /// How many of them were late.
    pub late: usize,
    /// From the first record sent to the last one seen, records per second.
    pub per_second: f64,
    /// How often the cutover was asked for.
    pub asked: usize,
    /// Of a cell without a kill: rows of blue that a reader did not see when the cutover was finished.
    pub unseen: usize,
    /// Rows in the exactly-once topic that come after one of the new version of the same key, late ones apart.
    pub overwriting: usize,
    /// What is wrong in the exactly-once topic.
    pub exact: Difference,
    /// What is wrong in the files, which are written exactly once, too.
    pub files: Difference,
    /// What is wrong behind the at-least-once sink.
    pub least: Difference,
    /// Of a cell in which the store is away for a minute: what that minute has shown.
    pub outage: Option<Outage>,
    /// How long all of it took.
    pub took: Duration,
}

impl Outcome {
    /// Rows that are missing behind some sink.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.exact.lost + self.files.lost + self.least.lost
    }

    /// Rows that are there twice behind some sink.
    #[must_use]
    pub fn duplicated(&self) -> usize {
        self.exact.duplicated + self.files.duplicated + self.least.duplicated
    }

    /// What must not be: behind the exactly-once sinks anything at all, behind the other one anything but repeated rows after a
    /// kill that Flink itself answers with them.
    #[must_use]
    pub fn unexplained(&self) -> usize {
        self.unseen
            + self.exact.unexplained(false)
            + self.files.unexplained(false)
            + self.least.unexplained(self.cell.victim.explains_duplicates())
    }

    /// Fails when the cell does not keep what is promised.
    ///
    /// # Errors
    /// With what it has found.
    pub fn demand(&self) -> Result<()> {
        let Self { cell, unseen, exact, files, least, per_second, .. } = self;
        let right = self.lost() == 0 && self.unexplained() == 0;
        ensure!(
            right,
            "{cell}: exactly once: {exact} {:?}; in files: {files} {:?}; at least once: {least} {:?}; unseen {unseen}",
            exact.examples,
            files.examples,
            least.examples
        );
        ensure!(*per_second >= FLOOR, "{cell}: it has stalled: {per_second:.0} records per second");
        self.outage.as_ref().map_or(Ok(()), Outage::demand).with_context(|| cell.to_string())?;
        if cell.victim == Victim::Nobody {
            let overwriting = self.overwriting;
            let right = (overwriting == 0) == (cell.hand_over == HandOver::Ordered);
            ensure!(right, "{cell}: {overwriting} rows would overwrite newer ones, if they were upserts");
        }
        Ok(())
    }
}

/// Where the rows of a cell go.
struct Outputs {
    exact: String,
    least: String,
    folder: PathBuf,
}

/// What they have shown.
struct Found {
    unseen: usize,
    overwriting: usize,
    exact: Difference,
    files: Difference,
    least: Difference,
}

/// Who runs in a cell.
struct Run<'arena> {
    arena: &'arena mut Arena,
    cell: Cell,
    rollout: String,
    promotion: Promotion,
    blue: Job,
    green: Job,
    outage: Option<Outage>,
    /// The TaskManagers with the subtasks of blue and of green.
    task_managers: [usize; 2],
}

impl Arena {
    /// Plays a cell.
    ///
    /// # Errors
    /// When a part of it does not happen in time. What is lost or doubled is no error here.
    pub async fn play(&mut self, cell: Cell) -> Result<Outcome> {
        let started = Instant::now();
        let rollout = cell.rollout();
        let topics = ["input", "exact", "least"].map(|topic| format!("{rollout}-{topic}"));
        let [input, exact, least] = topics.each_ref().map(String::as_str);
        let folder = self.files_of(cell);
        let outputs = Outputs { exact: exact.into(), least: least.into(), folder: folder.clone() };
        for topic in [input, exact, least] {
            self.kafka.create_topic(topic, PARTITIONS as i32, &[("retention.ms", "-1")]).await?;
        }
        self.start_sidecars(cell).await?;
        let mut reader = LiveReader::start(&self.kafka.bootstrap_servers(), exact)?;
        let blue = self.run(cell, Side::Blue, None).await?;
        if cell.sinks_apart() {
            self.demand_sinks_elsewhere(&blue).await?;
        }
        let stream = Stream::start(self.kafka.producer()?, input, Lines::new(cell.number as u64));
        wait_seen(&mut reader, 1).await?;
        let green = self.run_green(cell, &blue).await?;
        let log = self.folder().join(format!("{rollout}-promote.log"));
        let servers = self.kafka.bootstrap_servers();
        let looker = Looker { servers, topic: exact.into(), folder: folder.clone(), seen: None };
        let promotion = Promotion::new(self.tidegate(&rollout), cell.hand_over, log, looker);
        let task_managers = [
            self.task_manager_of(Side::Blue, &blue).await?,
            self.task_manager_of(Side::Green, &green).await?,
        ];
        let green_too = green.clone();
        let mut run = Run {
            arena: self,
            cell,
            rollout,
            promotion,
            blue,
            green: green_too,
            outage: None,
            task_managers,
        };
        let boundary = run.cut_over().await?;
        let (asked, seen, outage) = (run.promotion.asked, run.promotion.seen(), run.outage);

        let since = stream.started();
        let lines = tokio::task::spawn_blocking(move || stream.finish()).await??;
        wait_seen(&mut reader, lines.len()).await?;
        let per_second = lines.len() as f64 / since.elapsed().as_secs_f64();
        drop(reader);
        green.stop_with_savepoint(DEADLINE).await?;
        let truth = Truth::of(&lines, boundary);
        let found = self.compare(truth, seen, outputs).await?;
        self.kafka.delete_topics(&[input, exact, least]).await?;
        tokio::fs::remove_dir_all(&folder).await.context("cannot remove the files of the cell")?;
        self.wait_idle().await?;
        let Found { unseen, overwriting, exact, files, least } = found;
        let unseen = if cell.victim == Victim::Nobody { unseen } else { 0 };
        let (records, late) = (lines.len(), late(&lines).into_iter().filter(|late| *late).count());
        let took = started.elapsed();
        Ok(Outcome {
            cell,
            records,
            late,
            per_second,
            asked,
            unseen,
            overwriting,
            exact,
            files,
            least,
            outage,
            took,
        })
    }

    /// Starts green from a savepoint of blue, and waits until it is in standby and about as far.
    async fn run_green(&self, cell: Cell, blue: &Job) -> Result<Job> {
        let green = self.run(cell, Side::Green, Some(blue.native_savepoint(DEADLINE).await?)).await?;
        self.tidegate(&cell.rollout())
            .wait_status("green has caught up", |status| {
                let watermark = |name| member(status, name)["gates"][0]["watermark"].as_i64();
                let near = watermark("green-1").zip(watermark("blue-1"));
                let near = near.is_some_and(|(green, blue)| green >= blue - NEAR_LINES * STEP_MS);
                near && member(status, "green-1")["role"] == "standby"
            })
            .await?;
        Ok(green)
    }

    /// Reads all once more, after the jobs have stopped.
    async fn compare(&self, truth: Truth, seen: Seen, outputs: Outputs) -> Result<Found> {
        let servers = self.kafka.bootstrap_servers();
        tokio::task::spawn_blocking(move || {
            let Outputs { exact, least, folder } = outputs;
            let open = open_transactions(&servers, &exact)?;
            ensure!(open.is_empty(), "transactions are left open: {open:?}");
            let exact = read_committed(&servers, &exact, DEADLINE)?;
            let least = read_committed(&servers, &least, DEADLINE)?;
            let (written, early) =
                (files::read(&folder, &files::visible(&folder)?)?, files::read(&folder, &seen.files)?);
            let below =
                |record: &&Record| seen.ends.get(&record.partition).is_some_and(|end| record.offset < *end);
            Ok(Found {
                unseen: truth.unseen(exact.iter().filter(below).map(value))
                    + truth.unseen(files::rows(&early)),
                overwriting: truth.overwriting(&exact),
                exact: truth.compare(exact.iter().map(value)),
                files: truth.compare(files::rows(&written)),
                least: truth.compare(least.iter().map(value)),
            })
        })
        .await?
    }
}

impl Run<'_> {
    /// The cutover, the kill in its moment, and the end of blue; returns the boundary.
    async fn cut_over(&mut self) -> Result<i64> {
        match self.cell.moment {
            Moment::BeforeProposal => self.kill_before_the_proposal().await?,
            Moment::Proposed => self.kill_between_proposal_and_commit().await?,
            Moment::Committed => self.kill_between_commit_and_finish().await?,
            Moment::Retiring => {}
        }
        let boundary = self.promotion.wait_done().await?;
        let mut retirement = Retirement::new(self.arena, &self.rollout, self.blue.clone());
        if self.cell.moment == Moment::Retiring {
            self.kill_while_blue_retires(&mut retirement).await?;
        }
        retirement.wait_done().await?;
        Ok(boundary)
    }

    async fn kill_before_the_proposal(&mut self) -> Result<()> {
        if self.cell.victim == Victim::Command {
            self.promotion.ask()?;
            return self.promotion.kill();
        }
        self.kill()?;
        self.promotion.ask()?;
        self.revive().await
    }

    /// Nobody can commit while a TaskManager is frozen: its subtasks do not acknowledge.
    async fn kill_between_proposal_and_commit(&mut self) -> Result<()> {
        let witness = if self.cell.victim == Victim::TaskManagerOfGreen { Side::Blue } else { Side::Green };
        self.freeze(witness)?;
        self.promotion.ask()?;
        self.promotion.wait_cutover("proposed").await?;
        self.kill()?;
        self.thaw(witness)?;
        if self.cell.victim == Victim::StoreForAMinute {
            let jobs = [(Side::Blue, &self.blue), (Side::Green, &self.green)];
            self.outage = Some(Outage::watch(self.arena, jobs).await?);
        }
        self.revive().await
    }

    /// Nobody can finish while blue is frozen: what it owes is not committed.
    async fn kill_between_commit_and_finish(&mut self) -> Result<()> {
        self.promotion.ask()?;
        self.promotion.wait_cutover("committed").await?;
        self.freeze(Side::Blue)?;
        self.promotion.demand_cutover("committed").await?;
        self.kill()?;
        self.thaw(Side::Blue)?;
        self.revive().await
    }

    /// The savepoint that ends blue cannot be taken while blue is frozen.
    async fn kill_while_blue_retires(&mut self, retirement: &mut Retirement) -> Result<()> {
        let log = self.arena.flink(Side::Blue).log_folder().join("jobmanager.log");
        let said = std::fs::read(&log)?.len();
        self.freeze(Side::Blue)?;
        retirement.ask()?;
        wait_until("blue is told to stop", PHASE_DEADLINE, async || {
            let bytes = std::fs::read(&log)?;
            let told = String::from_utf8_lossy(bytes.get(said..).unwrap_or_default()).contains(STOPPING);
            Ok(Observed::when(told, (), || "the JobManager does not say so".into()))
        })
        .await?;
        if self.cell.victim == Victim::Command {
            retirement.kill()?;
        } else {
            self.kill()?;
        }
        self.thaw(Side::Blue)?;
        self.revive().await
    }

    fn kill(&mut self) -> Result<()> {
        if self.cell.victim == Victim::Command {
            return self.promotion.kill();
        }
        self.arena.kill(self.cell.victim, self.task_manager_of_victim())
    }

    async fn revive(&mut self) -> Result<()> {
        self.arena.revive(self.cell.victim, self.task_manager_of_victim()).await
    }

    fn task_manager_of_victim(&self) -> usize {
        let [blue, green] = self.task_managers;
        if self.cell.victim == Victim::TaskManagerOfGreen { green } else { blue }
    }

    fn frozen(&mut self, side: Side) -> Option<&mut crate::process::Process> {
        let [blue, green] = self.task_managers;
        let index = if side == Side::Blue { blue } else { green };
        self.arena.flink_mut(side).task_manager(index)
    }

    fn freeze(&mut self, side: Side) -> Result<()> {
        self.frozen(side).context("its TaskManager does not run")?.freeze()
    }

    /// Lets it go on, unless it was the one that was killed.
    fn thaw(&mut self, side: Side) -> Result<()> {
        self.frozen(side).map_or(Ok(()), |task_manager| task_manager.thaw())
    }
}

/// What a JobManager says when it begins to stop a job with a savepoint.
const STOPPING: &str = "Triggering stop-with-savepoint";

fn value(record: &Record) -> &[u8] {
    &record.value
}

/// Waits until so many rows are committed; those that are there twice count twice, which the comparison tells.
async fn wait_seen(reader: &mut LiveReader, rows: usize) -> Result<()> {
    wait_until(&format!("{rows} rows are committed"), PHASE_DEADLINE, async || {
        let seen = reader.look(<[_]>::len)?;
        Ok(Observed::when(seen >= rows, (), || format!("{seen} rows")))
    })
    .await
}
