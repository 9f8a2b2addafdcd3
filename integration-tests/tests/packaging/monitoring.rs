//! Alerts and dashboard ask for metrics and labels that the controller has, and each alert has its place in the runbook.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;
use tidegate_integration_tests::workspace_root;

use crate::{deploy, read};

/// What Prometheus adds to a histogram's name, and to its labels.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_sum", "_count"];
/// Also of every series: where it was read.
const ADDED: [&str; 2] = ["le", "namespace"];

/// Metrics and their labels, by the table of the docs; that this is what the controller tells is tested there.
fn metrics() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let docs = read(&workspace_root().join("docs/metrics.md"))?;
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut metrics = BTreeMap::new();
    for row in docs.lines().filter(|line| line.starts_with("| `tidegate_")) {
        let cells: Vec<_> = row.split('|').collect();
        let name = words(cells[1]).pop().context("a row names no metric")?;
        let labels: BTreeSet<_> = words(cells[3]).into_iter().chain(ADDED.map(str::to_owned)).collect();
        if cells[2].trim() == "histogram" {
            metrics.extend(OF_HISTOGRAMS.map(|suffix| (format!("{name}{suffix}"), labels.clone())));
        } else {
            metrics.insert(name, labels);
        }
    }
    Ok(metrics)
}

struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        if let Expr::VectorSelector(selector) = expression {
            self.0.push(selector.clone());
        }
        if let Expr::MatrixSelector(selector) = expression {
            self.0.push(selector.vs.clone());
        }
        Ok(true)
    }
}

/// Every metric and label of an expression is one that the docs list, and so is every value that a label is compared with.
fn check(text: &str, metrics: &BTreeMap<String, BTreeSet<String>>, words: &str) -> Result<BTreeSet<String>> {
    let expression = parser::parse(text).map_err(|error| anyhow::anyhow!("{text}: {error}"))?;
    let mut selectors = Selectors(Vec::new());
    walk_expr(&mut selectors, &expression)?;
    let mut used = BTreeSet::new();
    for selector in selectors.0 {
        let name = selector.name.context("a selector without a metric's name")?;
        let labels = metrics.get(&name).with_context(|| format!("{text}: there is no metric {name}"))?;
        for matcher in &selector.matchers.matchers {
            ensure!(labels.contains(&matcher.name), "{text}: {name} has no label {}", matcher.name);
            for value in matcher.value.split('|').filter(|value| !value.starts_with('$')) {
                ensure!(words.contains(&format!("`{value}`")), "{text}: the docs do not know {value:?}");
            }
        }
        used.insert(name);
    }
    ensure!(!used.is_empty(), "{text} asks for nothing");
    Ok(used)
}

fn words() -> Result<String> {
    let docs = workspace_root().join("docs");
    Ok(read(&docs.join("metrics.md"))? + &read(&docs.join("operations.md"))?)
}

#[test]
fn alerts_ask_for_what_there_is_and_have_their_place_in_the_runbook() -> Result<()> {
    let (metrics, words) = (metrics()?, words()?);
    let rules: Value = serde_saphyr::from_str(&read(&deploy("monitoring/rules.yaml"))?)?;
    let rules = rules["spec"]["groups"][0]["rules"].as_array().context("no rules")?;
    let headings: Vec<_> = words.lines().filter_map(|line| line.strip_prefix("### ")).map(anchor).collect();
    for rule in rules {
        let name = rule["alert"].as_str().context("a rule without a name")?;
        check(rule["expr"].as_str().context("a rule without an expression")?, &metrics, &words)?;
        let runbook = rule["annotations"]["runbook"].as_str().context("an alert without a runbook")?;
        let place = runbook.strip_prefix("docs/operations.md#").with_context(|| runbook.to_owned())?;
        ensure!(headings.iter().any(|heading| heading == place), "{name}: there is no heading {place}");
        ensure!(words.contains(&format!("`{name}`")), "the docs do not tell of {name}");
    }
    ensure!(rules.len() > 5, "{} rules", rules.len());
    Ok(())
}

/// As Markdown makes it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn the_dashboard_asks_for_what_there_is_and_shows_all_of_it() -> Result<()> {
    let (metrics, words) = (metrics()?, words()?);
    let dashboard: Value = serde_json::from_str(&read(&deploy("monitoring/dashboard.json"))?)?;
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        for target in panel["targets"].as_array().context("a panel asks for nothing")? {
            used.extend(check(target["expr"].as_str().context("no expression")?, &metrics, &words)?);
        }
    }
    let family =
        |name: &str| OF_HISTOGRAMS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned();
    let used: BTreeSet<_> = used.iter().map(|name| family(name)).collect();
    let all: BTreeSet<_> = metrics.keys().map(|name| family(name)).collect();
    let missing: Vec<_> = all.difference(&used).collect();
    ensure!(missing.is_empty(), "the dashboard shows nothing of {missing:?}");
    Ok(())
}
