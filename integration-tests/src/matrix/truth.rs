//! What a cell's output must be, computed in one batch from what was sent, and how what is behind a sink differs from it. Shares no code with
//! the job.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::stream::{Line, late};
use crate::kafka::Record;

/// The rows of one sink.
#[derive(Debug)]
pub struct Truth {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    key: String,
    value: String,
    /// It must be visible as soon as the old version's part is finished: below the boundary, and not late.
    due: bool,
}

/// What is wrong behind a sink.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Rows that are not there.
    pub lost: usize,
    /// Rows that are there once more, with all that they should say.
    pub duplicated: usize,
    /// Rows that say something else, or are of the version that does not own their time.
    pub wrong: usize,
    /// Rows of nothing that was sent.
    pub unexpected: usize,
    /// Some of them.
    pub examples: Vec<String>,
}

const EXAMPLES: usize = 5;

impl Truth {
    /// `lines` in the order in which they were sent; blue owns what is below `boundary`, green all else.
    #[must_use]
    pub fn of(lines: &[Line], boundary: i64) -> Self {
        let mut tallies: HashMap<i64, (i64, i64)> = HashMap::new();
        let row = |(line, late): (&Line, bool)| {
            let (count, sum) = tallies.entry(line.key).or_default();
            *count += 1;
            *sum += line.amount;
            let color = if line.at < boundary { "blue" } else { "green" };
            let key = format!("{} {}", line.partition, line.number);
            let due = line.at < boundary && !late;
            let value = format!("{key} {} {color} {count} {sum} {}", line.at, line.key);
            Row { key, value, due }
        };
        Self { rows: lines.iter().zip(late(lines)).map(row).collect() }
    }

    /// Rows below the boundary that are not among the rows that a reader saw, late ones apart.
    #[must_use]
    pub fn unseen<'rows>(&self, seen: impl IntoIterator<Item = &'rows [u8]>) -> usize {
        let seen: HashSet<&[u8]> = seen.into_iter().map(name).collect();
        self.rows.iter().filter(|row| row.due && !seen.contains(row.key.as_bytes())).count()
    }

    /// Rows of blue below a row of green of the same key, late ones apart: as upserts they would put an old value over a new one.
    #[must_use]
    pub fn overwriting(&self, records: &[Record]) -> usize {
        let mut first_of_green: HashMap<&[u8], i64> = HashMap::new();
        let key = |record: &Record| record.key.clone().unwrap_or_default();
        let mut old = HashMap::new();
        for record in records {
            let is_green = record.value.split(|byte| *byte == b' ').nth(3) == Some(b"green".as_slice());
            if is_green {
                let first = first_of_green.entry(record.key.as_deref().unwrap_or_default());
                let first = first.or_insert(record.offset);
                *first = record.offset.min(*first);
            } else {
                old.insert(name(&record.value), (key(record), record.offset));
            }
        }
        let overwrites = |row: &&Row| {
            let found = old.get(row.key.as_bytes());
            found.is_some_and(|(key, offset)| {
                first_of_green.get(key.as_slice()).is_some_and(|first| first < offset)
            })
        };
        self.rows.iter().filter(|row| row.due).filter(overwrites).count()
    }

    /// Compares all rows behind a sink.
    #[must_use]
    pub fn compare<'rows>(&self, rows: impl IntoIterator<Item = &'rows [u8]>) -> Difference {
        let mut found: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        for row in rows {
            found.entry(name(row)).or_default().push(row);
        }
        let mut difference = Difference::default();
        for Row { key, value, .. } in &self.rows {
            let values = found.remove(key.as_bytes()).unwrap_or_default();
            let right = values.iter().filter(|found| **found == value.as_bytes()).count();
            let wrong = values.len() - right;
            let lost = usize::from(values.is_empty());
            let twice = right.saturating_sub(1);
            if lost + twice + wrong > 0 && difference.examples.len() < EXAMPLES {
                let values: Vec<_> = values.iter().map(|found| String::from_utf8_lossy(found)).collect();
                difference.examples.push(format!("{value:?}: {values:?}"));
            }
            difference.lost += lost;
            difference.duplicated += twice;
            difference.wrong += wrong;
        }
        for (key, values) in found {
            difference.unexpected += values.len();
            if difference.examples.len() < EXAMPLES {
                difference.examples.push(format!("nobody sent {:?}", String::from_utf8_lossy(key)));
            }
        }
        difference
    }
}

/// Partition and number of the line that a row is of.
fn name(value: &[u8]) -> &[u8] {
    let mut spaces = value.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(index, _)| index);
    spaces.nth(1).map_or(value, |end| &value[..end])
}

impl Difference {
    /// What no failure of a job explains.
    #[must_use]
    pub fn unexplained(&self, duplicates_are_explained: bool) -> usize {
        let duplicated = if duplicates_are_explained { 0 } else { self.duplicated };
        duplicated + self.wrong + self.unexpected
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, duplicated, wrong, unexpected, .. } = self;
        write!(formatter, "lost {lost}, duplicated {duplicated}, wrong {wrong}, unexpected {unexpected}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn record(offset: i64, value: &str) -> Record {
        Record { partition: 0, offset, key: Some("3".into()), value: value.into(), arrived: Instant::now() }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let line = |number, at| Line { partition: 0, number, at, key: 3, amount: 5 };
        let truth = Truth::of(&[line(0, 10), line(1, 20), line(2, 15), line(3, 30), line(4, 19)], 20);
        let topic = [
            record(0, "0 0 10 blue 1 5 3"),
            record(1, "0 1 20 green 2 10 3"),
            record(2, "0 1 20 green 2 10 3"),
            record(3, "0 2 15 green 3 15 3"),
            record(4, "0 3 30 green 4 19 3"),
            record(5, "0 9 30 green 4 20 3"),
            record(6, "0 2 15 blue 3 15 3"),
        ];
        let rows = topic.each_ref().map(|record| record.value.as_slice());
        let up_to = |end: usize| rows[..end].iter().copied();
        let difference = truth.compare(up_to(6));
        let Difference { lost, duplicated, wrong, unexpected, .. } = &difference;
        assert_eq!((*lost, *duplicated, *wrong, *unexpected), (1, 1, 2, 1), "{difference}");
        assert_eq!((difference.unexplained(true), difference.unexplained(false)), (3, 4));
        let unseen = |end| truth.unseen(up_to(end));
        // Of the rows 0, 2 and 4, which are below the boundary, the last one is nowhere.
        assert_eq!((unseen(1), unseen(4), unseen(0)), (2, 1, 3));
        assert_eq!((truth.overwriting(&topic[..6]), truth.overwriting(&topic)), (0, 1));
    }
}
