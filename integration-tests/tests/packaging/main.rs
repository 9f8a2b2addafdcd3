//! What is installed: the kustomization, the manifest that is made from it, the Helm chart, rights, alerts, the dashboard, and
//! the image recipes.

mod chart;
mod images;
mod install;
mod maven;
mod monitoring;
mod objects;
mod rights;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::{golang, workspace_root};
use tokio::process::Command;

/// A file or folder of `controller/deploy`.
fn deploy(path: &str) -> PathBuf {
    workspace_root().join("controller/deploy").join(path)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// What `kubectl kustomize` makes of a folder of `controller/deploy`.
async fn kustomize(folder: &str) -> Result<String> {
    let mut kubectl = Command::new(golang::control_plane().await?);
    kubectl.args(["kubectl", "kustomize"]).arg(deploy(folder));
    output(kubectl).await
}

async fn output(mut command: Command) -> Result<String> {
    let output = command.output().await.with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed ({}): {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
