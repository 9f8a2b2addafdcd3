//! The Go program of the harness, built once into `target/runtime`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use xxhash_rust::xxh3::Xxh3;

use crate::{runtime_folder, workspace_root};

const MODULE: &str = "k8s.io/kubernetes";
const PROGRAM: &str = "controlplane";

/// The Kubernetes control plane of `integration-tests/runtime/kube`; built when there is none of these very sources.
///
/// # Errors
/// When `go` is missing, a module cannot be had, or it does not compile.
pub async fn control_plane() -> Result<PathBuf> {
    tokio::task::spawn_blocking(build_once).await?
}

/// A folder is there as a whole or not at all: it is filled beside its place and renamed. A lock keeps two runs apart.
fn build_once() -> Result<PathBuf> {
    let sources = workspace_root().join("integration-tests/runtime/kube");
    let runtime = runtime_folder().join("kube");
    fs::create_dir_all(&runtime).with_context(|| format!("cannot create {}", runtime.display()))?;
    let lock = File::create(runtime.join("lock")).context("cannot create a lock file")?;
    lock.lock().context("cannot lock the folder of the control plane")?;
    let folder = runtime.join(hash(&sources)?);
    if !folder.exists() {
        let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(&runtime)?;
        build(&sources, &fresh.path().join(PROGRAM))?;
        fs::rename(fresh.keep(), &folder)
            .with_context(|| format!("cannot put {} in place", folder.display()))?;
    }
    Ok(folder.join(PROGRAM))
}

/// Of all sources, their names included.
fn hash(sources: &Path) -> Result<String> {
    let entries = fs::read_dir(sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let mut hasher = Xxh3::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hasher.update(file.file_name().context("a file has no name")?.as_encoded_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(format!("{:016x}", hasher.digest()))
}

fn build(sources: &Path, program: &Path) -> Result<()> {
    let version = kubernetes_version(&sources.join("go.mod"))?;
    let started = Instant::now();
    eprintln!("Kubernetes {version}: building its control plane with Go (once, some minutes)");
    let mut go = Command::new("go")
        .args(["build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"])
        .arg(linker_flags(&version)?)
        .arg("-o")
        .arg(program)
        .arg(".")
        .current_dir(sources)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run `go`: install Go 1.26 or newer (https://go.dev/dl) and put it on the PATH")?;
    let mut last = Vec::new();
    let mut compiled = 0_usize;
    for line in BufReader::new(go.stderr.take().context("go has no error output")?).lines() {
        let line = line.context("cannot read what go says")?;
        // With -v a line is a package; anything else has blanks in it.
        if line.contains(' ') || line.starts_with('#') {
            last.push(line);
        } else {
            compiled += 1;
            if compiled.is_multiple_of(200) {
                let seconds = started.elapsed().as_secs();
                eprintln!("Kubernetes {version}: {compiled} packages compiled in {seconds} s");
            }
        }
    }
    let status = go.wait().context("cannot wait for go")?;
    if !status.success() {
        let last = &last[last.len().saturating_sub(20)..];
        bail!("go could not build the control plane ({status}):\n{}", last.join("\n"));
    }
    eprintln!("Kubernetes {version}: built in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Of the line that requires it, like `v1.36.4`.
fn kubernetes_version(module: &Path) -> Result<String> {
    let text = fs::read_to_string(module).with_context(|| format!("cannot read {}", module.display()))?;
    let line =
        text.lines().filter_map(|line| line.trim().strip_prefix(MODULE)).find(|rest| rest.starts_with(" v"));
    let version = line.and_then(|rest| rest.split_whitespace().next());
    version.map(str::to_owned).with_context(|| format!("{} requires no {MODULE}", module.display()))
}

/// Without them the server says that it is some version 0, and clients refuse it.
fn linker_flags(version: &str) -> Result<String> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        bail!("{version} is no version of {MODULE}");
    };
    let mut flags = String::from("-s -w");
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    Ok(flags)
}
