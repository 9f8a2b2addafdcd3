//! The comparison itself: pure, one pass over what was read, then one over what is expected.

use std::collections::HashMap;

use serde_json::Value;

use super::expectation::{Expectation, Owned};
use super::report::{ColorCounts, Finding, Report};
use super::row::{Key, Shape, same};

/// What was found under one key.
#[derive(Debug, Default)]
struct Found {
    right: u64,
    others: Vec<Value>,
}

/// Compares the rows that were read, in any order, with what is expected. Each row counts in one place only:
///
/// - *right*: the owner's row, the first time;
/// - *duplicated*: every further row under a key that has a row already;
/// - *wrong*: a key without the owner's row but with another one;
/// - *lost*: a key with no row at all;
/// - *unexpected*: a row under a key that no owner writes, or that is no row.
pub(super) fn compare(expectation: &Expectation, rows: &[Vec<u8>], shape: &Shape) -> Report {
    let mut report = Report { read: rows.len() as u64, ..Report::default() };
    let mut found: HashMap<Key, Found> = HashMap::new();
    for bytes in rows {
        sort_in(expectation, bytes, shape, &mut found, &mut report);
    }
    for (color, expected) in expectation.per_color() {
        report.expected += expected;
        report.colors.insert(color.clone(), ColorCounts { expected: *expected, found: 0 });
    }
    let mut keys: Vec<_> = expectation.owned().iter().collect();
    keys.sort_by_key(|(key, _)| *key);
    for (key, owned) in keys {
        judge(expectation, key, owned, found.get(key), &mut report);
    }
    report
}

fn sort_in(
    expectation: &Expectation,
    bytes: &[u8],
    shape: &Shape,
    found: &mut HashMap<Key, Found>,
    report: &mut Report,
) {
    let parsed = serde_json::from_slice::<Value>(bytes).map_err(anyhow::Error::from);
    let (row, key) = match parsed.and_then(|row| shape.key(&row).map(|key| (row, key))) {
        Ok(keyed) => keyed,
        Err(error) => {
            let text = String::from_utf8_lossy(bytes);
            report.add(Finding::Unexpected, || format!("not a row ({error:#}): {text}"));
            return;
        }
    };
    let Some(owned) = expectation.owned().get(&key) else {
        report.add(Finding::Unexpected, || {
            format!("{key}: {row} is {}", whose(expectation.foreign(&key), &row))
        });
        return;
    };
    let entry = found.entry(key).or_default();
    if same(&owned.value, &row) {
        entry.right += 1;
    } else {
        entry.others.push(row);
    }
}

fn judge(expectation: &Expectation, key: &Key, owned: &Owned, found: Option<&Found>, report: &mut Report) {
    let color = &owned.color;
    let Some(found) = found else {
        report.add(Finding::Lost, || format!("{key}: {color}'s row is not there: {}", owned.value));
        return;
    };
    if found.right > 0 {
        if let Some(counts) = report.colors.get_mut(color) {
            counts.found += 1;
        }
        for _ in 1..found.right {
            report
                .add(Finding::Duplicated, || format!("{key}: {color}'s row is there {} times", found.right));
        }
    }
    let foreign = expectation.foreign(key);
    for (index, row) in found.others.iter().enumerate() {
        if found.right == 0 && index == 0 {
            let expected = &owned.value;
            report.add(Finding::Wrong, || {
                format!("{key}: {row} is {}; {color}'s is {expected}", whose(foreign, row))
            });
        } else {
            report
                .add(Finding::Duplicated, || format!("{key}: there is also {row}, {}", whose(foreign, row)));
        }
    }
}

