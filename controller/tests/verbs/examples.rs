//! The examples of the help texts, typed into a shell as they stand there; only addresses, folders and the name of a revision are those
//! of this test.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::process::Process;

use super::typed::{DONE, FAILED, Said, Typed};

/// What cannot succeed here: the line's beginning, how it ends, and why.
const WITHOUT_SUCCESS: [(&str, i32, &str); 1] = [(
    "verify --bootstrap-servers",
    FAILED,
    "there is no Kafka here, nor files of what was to be written; tests/verify.rs of tidegate-integration-tests has both",
)];

/// All of them, and which were run.
pub(crate) struct Examples {
    typed: Typed,
    /// Where the shell stands.
    pub(crate) folder: PathBuf,
    replaced: Mutex<Vec<(String, String)>>,
    lines: Mutex<Vec<Example>>,
}

struct Example {
    line: String,
    was_run: bool,
}

impl Examples {
    /// Those of every verb, as `--help` shows them.
    pub(crate) async fn read(typed: &Typed, folder: &Path) -> Result<Examples> {
        let help = typed.text("--help").await?;
        let verbs = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let verbs = verbs.context("the help names no commands")?.lines();
        let verbs = verbs.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let mut lines = Vec::new();
        for verb in verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
            let help = typed.text(&format!("{verb} --help")).await?;
            let (_, examples) =
                help.split_once("Example:\n").with_context(|| format!("{verb} has no example"))?;
            let own = examples.trim_end().replace("\\\n", " ");
            lines.extend(own.lines().map(|line| Example { line: line.trim().to_owned(), was_run: false }));
        }
        ensure!(lines.iter().all(|example| example.line.starts_with("tidegate ")));
        Ok(Examples {
            typed: typed.clone(),
            folder: folder.to_owned(),
            replaced: Mutex::default(),
            lines: Mutex::new(lines),
        })
    }

    /// From now on `here` is typed instead of `there`.
    pub(crate) fn replace(&self, there: &str, here: &str) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.push((there.to_owned(), here.to_owned()));
    }

    /// Runs the one that begins so; it is done.
    pub(crate) async fn run(&self, begin: &str) -> Result<String> {
        let said = self.typed.in_shell(&self.take(begin)?, &self.folder).await?;
        ensure!(said.exit == DONE, "{said:?}");
        Ok(said.out)
    }

    /// Starts the one that begins so; it goes on until a signal ends it.
    pub(crate) fn start(&self, begin: &str, kubeconfig: &Path, log: &Path) -> Result<Process> {
        self.typed.start(&self.take(begin)?, kubeconfig, &self.folder, log)
    }

    /// Runs those that cannot succeed here; then none is left.
    pub(crate) async fn finish(&self) -> Result<()> {
        for (begin, exit, why) in WITHOUT_SUCCESS {
            let said: Said = self.typed.in_shell(&self.take(begin)?, &self.folder).await?;
            ensure!(said.exit == exit, "expected {exit}, because {why}: {said:?}");
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let left = lines.iter().filter(|example| !example.was_run);
        let left: Vec<&str> = left.map(|example| example.line.as_str()).collect();
        ensure!(left.is_empty(), "nobody has run {left:#?}");
        println!("{} examples of the help texts were run", lines.len());
        Ok(())
    }

    /// Each is run once.
    fn take(&self, begin: &str) -> Result<String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = lines.iter_mut().filter(|example| {
            let rest = example.line.strip_prefix("tidegate ").and_then(|line| line.strip_prefix(begin));
            !example.was_run && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        let example = found
            .next()
            .with_context(|| format!("no example that is still to be run begins with {begin:?}"))?;
        ensure!(found.next().is_none(), "several examples begin with {begin:?}");
        example.was_run = true;
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(replaced.iter().fold(example.line.clone(), |line, (there, here)| line.replace(there, here)))
    }
}
