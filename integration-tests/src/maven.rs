//! The Java libraries of the real parts, copied once from Maven's repository into `target/runtime`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{runtime_folder, workspace_root};

const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const MARKER: &str = "made-from";

/// The Kafka version that the harness starts.
pub const KAFKA_VERSION: &str = "4.3.0";

/// The ZooKeeper version that the harness starts.
pub const ZOOKEEPER_VERSION: &str = "3.9.5";

/// A folder of jars.
#[derive(Debug, Clone)]
pub struct Libraries {
    folder: PathBuf,
}

impl Libraries {
    /// The libraries of a Flink cluster of that version.
    ///
    /// # Errors
    /// When `java` or `mvn` is missing, or an artifact cannot be had.
    pub async fn flink(version: &str) -> Result<Self> {
        Self::copy("flink", version).await
    }

    /// The libraries of Flink 1.20.3 in a pod of its own: with its Kubernetes module.
    ///
    /// # Errors
    /// When `java` or `mvn` is missing, or an artifact cannot be had.
    pub async fn flink_on_kubernetes() -> Result<Self> {
        Self::copy("flink-kubernetes", "1.20.3").await
    }

    /// The libraries of a Kafka broker of [`KAFKA_VERSION`].
    ///
    /// # Errors
    /// When `java` or `mvn` is missing, or an artifact cannot be had.
    pub async fn kafka() -> Result<Self> {
        Self::copy("kafka", KAFKA_VERSION).await
    }

    /// The libraries of a ZooKeeper server of [`ZOOKEEPER_VERSION`], and of its command line client.
    ///
    /// # Errors
    /// When `java` or `mvn` is missing, or an artifact cannot be had.
    pub async fn zookeeper() -> Result<Self> {
        Self::copy("zookeeper", ZOOKEEPER_VERSION).await
    }

    /// For `java -cp`.
    #[must_use]
    pub fn classpath(&self) -> String {
        self.folder.join("*").display().to_string()
    }

    /// The jars whose names begin so, for a `-cp` of some of them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn jars(&self, prefix: &str) -> Result<Vec<PathBuf>> {
        let jars = fs::read_dir(&self.folder).context("cannot read the folder of libraries")?;
        let jars = jars.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let named =
            |jar: &PathBuf| jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        Ok(jars.into_iter().filter(named).collect())
    }

    async fn copy(part: &'static str, version: &str) -> Result<Self> {
        let version = version.to_owned();
        let folder = tokio::task::spawn_blocking(move || copy_once(part, &version)).await??;
        Ok(Self { folder })
    }
}

/// A folder is there as a whole or not at all: it is filled beside its place and renamed. A lock keeps two runs apart.
fn copy_once(part: &str, version: &str) -> Result<PathBuf> {
    let pom = workspace_root().join("integration-tests/runtime").join(part).join("pom.xml");
    let wanted = fs::read_to_string(&pom).with_context(|| format!("cannot read {}", pom.display()))?;
    let runtime = runtime_folder();
    let name = format!("{part}-{version}");
    let folder = runtime.join(&name);
    fs::create_dir_all(&runtime).with_context(|| format!("cannot create {}", runtime.display()))?;
    let lock = File::create(runtime.join(format!("{name}.lock"))).context("cannot create a lock file")?;
    lock.lock().context("cannot lock the folder of libraries")?;
    if fs::read_to_string(folder.join(MARKER)).is_ok_and(|made_from| made_from == wanted) {
        return Ok(folder);
    }
    let fresh = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&runtime)?;
    run_maven(&pom, part, version, fresh.path())?;
    fs::write(fresh.path().join(MARKER), &wanted)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove the outdated {}", folder.display()))?;
    }
    fs::rename(fresh.keep(), &folder).with_context(|| format!("cannot put {} in place", folder.display()))?;
    Ok(folder)
}

fn run_maven(pom: &Path, part: &str, version: &str, folder: &Path) -> Result<()> {
    let started = Instant::now();
    eprintln!("{part} {version}: copying its libraries with Maven (once)");
    let mut maven = Command::new("mvn")
        .args(["-B", "-Dstyle.color=never", "-f"])
        .arg(pom)
        .arg(format!("-D{part}.version={version}"))
        .args([COPY, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .context("cannot run `mvn`: install Maven 3.8 or newer and a JDK 17, and put both on the PATH")?;
    let mut last = Vec::new();
    let mut fetched = 0_usize;
    for line in BufReader::new(maven.stdout.take().context("Maven has no output")?).lines() {
        let line = line.context("cannot read what Maven says")?;
        if line.contains("Downloaded from") {
            fetched += 1;
            if fetched.is_multiple_of(20) {
                eprintln!("{part} {version}: {fetched} files fetched");
            }
        } else if line.starts_with("[ERROR]") {
            last.push(line);
        }
    }
    let status = maven.wait().context("cannot wait for Maven")?;
    if !status.success() {
        bail!("Maven could not copy the libraries of {part} {version} ({status}):\n{}", last.join("\n"));
    }
    let jars = fs::read_dir(folder)?.count();
    eprintln!("{part} {version}: {jars} libraries in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
