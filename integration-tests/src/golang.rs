//! The Go programs of the harness, built once into `target/runtime`.

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
const HELM: &str = "helm.sh/helm/v4/cmd/helm";
/// The version of Helm that renders and packs the chart.
pub const HELM_VERSION: &str = "v4.3.1";

/// The Kubernetes control plane of `integration-tests/runtime/kube`; built when there is none of these very sources.
///
/// # Errors
/// When `go` is missing, a module cannot be had, or it does not compile.
pub async fn control_plane() -> Result<PathBuf> {
    tokio::task::spawn_blocking(|| {
        let sources = workspace_root().join("integration-tests/runtime/kube");
        let folder = build_once("kube", &hash(&sources)?, |folder| build(&sources, &folder.join(PROGRAM)))?;
        Ok(folder.join(PROGRAM))
    })
    .await?
}

/// The command `helm` of [`HELM_VERSION`]; built when there is none.
///
/// # Errors
/// As [`control_plane`].
pub async fn helm() -> Result<PathBuf> {
    tokio::task::spawn_blocking(|| {
        let folder = build_once("helm", HELM_VERSION, |folder| {
            let mut go = Command::new("go");
            go.args(["install", "-v", "-trimpath"])
                .arg(format!("{HELM}@{HELM_VERSION}"))
                .env("GOBIN", folder);
            run(go, &format!("Helm {HELM_VERSION}"))
        })?;
        Ok(folder.join("helm"))
    })
    .await?
}

/// A folder is there as a whole or not at all: it is filled beside its place and renamed. A lock keeps two runs apart.
fn build_once(name: &str, version: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let runtime = runtime_folder().join(name);
    fs::create_dir_all(&runtime).with_context(|| format!("cannot create {}", runtime.display()))?;
    let lock = File::create(runtime.join("lock")).context("cannot create a lock file")?;
    lock.lock().with_context(|| format!("cannot lock {}", runtime.display()))?;
    let folder = runtime.join(version);
    if !folder.exists() {
        let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(&runtime)?;
        build(fresh.path())?;
        fs::rename(fresh.keep(), &folder)
            .with_context(|| format!("cannot put {} in place", folder.display()))?;
    }
    Ok(folder)
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
    let mut go = Command::new("go");
    go.args(["build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"]);
    go.arg(linker_flags(&version)?).arg("-o").arg(program).arg(".").current_dir(sources);
    run(go, &format!("Kubernetes {version}"))
}

/// Runs `go` with -v, and tells how far it is.
fn run(mut go: Command, what: &str) -> Result<()> {
    let started = Instant::now();
    eprintln!("{what}: building it with Go (once, some minutes)");
    let mut go =
        go.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().context(
            "cannot run `go`: install Go 1.26 or newer (https://go.dev/dl) and put it on the PATH",
        )?;
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
                eprintln!("{what}: {compiled} packages compiled in {} s", started.elapsed().as_secs());
            }
        }
    }
    let status = go.wait().context("cannot wait for go")?;
    if !status.success() {
        let last = &last[last.len().saturating_sub(20)..];
        bail!("{what} could not be built with go ({status}):\n{}", last.join("\n"));
    }
    eprintln!("{what}: built in {:.0} s", started.elapsed().as_secs_f64());
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
