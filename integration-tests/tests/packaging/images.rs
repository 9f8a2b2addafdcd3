//! What the image recipes copy is there, or is made by a step that they name.

use anyhow::{Result, ensure};
use tidegate_integration_tests::workspace_root;

use crate::read;

#[test]
fn what_the_recipes_copy_is_there() -> Result<()> {
    let root = workspace_root();
    let recipe = read(&root.join("controller/deploy/Containerfile"))?;
    let mut stages = Vec::new();
    for line in recipe.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["FROM", _, "AS", stage] => stages.push(*stage),
            ["COPY", from, rest @ ..] if from.starts_with("--from=") => {
                ensure!(stages.contains(&&from[7..]), "{line}: there is no stage before of that name");
                ensure!(rest.len() == 2, "{line}");
            }
            ["COPY", sources @ .., _] => {
                for source in sources {
                    ensure!(root.join(source).exists(), "{line}: there is no {source}");
                }
            }
            ["COPY" | "ADD", ..] => anyhow::bail!("{line} is not understood"),
            _ => {}
        }
    }
    ensure!(stages == ["build", "controller", "cli"], "{stages:?}");
    // What the build needs is copied: every member of the workspace, and what makes builds the same.
    let lines = recipe.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    let workspace = read(&root.join("Cargo.toml"))?;
    let members = workspace.lines().filter_map(|line| line.strip_prefix("  \"")?.strip_suffix("\","));
    let folders: Vec<_> = members.filter_map(|member| member.split('/').next()).collect();
    ensure!(folders.len() > 5, "{folders:?}");
    for needed in folders.into_iter().chain(["Cargo.toml", "Cargo.lock"]) {
        ensure!(copied.contains(&needed), "the recipe does not copy {needed}");
    }
    Ok(())
}
