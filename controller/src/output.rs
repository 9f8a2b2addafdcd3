//! Results on standard output; everything else goes to standard error.

use std::fmt::{self, Display};
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// The form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs: one JSON object, or one array, in a line
    Json,
    /// The same as YAML
    Yaml,
    /// Only names or ids, one a line
    Name,
}

/// Prints a result in the form that was asked for; returns whether anybody reads it.
pub(crate) fn show(
    output: Output,
    value: &impl Serialize,
    name: impl Display,
    text: impl Display,
) -> anyhow::Result<bool> {
    Ok(match output {
        Output::Text => say(text),
        Output::Json => say(serde_json::to_string(value)?),
        Output::Yaml => say(serde_saphyr::to_string(value)?.trim_end()),
        Output::Name => {
            let name = name.to_string();
            name.is_empty() || say(name)
        }
    })
}

/// Prints a line on standard output; returns whether anybody reads it. A reader that has gone away (`| head`) changes nothing
/// of what was done.
pub(crate) fn say(text: impl Display) -> bool {
    writeln!(std::io::stdout().lock(), "{text}").is_ok()
}

/// What goes on, on standard error; nothing when that is not a terminal.
pub(crate) fn progress(message: &'static str) -> anyhow::Result<ProgressBar> {
    let progress =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    progress.set_style(ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}")?);
    progress.enable_steady_tick(Duration::from_millis(120));
    progress.set_message(message);
    Ok(progress)
}

/// A list for people: a line of headings, then one line for each.
pub(crate) struct Lines(Table);

impl Lines {
    pub(crate) fn new(headings: &[&str]) -> Lines {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(headings.iter().copied());
        Lines(table)
    }

    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }));
    }
}

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.lines();
        // The blank in front of each line, and those behind it, are for borders that are not there.
        let trimmed = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
        if let Some(first) = lines.next() {
            f.write_str(&trimmed(first))?;
        }
        lines.try_for_each(|line| write!(f, "\n{}", trimmed(line)))
    }
}

/// How long ago, in the largest unit that is not zero: `12s`, `5m`, `3h`, `2d`.
pub(crate) fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_headings_and_no_blanks_at_the_ends() {
        let mut lines = Lines::new(&["NAME", "PHASE"]);
        lines.push(["orders".to_owned(), String::new()]);
        lines.push(["a".to_owned(), "Idle".to_owned()]);
        assert_eq!(lines.to_string(), "NAME    PHASE\norders  -\na       Idle");
    }

    #[test]
    fn an_age_is_told_in_one_unit() {
        let told: Vec<String> = [-1, 5, 119, 120, 7_200, 172_800].map(ago).into();
        assert_eq!(told, ["0s", "5s", "119s", "2m", "2h", "2d"]);
    }
}
