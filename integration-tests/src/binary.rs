//! The `tidegate` binary, as the tests run it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tokio::sync::OnceCell;

use crate::workspace_root;

/// Builds `tidegate` (once per test process; nothing to do when it is up to date) and returns its path.
///
/// As a part of the whole workspace, so that its dependencies are the ones that the tests were built with.
///
/// # Errors
/// When it does not compile.
pub async fn tidegate() -> Result<PathBuf> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let built = BUILT.get_or_try_init(|| async { tokio::task::spawn_blocking(build).await? });
    Ok(built.await?.clone())
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "tidegate",
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(workspace_root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo to build tidegate")?;
    if !output.status.success() {
        bail!("cargo could not build tidegate ({})", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages.lines().find_map(executable).context("cargo has built tidegate and told no path of it")
}

/// Cargo prints one JSON object per artifact; the target folder may be anywhere.
fn executable(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    (name == "tidegate").then(|| path.into())
}
