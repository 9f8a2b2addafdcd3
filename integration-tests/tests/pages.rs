//! What the pages of the docs name is there, and what is there is named: variables, options of addresses, tests, conditions.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::workspace_root;

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(workspace_root().join(path)).with_context(|| path.to_owned())
}

/// The sources with these endings, with their paths.
fn sources(endings: &[&str]) -> Result<Vec<(String, String)>> {
    let listed = Command::new("git").arg("ls-files").args(endings).current_dir(workspace_root()).output()?;
    ensure!(listed.status.success(), "git cannot list the files");
    let listed = String::from_utf8(listed.stdout)?;
    listed.lines().map(|path| Ok((path.to_owned(), read(path)?))).collect()
}

/// Without tests, and without what only tests use.
fn product() -> Result<Vec<(String, String)>> {
    let other = ["/tests/", "/test/", "/proof/", "/benches/", "tests.rs", "conformance"];
    let place =
        |path: &str| ["controller/", "gate/", "protocol/"].iter().any(|folder| path.starts_with(folder));
    let mut product = sources(&["*.rs", "*.java"])?;
    product.retain(|(path, _)| place(path) && !other.iter().any(|part| path.contains(part)));
    for (_, text) in &mut product {
        text.truncate(text.find("#[cfg(test)]").unwrap_or(text.len()));
    }
    Ok(product)
}

/// The words between backticks in the first cells of the tables below a heading.
fn first_cells(page: &str, heading: &str, cell: usize) -> Result<BTreeSet<String>> {
    let below =
        page.split_once(&format!("\n## {heading}\n")).with_context(|| format!("no heading {heading}"))?.1;
    let section = below.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    Ok(rows.filter_map(|row| row.split(" | ").nth(cell)).flat_map(quoted).collect())
}

fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

fn same(page: &str, named: &BTreeSet<String>, there: &BTreeSet<String>) -> Result<()> {
    let (missing, gone): (Vec<_>, Vec<_>) =
        (there.difference(named).collect(), named.difference(there).collect());
    ensure!(missing.is_empty(), "docs/{page} does not have {missing:?}");
    ensure!(gone.is_empty(), "docs/{page} has what is not in the code: {gone:?}");
    Ok(())
}

#[test]
fn each_environment_variable_that_is_read_is_told() -> Result<()> {
    let named = first_cells(&read("docs/configuration.md")?, "Environment variables", 0)?;
    let calls = [
        ("var(\"", ""),
        ("var_os(\"", ""),
        ("folder(\"", ""),
        ("env = \"", ""),
        ("&str = \"TIDEGATE_", "TIDEGATE_"),
    ];
    let mut there = BTreeSet::new();
    for (_, text) in product()? {
        for (call, prefix) in calls {
            let names = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            there.extend(names.map(|name| format!("{prefix}{name}")));
        }
        if text.contains("try_from_default_env()") {
            there.insert("RUST_LOG".to_owned());
        }
        ensure!(!text.contains("System.getenv"), "jobs read the environment now: look for it here");
    }
    same("configuration.md", &named, &there)
}

#[test]
fn each_option_of_an_address_is_told() -> Result<()> {
    let page = read("docs/configuration.md")?;
    let mut named = first_cells(&page, "Addresses of stores", 1)?;
    let zookeeper = read("protocol/store-zookeeper/src/address.rs")?;
    let arms = zookeeper.lines().filter(|line| line.contains("\" => ") && line.contains("replace("));
    let mut there: BTreeSet<String> = arms.flat_map(literals).map(str::to_owned).collect();
    ensure!(
        there.len() > 3,
        "the options of ZooKeeper's address are not read as this test thinks: {there:?}"
    );
    let listed = zookeeper.lines().find(|line| line.starts_with("const OPTIONS")).unwrap_or_default();
    for option in &there {
        ensure!(listed.contains(option), "the error for an unknown option does not tell of {option}");
    }
    let config_map = read("protocol/store-configmap/src/place.rs")?;
    let option = config_map
        .lines()
        .find_map(|line| line.strip_prefix("const KUBECONFIG: &str = \"")?.strip_suffix("=\";"));
    there.extend(option.map(str::to_owned));
    let stores = read("docs/stores.md")?;
    for option in &there {
        ensure!(stores.contains(option), "docs/stores.md does not tell of {option}");
    }
    // The addresses themselves stand in a table without options.
    named.retain(|word| !word.contains("://") && !word.contains('/'));
    same("configuration.md", &named, &there)
}

