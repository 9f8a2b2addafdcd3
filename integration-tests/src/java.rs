//! Small jobs of one Java file, for tests that need any job: compiled against the very libraries that run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::maven::Libraries;

/// Compiles one source file and packs it into a jar below `folder`; its main class is called like the file.
///
/// # Errors
/// When it does not compile, or `javac` or `jar` (both of the JDK) is missing.
pub fn job_jar(folder: &Path, source: &Path, libraries: &Libraries) -> Result<PathBuf> {
    let class = source.file_stem().context("the source has no file name")?.to_string_lossy().into_owned();
    let classes = folder.join("classes");
    fs::create_dir_all(&classes).context("cannot create the folder of the classes")?;
    let mut javac = Command::new("javac");
    javac.args(["--release", "17", "-nowarn", "-cp", &libraries.classpath(), "-d"]).arg(&classes).arg(source);
    run("javac", &mut javac)?;
    let jar = folder.join(format!("{class}.jar"));
    let mut pack = Command::new("jar");
    pack.args(["--create", "--main-class", &class, "--file"]).arg(&jar).arg("-C").arg(&classes).arg(".");
    run("jar", &mut pack)?;
    Ok(jar)
}

/// Compiles one source file against a job's jar as well, and returns a copy of that jar with its classes, below `folder`. Its main
/// class is `main_class`.
///
/// # Errors
/// As [`job_jar`].
pub fn extended_jar(
    folder: &Path,
    base: &Path,
    source: &Path,
    main_class: &str,
    libraries: &Libraries,
) -> Result<PathBuf> {
    let classes = folder.join("more-classes");
    fs::create_dir_all(&classes).context("cannot create the folder of the classes")?;
    let path = format!("{}:{}", base.display(), libraries.classpath());
    let mut javac = Command::new("javac");
    javac.args(["--release", "17", "-nowarn", "-cp", &path, "-d"]).arg(&classes).arg(source);
    run("javac", &mut javac)?;
    let jar = folder.join("extended.jar");
    fs::copy(base, &jar).with_context(|| format!("cannot copy {}", base.display()))?;
    let mut pack = Command::new("jar");
    pack.args(["--update", "--main-class", main_class, "--file"]).arg(&jar).arg("-C").arg(&classes).arg(".");
    run("jar", &mut pack)?;
    Ok(jar)
}

fn run(name: &str, command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run `{name}`: install a JDK 17 and put it on the PATH"))?;
    if !output.status.success() {
        bail!("{name} has failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
