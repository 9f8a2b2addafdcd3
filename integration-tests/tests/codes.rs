//! The page of codes has each one that a program can say, and no other.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::workspace_root;

/// Also written like codes: names of Kubernetes, Flink and Java, of phases, actions, events and types.
const OTHERS: [&str; 18] = [
    "ClearHighAvailability",
    "ConfigMap",
    "ConfigMapStore",
    "CutoverPending",
    "CuttingOver",
    "DirectoryStore",
    "DuplicateApplicationSubmission",
    "DuplicateJobSubmission",
    "FlinkBlueGreenDeployment",
    "FlinkDeployment",
    "FlinkJobNotFoundException",
    "FlinkStateSnapshot",
    "NoSuchElementException",
    "PartialEq",
    "ProgramInvocationException",
    "TimeoutException",
    "WayBack",
    "ZooKeeperStore",
];

#[test]
fn each_code_is_explained() -> Result<()> {
    let root = workspace_root();
    let page = std::fs::read_to_string(root.join("docs/errors.md"))?;
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let explained: BTreeSet<String> = rows
        .flat_map(|cell| cell.split(['`', ',', ' ']))
        .filter(|word| is_code(word))
        .map(str::to_owned)
        .collect();
    let mut said = BTreeSet::new();
    for file in sources(&root)? {
        let text = std::fs::read_to_string(root.join(&file)).with_context(|| file.clone())?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        said.extend(literals(code).filter(|word| is_code(word)).map(str::to_owned));
    }
    for other in OTHERS {
        ensure!(said.remove(other), "{other} is said no more: remove it here");
    }
    let (missing, gone): (Vec<_>, Vec<_>) =
        (said.difference(&explained).collect(), explained.difference(&said).collect());
    ensure!(missing.is_empty(), "docs/errors.md does not explain {missing:?}");
    ensure!(gone.is_empty(), "docs/errors.md explains what nobody says: {gone:?}");
    ensure!(said.len() > 100, "{said:?}");
    Ok(())
}

/// Of the product, without tests.
fn sources(root: &Path) -> Result<Vec<String>> {
    let listed = Command::new("git").args(["ls-files", "*.rs", "*.java"]).current_dir(root).output()?;
    ensure!(listed.status.success(), "git cannot list the files");
    let listed = String::from_utf8(listed.stdout)?;
    let product = |file: &&str| {
        let place = ["controller/", "gate/", "protocol/"].iter().any(|folder| file.starts_with(folder));
        let other = ["/tests/", "/test/", "/proof/", "/benches/", "tests.rs", "conformance"];
        place && !other.iter().any(|part| file.contains(part))
    };
    Ok(listed.lines().filter(product).map(str::to_owned).collect())
}

/// Texts that are a code, or begin with one and a colon.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).map(|text| text.split(": ").next().unwrap_or(text).trim())
}

/// Several words, each with a capital letter: `StoreDenied`.
fn is_code(word: &str) -> bool {
    let mut before = ' ';
    let mut capitals = 0;
    for letter in word.chars() {
        match (letter.is_ascii_uppercase(), letter.is_ascii_lowercase()) {
            (true, _) if !before.is_ascii_uppercase() => capitals += 1,
            (false, true) if before != ' ' => {}
            _ => return false,
        }
        before = letter;
    }
    capitals > 1 && before.is_ascii_lowercase()
}
