//! A minute without the store in the middle of a cutover, at full load: what both versions hold meanwhile, whether their checkpoints
//! complete, and what memory their TaskManagers need.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::arena::{Arena, Side};
use super::{BOUND, DEADLINE};
use crate::rest::Job;
use crate::{Observed, wait_until};

/// How long the store is away.
const OUTAGE: Duration = Duration::from_secs(60);
/// Longer than it takes until Flink shows something new: one look has all that was before the last one.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// So many checkpoints must complete while records are held: the second one has begun when they were.
const CHECKPOINTS: u64 = 2;
const HEAP: &str = "Status.JVM.Memory.Heap.Used";

/// What a minute without the store has shown.
#[derive(Debug, Default)]
pub struct Outage {
    /// Of the old version.
    pub blue: Course,
    /// Of the new version.
    pub green: Course,
    /// The most heap that was used in the TaskManager of either version, in MB.
    pub heap_mb: u64,
    /// How often Flink has restarted a job.
    pub restarts: u64,
}

/// What one version has shown, look by look.
#[derive(Debug, Default)]
pub struct Course {
    /// The most records that a subtask of a gate held.
    pub held: u64,
    /// Completed checkpoints, when records were first seen held.
    holding: Option<u64>,
    /// Completed checkpoints, in the look after the one that first saw a subtask at the bound.
    full: Option<u64>,
    /// Completed checkpoints in the last look.
    completed: u64,
}

impl Course {
    /// A look: the most that a subtask holds, and how many checkpoints were completed so far.
    fn take(&mut self, held: u64, completed: u64) {
        if held > 0 {
            self.holding.get_or_insert(completed);
        }
        if self.held >= BOUND {
            self.full.get_or_insert(completed);
        }
        self.held = self.held.max(held);
        self.completed = completed;
    }

    /// How many checkpoints completed with held records in them.
    #[must_use]
    pub fn checkpoints(&self) -> u64 {
        self.completed - self.holding.unwrap_or(self.completed)
    }

    /// How many of them when a subtask was at the bound.
    #[must_use]
    pub fn checkpoints_at_the_bound(&self) -> u64 {
        self.completed - self.full.unwrap_or(self.completed)
    }
}

impl Outage {
    /// Looks until the store has been away for a minute.
    pub(super) async fn watch(arena: &Arena, jobs: [(Side, &Job); 2]) -> Result<Self> {
        let started = Instant::now();
        let mut looked: Option<Instant> = None;
        let mut outage = Self::default();
        wait_until("the store has been away for a minute", OUTAGE + DEADLINE, async || {
            if looked.is_none_or(|looked| looked.elapsed() >= BETWEEN_LOOKS) {
                for (side, job) in jobs {
                    outage.look(arena, side, job).await?;
                }
                looked = Some(Instant::now());
            }
            Ok(Observed::when(started.elapsed() >= OUTAGE, (), || format!("{:?}", started.elapsed())))
        })
        .await?;
        for (_, job) in jobs {
            outage.restarts += job.restarts().await?;
        }
        Ok(outage)
    }

    async fn look(&mut self, arena: &Arena, side: Side, job: &Job) -> Result<()> {
        let course = match side {
            Side::Blue => &mut self.blue,
            Side::Green => &mut self.green,
        };
        course.take(held(job).await?, job.checkpoints().await?.counts.completed);
        self.heap_mb = self.heap_mb.max(heap_mb(arena, side, job).await?);
        Ok(())
    }

    /// Fails when a gate has held too much, or too little for this to show anything, or when a version has stood still below the
    /// bound.
    pub(super) fn demand(&self) -> Result<()> {
        for (side, course) in [(Side::Blue, &self.blue), (Side::Green, &self.green)] {
            let (color, held) = (side.color(), course.held);
            ensure!(held == BOUND, "{color}: a subtask held {held} records, and the bound is {BOUND}");
            let completed = course.checkpoints();
            ensure!(completed >= CHECKPOINTS, "{color}: {completed} checkpoints with held records");
        }
        ensure!(self.restarts == 0, "Flink has restarted a job {} times", self.restarts);
        Ok(())
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blue, green, heap_mb, restarts } = self;
        write!(formatter, "in the minute without the store blue {blue}; green {green}. ")?;
        write!(formatter, "A TaskManager used at most {heap_mb} MB of heap; restarts: {restarts}.")
    }
}

