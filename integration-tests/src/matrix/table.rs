//! What a run of the matrix is told as: the page `docs/reliability.md`, and one line of JSON.

use std::time::Duration;

use serde::Serialize;

use super::cell::{FLOOR, Outcome};
use super::{Difference, RECORDS, Victim};

/// The last line of a run.
#[derive(Debug, Serialize)]
pub struct Summary {
    cells: usize,
    records: usize,
    lost: usize,
    duplicated: usize,
    unexplained: usize,
    seconds: u64,
}

impl Summary {
    /// Of all cells that were played, which took so long.
    #[must_use]
    pub fn of(outcomes: &[Outcome], took: Duration) -> Self {
        let sum = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum();
        Self {
            cells: outcomes.len(),
            records: sum(|outcome| outcome.records),
            lost: sum(Outcome::lost),
            duplicated: sum(Outcome::duplicated),
            unexplained: sum(Outcome::unexplained),
            seconds: took.as_secs(),
        }
    }
}

/// The page, of a run of all cells or of some.
#[must_use]
pub fn page(outcomes: &[Outcome], of: usize, failed: &[String], took: Duration) -> String {
    let Summary { cells, records, lost, duplicated, unexplained, seconds } = Summary::of(outcomes, took);
    let slowest = outcomes.iter().map(|outcome| outcome.per_second).fold(f64::INFINITY, f64::min);
    let whole = if cells == of { "all" } else { "not all" };
    let mut page = format!(
        "{HEAD}\nThis run played {cells} of {of} cells ({whole} of them), {records} records, in {seconds} s: lost {lost}, \
         duplicated {duplicated}, unexplained {unexplained}. Each cell has at least {RECORDS} records; the slowest let \
         {slowest:.0} through per second, and one below {FLOOR:.0} fails.\n\n{COLUMNS}"
    );
    outcomes.iter().for_each(|outcome| page.push_str(&row(outcome)));
    for (cell, outage) in outcomes.iter().filter_map(|outcome| Some((outcome.cell, outcome.outage.as_ref()?)))
    {
        page.push_str(&format!("\nCell {}: {outage}\n", cell.number));
    }
    for failure in failed {
        page.push_str(&format!("\nFailed: {failure}\n"));
    }
    page
}

fn row(outcome: &Outcome) -> String {
    let Outcome { cell, records, late, per_second, asked, exact, files, least, took, .. } = outcome;
    let when = if cell.victim == Victim::Nobody { "-".to_owned() } else { cell.moment.to_string() };
    format!(
        "| {} | {} | {when} | {} | {} | {records} | {late} | {} | {} | {} | {asked} | {per_second:.0} | {:.0} |\n",
        cell.number,
        cell.victim,
        cell.hand_over.as_str(),
        cell.flink,
        lost_and_extra(exact),
        lost_and_extra(files),
        lost_and_extra(least),
        took.as_secs_f64()
    )
}

fn lost_and_extra(difference: &Difference) -> String {
    let Difference { lost, duplicated, wrong, unexpected, .. } = difference;
    format!("{lost} / {}", duplicated + wrong + unexpected)
}

const HEAD: &str = "# Reliability

Written by `make soak` from its run; do not edit it.

Each cell is a cutover of a real job on a real cluster with a kill -9 in it. Two versions of a job, of unlike parallelism, read one
topic; each line becomes a row with a count and a sum of its key, so that lost or repeated state shows as well. Some lines are late,
one partition is idle during the whole cutover, and none is left out of the comparison. The rows go three ways, behind three gates
that cut over as one: to a topic exactly once, to a topic at least once, and to files exactly once, by Flink's FileSink. Both versions
run on clusters with high availability by ZooKeeper, with one TaskManager more than the job needs; the store is a ZooKeeper server.
What was killed is started again at once, unless its row says otherwise.

After each cell both topics are read with `read_committed`, and the files that can be seen; all are compared with a batch computation
over what was sent: every row is there once, says what it should, and is of the version that owns its event time. In the
exactly-once topic and in the files nothing may differ. Behind the at-least-once sink nothing may be lost, and rows may be repeated
only where a TaskManager, a JobManager, the broker or a sidecar was killed: Flink itself repeats them then. No transaction is left
open.

A moment is hit, not guessed: while the TaskManager of one side is frozen the cutover cannot go on, and its state is read before the
kill. \"Asked\" is how often the command was called until the output had gone over.

In the cells without a kill each transaction of blue takes two seconds longer to end, by a proxy in front of the broker. A reader
looks at topic and files in the moment in which the cutover is finished: all that blue owes below the boundary must be visible to it.
In the ordered one the sinks are in the tasks of their gates, in the overlapped one each is in another TaskManager. A row of blue that
stands behind one of green of the same key would, as an upsert, put an old value over a new one. In the ordered cell there is none,
late ones apart; in the overlapped one there are some, and it fails when it shows none: do not take `overlapped` for an upsert sink.

In two cells the store server is started again after a minute; the input goes on at its pace. A subtask of a gate may hold 50000
records there: it gets to that bound, never above, and its input waits. Below the bound checkpoints complete with the held records in
them, aligned ones in the ordered cell, unaligned ones in the overlapped one. At the bound a task waits in the middle of a record: no
checkpoint of its job passes, and the wait ends with the next order, which needs none. Transactions may stay open longer than that
there (`transaction.timeout.ms`), else the broker would end them. What each of the two has shown stands below the table.

In the cells with a killed sidecar both versions run on [sidecars](sidecar.md), one for each cluster, and no JVM loads native code.
";

const COLUMNS: &str = "| cell | killed | when | hand-over | Flink | records | late | exactly once: lost / extra | files: lost / extra | at least once: lost / extra | asked | records per second | seconds |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Outage, cells};

    /// A cell in which everything went well but for the files.
    fn outcome(number: usize) -> Outcome {
        Outcome {
            cell: cells()[number - 1],
            records: RECORDS,
            late: 7,
            per_second: 5_000.0,
            asked: 1,
            unseen: 0,
            overwriting: 0,
            exact: Difference::default(),
            files: Difference { lost: 3, duplicated: 1, unexpected: 1, ..Difference::default() },
            least: Difference::default(),
            outage: None,
            took: Duration::from_secs(20),
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column_and_the_files_count() {
        let row = row(&outcome(1));
        assert!(row.contains("| 7 | 0 / 0 | 3 / 2 | 0 / 0 | 1 |"), "{row}");
        for line in COLUMNS.lines() {
            assert_eq!(line.matches('|').count(), row.matches('|').count(), "{line}");
        }
        let Summary { lost, duplicated, unexplained, .. } =
            Summary::of(&[outcome(1), outcome(2)], Duration::from_secs(1));
        assert_eq!((lost, duplicated, unexplained), (6, 2, 4));
        assert!(outcome(1).demand().is_err());
    }

    #[test]
    fn a_minute_without_the_store_is_told_below_the_table() {
        let outage = Some(Outage { heap_mb: 123, ..Outage::default() });
        let page = page(&[outcome(1), Outcome { outage, ..outcome(53) }], 54, &[], Duration::from_secs(1));
        let (table, below) = page.split_once("\nCell 53: ").unwrap();
        assert!(table.ends_with("| 20 |\n"), "{table}");
        assert!(
            below.contains("green held at most 0 records in a subtask, and completed 0 checkpoints"),
            "{below}"
        );
        assert!(below.ends_with("at most 123 MB of heap; restarts: 0.\n"), "{below}");
    }
}