fn whose(foreign: &[Owned], row: &Value) -> String {
    match foreign.iter().find(|owned| same(&owned.value, row)) {
        Some(owned) => format!("the row of {}, which does not own this time", owned.color),
        None => "no member's row".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::History;
    use super::*;

    const BLUE: &str = r#"{"origin":"EWR","hour":0,"n":1}
{"origin":"JFK","hour":0,"n":2}
{"origin":"EWR","hour":10,"n":3}"#;
    const GREEN: &str = r#"{"origin":"EWR","hour":0,"n":1,"mean":1.5}
{"origin":"JFK","hour":0,"n":2,"mean":2.5}
{"origin":"EWR","hour":10,"n":3,"mean":null}
{"origin":"LGA","hour":10,"n":4,"mean":12.50}"#;
    /// Blue owns hour 0, green owns hour 10; the time of a row is the end of its hour.
    const RIGHT: [&str; 4] = [
        r#"{"origin":"EWR","hour":10,"n":3,"mean":null}"#,
        r#"{"origin":"EWR","hour":0,"n":1}"#,
        r#"{"n":2,"origin":"JFK","hour":0}"#,
        r#"{"origin":"LGA","hour":10,"n":4,"mean":12.5}"#,
    ];

    fn compared(rows: &[&str]) -> Report {
        let shape =
            Shape { key: vec!["origin".into(), "hour".into()], time_field: "hour".into(), time_offset_ms: 9 };
        let history = History::new(vec![(i64::MIN, "blue".into()), (15, "green".into())]).unwrap();
        let mut expectation = Expectation::new(history);
        expectation.add("blue", BLUE, &shape).unwrap();
        expectation.add("green", GREEN, &shape).unwrap();
        let rows: Vec<Vec<u8>> = rows.iter().map(|row| row.as_bytes().to_vec()).collect();
        compare(&expectation, &rows, &shape)
    }

    fn counts(report: &Report) -> [u64; 4] {
        [report.lost, report.duplicated, report.wrong, report.unexpected]
    }

    #[test]
    fn the_right_rows_are_exact_in_any_order() {
        let report = compared(&RIGHT);
        assert!(report.is_exact(), "{report}");
        assert_eq!((report.expected, report.read), (4, 4));
        assert_eq!(report.colors["blue"], ColorCounts { expected: 2, found: 2 });
        assert_eq!(report.colors["green"], ColorCounts { expected: 2, found: 2 });
    }

    #[test]
    fn a_lost_row_is_found() {
        let report = compared(&RIGHT[1..]);
        assert_eq!(counts(&report), [1, 0, 0, 0]);
        assert!(report.examples[&Finding::Lost][0].contains("green's row is not there"), "{report}");
        assert_eq!(report.colors["green"].found, 1);
    }

    #[test]
    fn nothing_read_is_all_lost() {
        assert_eq!(counts(&compared(&[])), [4, 0, 0, 0]);
    }

    #[test]
    fn a_duplicated_row_is_found() {
        let report = compared(&[&RIGHT[..], &RIGHT[..1], &RIGHT[..1]].concat());
        assert_eq!(counts(&report), [0, 2, 0, 0]);
        assert!(report.examples[&Finding::Duplicated][0].contains("3 times"), "{report}");
    }

    #[test]
    fn the_row_of_both_members_is_a_duplicate() {
        let report = compared(&[&RIGHT[..], &[r#"{"origin":"EWR","hour":0,"n":1,"mean":1.5}"#]].concat());
        assert_eq!(counts(&report), [0, 1, 0, 0]);
        assert!(report.examples[&Finding::Duplicated][0].contains("the row of green"), "{report}");
    }

    #[test]
    fn the_other_members_row_is_wrong() {
        let foreign = r#"{"origin":"EWR","hour":0,"n":1,"mean":1.5}"#;
        let report = compared(&[RIGHT[0], foreign, RIGHT[2], RIGHT[3]]);
        assert_eq!(counts(&report), [0, 0, 1, 0]);
        assert!(
            report.examples[&Finding::Wrong][0].contains("the row of green, which does not own"),
            "{report}"
        );
    }

    #[test]
    fn a_damaged_row_is_wrong() {
        let report = compared(&[RIGHT[0], r#"{"origin":"EWR","hour":0,"n":7}"#, RIGHT[2], RIGHT[3]]);
        assert_eq!(counts(&report), [0, 0, 1, 0]);
        assert!(report.examples[&Finding::Wrong][0].contains("no member's row"), "{report}");
    }

    #[test]
    fn a_key_that_no_owner_writes_and_garbage_are_unexpected() {
        let report =
            compared(&[&RIGHT[..], &[r#"{"origin":"SFO","hour":0,"n":1}"#, "garbage", "{}"]].concat());
        assert_eq!(counts(&report), [0, 0, 0, 3]);
    }

    #[test]
    fn a_row_outside_its_members_time_is_unexpected_where_the_owner_has_none() {
        // Only green has a row for LGA; at hour 0 it would be blue's.
        let shape = Shape { key: vec!["k".into()], time_field: "t".into(), time_offset_ms: 0 };
        let history = History::new(vec![(i64::MIN, "blue".into()), (10, "green".into())]).unwrap();
        let mut expectation = Expectation::new(history);
        expectation.add("blue", "", &shape).unwrap();
        expectation.add("green", r#"{"k":1,"t":5}"#, &shape).unwrap();
        let report = compare(&expectation, &[br#"{"k":1,"t":5}"#.to_vec()], &shape);
        assert_eq!(counts(&report), [0, 0, 0, 1]);
        assert!(report.examples[&Finding::Unexpected][0].contains("the row of green"), "{report}");
    }

    #[test]
    fn at_most_ten_examples_are_kept() {
        let report = compared(&["garbage"; 50]);
        assert_eq!(report.unexpected, 50);
        assert_eq!(report.examples[&Finding::Unexpected].len(), 10);
    }
}