#[test]
fn each_test_that_the_guarantee_names_is_there() -> Result<()> {
    let page = read("docs/guarantee.md")?;
    let rows = page.lines().filter(|line| line.starts_with('|'));
    // Three words at least: `a_few_words` in Rust, `aFewWords` in Java.
    let is_test = |name: &String| {
        let capitals = name.chars().filter(char::is_ascii_uppercase).count();
        name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && (name.matches('_').count() > 1 || capitals > 1)
            && name.starts_with(|letter: char| letter.is_ascii_lowercase())
    };
    let named: BTreeSet<String> = rows.flat_map(quoted).filter(is_test).collect();
    ensure!(named.len() > 50, "{named:?}");
    let sources = sources(&["*.rs", "*.java"])?;
    for name in named {
        let (test, claim) = ([format!("fn {name}("), format!("void {name}(")], format!("pub fn {name}"));
        let is_there = sources.iter().any(|(path, text)| {
            let is_claim = path.ends_with("proof/src/properties.rs") && text.contains(&claim);
            is_claim || test.iter().any(|test| is_test_function(text, test))
        });
        ensure!(is_there, "docs/guarantee.md names {name}, which is neither a test nor a claim");
    }
    Ok(())
}

/// Whether one of the lines above its declaration says so.
fn is_test_function(text: &str, declaration: &str) -> bool {
    let above = text.find(declaration).map(|place| text[..place].lines().rev().take(6).collect::<Vec<_>>());
    above.is_some_and(|lines| {
        lines.iter().take_while(|line| !line.trim().ends_with('}')).any(|line| {
            let line = line.trim();
            line.starts_with("#[test]") || line.starts_with("#[tokio::test") || line.starts_with("@Test")
        })
    })
}

#[test]
fn each_condition_has_its_place_in_the_runbook() -> Result<()> {
    let page = read("docs/operations.md")?;
    let status = read("protocol/src/rollout/action.rs")?;
    let kinds = status.split_once("enum ConditionKind {").context("no conditions")?.1;
    let kinds = kinds.split_once('}').context("no end of the conditions")?.0;
    let there: BTreeSet<&str> = kinds.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    for condition in &there {
        let heading = format!("\n### {condition}\n");
        ensure!(page.contains(&heading), "docs/operations.md has no heading {condition} in its runbook");
    }
    ensure!(there.len() > 4, "{there:?}");
    Ok(())
}

#[test]
fn each_code_says_what_to_do() -> Result<()> {
    let page = read("docs/errors.md")?;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        ensure!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "docs/errors.md: {row}");
    }
    let explained: BTreeSet<String> =
        page.lines().filter(|line| line.starts_with("| `")).flat_map(quoted).collect();
    for code in waited_for()? {
        ensure!(
            explained.contains(&code),
            "docs/errors.md does not say what to do when {code} is waited for"
        );
    }
    let runbook = read("docs/operations.md")?;
    ensure!(runbook.contains("(errors.md)"), "the runbook does not lead to the codes");
    Ok(())
}

/// What the planner and the conductor wait for, by its code; also those of one word, which nothing else tells from other words.
fn waited_for() -> Result<BTreeSet<String>> {
    let mut codes = BTreeSet::new();
    for (path, text) in product()?.iter().filter(|(path, _)| path.starts_with("protocol/src/")) {
        let calls = text.split("self.wait(").skip(1).chain(text.split("self.call(").skip(1));
        let of_the_planner = calls.filter_map(|rest| rest.trim_start().strip_prefix('"'));
        let of_the_conductor = text.split("WaitingFor::").skip(1).filter(|_| path.ends_with("/waiting.rs"));
        let of_the_conductor =
            of_the_conductor.filter_map(|rest| rest.split_once(" => \"")?.1.split_once('"'));
        codes.extend(of_the_planner.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        codes.extend(of_the_conductor.map(|(code, _)| code.to_owned()));
    }
    ensure!(codes.len() > 25, "{codes:?}");
    Ok(codes)
}
