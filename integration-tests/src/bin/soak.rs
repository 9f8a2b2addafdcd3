//! `make soak`: plays all cells of the matrix, writes `docs/reliability.md`, and ends with one line of JSON.

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Error, Result, bail};
use tidegate_integration_tests::flink::VERSIONS;
use tidegate_integration_tests::matrix::{Arena, Cell, Outcome, Summary, cells, in_turn, page};
use tidegate_integration_tests::{Scratch, workspace_root};

const PAGE: &str = "docs/reliability.md";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A run, and what it has gathered so far.
struct Run {
    started: Instant,
    wanted: Vec<Cell>,
    outcomes: Vec<Outcome>,
    failed: Vec<String>,
    played: usize,
}

async fn run() -> Result<bool> {
    let wanted = wanted(&cells())?;
    let mut run =
        Run { started: Instant::now(), wanted, outcomes: Vec::new(), failed: Vec::new(), played: 0 };
    for version in VERSIONS {
        let of_version = run.wanted.iter().filter(|cell| cell.flink == version).copied().collect();
        let of_version = in_turn(of_version);
        let mut left = &of_version[..];
        while !left.is_empty() {
            left = run.play(version, left).await?;
        }
    }
    println!("{}", run.page());
    println!("{}", serde_json::to_string(&Summary::of(&run.outcomes, run.started.elapsed()))?);
    Ok(run.failed.is_empty())
}

/// The cells whose numbers are given; all of them when none is.
fn wanted(all: &[Cell]) -> Result<Vec<Cell>> {
    let given: BTreeSet<usize> = std::env::args()
        .skip(1)
        .map(|given| match given.parse() {
            Ok(number) if (1..=all.len()).contains(&number) => Ok(number),
            _ => bail!("{given:?} is no cell: take numbers from 1 to {}", all.len()),
        })
        .collect::<Result<_>>()?;
    Ok(all.iter().filter(|cell| given.is_empty() || given.contains(&cell.number)).copied().collect())
}

impl Run {
    /// Plays cells on one set of servers until all are played or one has failed to get to its end; returns those that are left.
    async fn play<'cells>(&mut self, version: &str, cells: &'cells [Cell]) -> Result<&'cells [Cell]> {
        let mut tried = 0;
        let played = Scratch::new("matrix")?
            .run(async |folder| {
                let mut arena = Arena::start(folder, version).await?;
                for &cell in cells {
                    tried += 1;
                    self.played += 1;
                    eprintln!("[{}/{}] {cell}", self.played, self.wanted.len());
                    match arena.play(cell).await {
                        Ok(outcome) => self.take(outcome)?,
                        Err(error) => {
                            self.fail(&error.context(cell.to_string()));
                            arena.restore().await?;
                        }
                    }
                }
                Ok(())
            })
            .await;
        match played {
            Err(error) if tried == 0 => return Err(error),
            Err(error) => self.fail(&error),
            Ok(()) => {}
        }
        Ok(&cells[tried..])
    }

    fn fail(&mut self, error: &Error) {
        eprintln!("{error:#}");
        // The rest is the last status, as long as it may be.
        self.failed.push(format!("{error:#}").lines().next().unwrap_or_default().chars().take(300).collect());
    }

    /// A run of all cells that is ended early leaves a page that says how far it came.
    fn take(&mut self, outcome: Outcome) -> Result<()> {
        tell(&outcome);
        if let Err(error) = outcome.demand() {
            self.fail(&error);
        }
        self.outcomes.push(outcome);
        self.outcomes.sort_by_key(|outcome| outcome.cell.number);
        if self.wanted.len() == cells().len() {
            fs::write(workspace_root().join(PAGE), self.page()).with_context(|| PAGE.to_owned())?;
        }
        Ok(())
    }

    fn page(&self) -> String {
        page(&self.outcomes, cells().len(), &self.failed, self.started.elapsed())
    }
}

fn tell(outcome: &Outcome) {
    let Outcome { records, late, per_second, asked, unseen, overwriting, exact, files, least, took, .. } =
        outcome;
    eprintln!(
        "  {records} records, {late} late, {per_second:.0}/s, asked {asked} times, {:.1} s; exactly once: {exact}, unseen {unseen}, old after new {overwriting}; in files: {files}; at least once: {least}",
        took.as_secs_f64()
    );
    if let Some(outage) = &outcome.outage {
        eprintln!("  {outage}");
    }
}
