//! The copy with all mutants in it, compiled: its own `prove`, and the tests of stores and agents.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;
use tidegate_proof::mutants::workspace::{self, BUILD, PROFILE};
use tidegate_proof::mutants::{Mutant, Tier};

/// The test binaries that a tier runs, by crate.
const TESTS: [(Tier, &str, &str); 3] = [
    (Tier::Store, "tidegate-store-directory", "conformance"),
    (Tier::Store, "tidegate-store-directory", "processes"),
    (Tier::Agent, "tidegate-agent", "suite"),
];

/// What was compiled.
pub(crate) struct Built {
    /// The copy's `prove`.
    pub(crate) prove: PathBuf,
    pub(crate) tests: Vec<Test>,
}

/// A test binary.
pub(crate) struct Test {
    pub(crate) tier: Tier,
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Where cargo would run it.
    pub(crate) folder: PathBuf,
}

/// Writes and compiles the copy; the tests only if somebody needs them.
pub(crate) fn build(root: &Path, mutants: &[Mutant], tiers: &[Tier]) -> anyhow::Result<Built> {
    let folder = workspace::generate(root, mutants)?;
    cargo(root, &folder, &["build", "-p", "tidegate-proof", "--bin", "prove"])?;
    let mut tests = Vec::new();
    for (tier, package, name) in TESTS {
        if !tiers.contains(&tier) {
            continue;
        }
        let messages = cargo(
            root,
            &folder,
            &["test", "--no-run", "-p", package, "--test", name, "--message-format", "json"],
        )?;
        let program = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == name)
            .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
        let program = program.with_context(|| format!("cargo built no test {name} of {package}"))?;
        let package = if tier == Tier::Agent { "gate/agent" } else { "protocol/store-directory" };
        tests.push(Test { tier, name, program, folder: folder.join(package) });
    }
    Ok(Built { prove: root.join(BUILD).join(PROFILE).join("prove"), tests })
}

fn cargo(root: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("cargo")
        .args(arguments)
        .args(["--quiet", "--profile", PROFILE])
        .env("CARGO_TARGET_DIR", root.join(BUILD))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("cargo")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = arguments.join(" ");
        bail!(
            "the copy in {} does not build (cargo {what}); a mutant does not compile:\n{said}",
            folder.display()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
