//! What should be there: of each member's rows those whose time it owned.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::row::{Key, Shape};

/// A step function from event time to the color of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History(Vec<(i64, String)>);

impl History {
    /// `owners` are (since, color): each owns the time from `since` (epoch milliseconds) up to the next one's.
    ///
    /// # Errors
    /// When there is none, a color has no name, or they are not ascending.
    pub(crate) fn new(owners: Vec<(i64, String)>) -> Result<Self> {
        if owners.is_empty() || owners.iter().any(|(_, color)| color.is_empty()) {
            bail!("the history of owners needs at least one, and each a color");
        }
        if !owners.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
            bail!("the owners are not in ascending order of the time from which they own: {owners:?}");
        }
        Ok(Self(owners))
    }

    /// The owner of an event time; none before the first one.
    pub(crate) fn owner(&self, time: i64) -> Option<&str> {
        let after = self.0.partition_point(|(since, _)| *since <= time);
        self.0[..after].last().map(|(_, color)| color.as_str())
    }

    fn colors(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(_, color)| color.as_str()).collect()
    }
}

/// A row that must be there, and the member that must have written it.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) color: String,
    pub(super) value: Value,
}

/// All members' rows, and which of them must be there.
#[derive(Debug)]
pub(super) struct Expectation {
    history: History,
    owned: HashMap<Key, Owned>,
    /// Rows of members that did not own their time: only to say whose row was found.
    foreign: HashMap<Key, Vec<Owned>>,
    per_color: BTreeMap<String, u64>,
}

impl Expectation {
    pub(super) fn new(history: History) -> Self {
        Self { history, owned: HashMap::new(), foreign: HashMap::new(), per_color: BTreeMap::new() }
    }

    /// Adds a member's rows for all event time; `text` has one JSON object per line.
    ///
    /// # Errors
    /// When the member was added before, a line is no such row, or one key is expected twice.
    pub(super) fn add(&mut self, color: &str, text: &str, shape: &Shape) -> Result<()> {
        if self.per_color.insert(color.to_owned(), 0).is_some() {
            bail!("the rows of {color} are given twice");
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            self.add_line(color, line, shape).with_context(|| format!("line {}", number + 1))?;
        }
        Ok(())
    }

    fn add_line(&mut self, color: &str, line: &str, shape: &Shape) -> Result<()> {
        let value: Value = serde_json::from_str(line).context("not JSON")?;
        let key = shape.key(&value)?;
        let owns = self.history.owner(shape.time(&value)?) == Some(color);
        let row = Owned { color: color.to_owned(), value };
        if !owns {
            self.foreign.entry(key).or_default().push(row);
            return Ok(());
        }
        if let Some(count) = self.per_color.get_mut(color) {
            *count += 1;
        }
        match self.owned.insert(key, row) {
            None => Ok(()),
            Some(earlier) => bail!("two rows with one key are expected; the other one: {}", earlier.value),
        }
    }

    /// # Errors
    /// When an owner's rows were not given: everything it wrote would count as unexpected.
    pub(super) fn check_owners(&self) -> Result<()> {
        for color in self.history.colors() {
            if !self.per_color.contains_key(color) {
                bail!("{color} owned a part of the event time, but its expected rows are not given");
            }
        }
        Ok(())
    }

    pub(super) fn owned(&self) -> &HashMap<Key, Owned> {
        &self.owned
    }

    pub(super) fn foreign(&self, key: &Key) -> &[Owned] {
        self.foreign.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn per_color(&self) -> &BTreeMap<String, u64> {
        &self.per_color
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape { key: vec!["k".into()], time_field: "t".into(), time_offset_ms: 0 }
    }

    fn history() -> History {
        History::new(vec![(i64::MIN, "blue".into()), (10, "green".into()), (20, "blue".into())]).unwrap()
    }

    #[test]
    fn each_time_has_the_owner_of_its_interval() {
        let history = history();
        let owners: Vec<_> =
            [i64::MIN, 9, 10, 19, 20, i64::MAX].map(|time| history.owner(time).unwrap()).into();
        assert_eq!(owners, ["blue", "blue", "green", "green", "blue", "blue"]);
        assert_eq!(History::new(vec![(5, "blue".into())]).unwrap().owner(4), None);
    }

    #[test]
    fn a_history_is_ascending_and_not_empty() {
        assert!(History::new(vec![]).is_err());
        assert!(History::new(vec![(5, "blue".into()), (5, "green".into())]).is_err());
    }

    #[test]
    fn only_rows_in_their_members_time_are_expected() {
        let mut expectation = Expectation::new(history());
        let lines = "{\"k\":1,\"t\":1}\n{\"k\":2,\"t\":11}\n\n{\"k\":3,\"t\":21}\n";
        expectation.add("blue", lines, &shape()).unwrap();
        expectation.add("green", lines, &shape()).unwrap();
        assert_eq!(expectation.per_color(), &[("blue".to_owned(), 2), ("green".to_owned(), 1)].into());
        assert_eq!(expectation.owned().len(), 3);
    }

    #[test]
    fn bad_files_are_refused_with_the_line() {
        let mut expectation = Expectation::new(history());
        let error = expectation.add("blue", "{\"k\":1,\"t\":1}\n{\"k\":1,\"t\":2}", &shape()).unwrap_err();
        assert!(format!("{error:#}").starts_with("line 2: two rows with one key"), "{error:#}");
        assert!(expectation.add("blue", "", &shape()).is_err());
        assert!(expectation.add("green", "nonsense", &shape()).is_err());
    }

    #[test]
    fn an_owner_without_rows_is_refused() {
        let mut expectation = Expectation::new(history());
        expectation.add("blue", "", &shape()).unwrap();
        assert!(format!("{:#}", expectation.check_owners().unwrap_err()).starts_with("green owned"));
    }
}