impl fmt::Display for Course {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, completed, at_the_bound) =
            (self.held, self.checkpoints(), self.checkpoints_at_the_bound());
        write!(formatter, "held at most {held} records in a subtask, and completed {completed} ")?;
        write!(formatter, "checkpoints with held records, {at_the_bound} of them at the bound")
    }
}

/// The most records that a subtask of a gate holds, as its gauges tell.
async fn held(job: &Job) -> Result<u64> {
    let mut most = 0;
    for vertex in job.status().await?.vertices {
        let names = job.vertex_metric_names(&vertex.id).await?;
        let names: Vec<&str> =
            names.iter().filter(|name| name.ends_with(".tidegate.held")).map(String::as_str).collect();
        if names.is_empty() {
            continue;
        }
        for (name, value) in job.vertex_metrics(&vertex.id, &names).await? {
            most = most.max(value.parse().with_context(|| format!("{name} is {value}"))?);
        }
    }
    Ok(most)
}

/// The heap that is used in the TaskManager of the job.
async fn heap_mb(arena: &Arena, side: Side, job: &Job) -> Result<u64> {
    let id = arena.task_manager_id(side, job).await?;
    let told: Value = arena.flink(side).rest().get(&format!("/taskmanagers/{id}/metrics?get={HEAP}")).await?;
    // Not there yet: nothing to compare with.
    let Some(used) = told[0]["value"].as_str() else { return Ok(0) };
    let used: u64 = used.parse().with_context(|| format!("{HEAP} is {used}"))?;
    Ok(used.div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(looks: &[(u64, u64)]) -> Course {
        let mut course = Course::default();
        looks.iter().for_each(|(held, completed)| course.take(*held, *completed));
        course
    }

    #[test]
    fn checkpoints_are_told_apart_by_what_is_held() {
        let quiet = course(&[(0, 7), (0, 9)]);
        assert_eq!((quiet.held, quiet.checkpoints(), quiet.checkpoints_at_the_bound()), (0, 0, 0));
        // What the look at the bound does not show yet, the next one does: it is from before.
        let full = course(&[(0, 7), (10, 8), (49_000, 12), (BOUND, 13), (BOUND, 14), (BOUND, 14)]);
        assert_eq!((full.held, full.checkpoints(), full.checkpoints_at_the_bound()), (BOUND, 6, 0));
        let on = course(&[(10, 8), (BOUND, 9), (BOUND, 9), (BOUND, 11)]);
        assert_eq!((on.checkpoints(), on.checkpoints_at_the_bound()), (3, 2));
    }

    #[test]
    fn what_must_not_be_is_named() {
        let right = || course(&[(10, 8), (BOUND, 12)]);
        let told = |blue, green, restarts| {
            let outage = Outage { blue, green, heap_mb: 100, restarts };
            outage.demand().map_err(|error| error.to_string())
        };
        assert_eq!(told(right(), right(), 0), Ok(()));
        let error = |text: &str| Err(text.to_owned());
        let over = course(&[(10, 8), (BOUND + 1, 12)]);
        assert_eq!(
            told(right(), over, 0),
            error("green: a subtask held 50001 records, and the bound is 50000")
        );
        let below = course(&[(10, 8), (BOUND - 1, 12)]);
        assert_eq!(
            told(below, right(), 0),
            error("blue: a subtask held 49999 records, and the bound is 50000")
        );
        let still = course(&[(10, 8), (BOUND, 9)]);
        assert_eq!(told(still, right(), 0), error("blue: 1 checkpoints with held records"));
        assert_eq!(told(right(), right(), 1), error("Flink has restarted a job 1 times"));
    }
}
