//! The folder of one run: removed after success, kept and quoted after a failure.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

const TAIL_LINES: usize = 20;

/// A temporary folder that outlives a failure.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Creates an empty folder in the system's temporary folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(name: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("tidegate-{name}-"))
            .tempdir()
            .context("cannot create a temporary folder")?;
        Ok(Self { folder })
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `body` on the folder. Parts that `body` starts must end with it.
    ///
    /// # Errors
    /// The error of `body`, with the folder (which then stays) and the tails of its logs.
    pub async fn run<T>(mut self, body: impl AsyncFnOnce(&Path) -> Result<T>) -> Result<T> {
        match body(self.path()).await {
            Ok(value) => Ok(value),
            Err(error) => {
                self.folder.disable_cleanup(true);
                let path = self.path().to_path_buf();
                Err(anyhow!("{error:#}\n\nlogs are kept in {}\n{}", path.display(), tails(&path)))
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("logs are kept in {}\n{}", self.path().display(), tails(self.path()));
        }
    }
}

/// The last lines of every `.log` file below `folder`, each under its name.
#[must_use]
pub fn tails(folder: &Path) -> String {
    let mut logs = Vec::new();
    collect_logs(folder, &mut logs);
    logs.sort();
    let mut text = String::new();
    for log in logs {
        let name = log.strip_prefix(folder).unwrap_or(&log).display();
        text.push_str(&format!("--- {name}\n{}\n", tail(&log, TAIL_LINES)));
    }
    text
}

/// The last `lines` lines of one file; a note when it cannot be read.
#[must_use]
pub fn tail(file: &Path, lines: usize) -> String {
    match fs::read(file) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("(cannot read {}: {error})", file.display()),
    }
}

fn collect_logs(folder: &Path, logs: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect_logs(&path, logs);
        // Kafka's own segments end in .log, too; theirs are called by an offset.
        } else if path.extension().is_some_and(|extension| extension == "log")
            && !path
                .file_stem()
                .is_some_and(|stem| stem.to_string_lossy().chars().all(|c| c.is_ascii_digit()))
        {
            logs.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn success_removes_the_folder() {
        let path = Scratch::new("removed").unwrap().run(async |path| Ok(path.to_path_buf())).await.unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn failure_keeps_the_folder_and_shows_the_tails() {
        let mut kept = PathBuf::new();
        let error = Scratch::new("kept")
            .unwrap()
            .run(async |path| -> Result<()> {
                kept = path.to_path_buf();
                let lines: String = (0..100).map(|n| format!("line {n}\n")).collect();
                fs::create_dir(path.join("part"))?;
                fs::write(path.join("part/server.log"), lines)?;
                fs::write(path.join("part/00000000000000000000.log"), "a segment")?;
                bail!("the water is gone")
            })
            .await
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("the water is gone"), "{text}");
        assert!(
            text.contains("--- part/server.log") && text.contains("line 99") && !text.contains("line 79\n"),
            "{text}"
        );
        assert!(!text.contains("a segment"), "{text}");
        assert!(kept.exists());
        fs::remove_dir_all(kept).unwrap();
    }
}
