//! The command line of `verify`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{History, Request, Shape};

/// Compares a topic row by row with the rows that each member would write.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The Kafka brokers of the output
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: String,

    /// The output topic
    #[arg(long)]
    topic: String,

    /// A member's rows for all event time, one JSON object per line; once per color
    #[arg(long, value_name = "COLOR=FILE", required = true)]
    expected: Vec<String>,

    /// Who owns the event time from SINCE (epoch milliseconds) on; ascending, the first one without SINCE
    #[arg(long, value_name = "COLOR[@SINCE]", required = true)]
    owner: Vec<String>,

    /// A field of the row's key; repeat for a key of several fields
    #[arg(long, value_name = "FIELD", required = true)]
    key: Vec<String>,

    /// The field with the row's event time, in epoch milliseconds
    #[arg(long, value_name = "FIELD")]
    time_field: String,

    /// Added to the time field: 3599999 when it is the start of an hourly window
    #[arg(long, value_name = "MS", default_value_t = 0, allow_hyphen_values = true)]
    time_offset_ms: i64,

    /// How long an open transaction may keep the end of the topic from being read
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    deadline_s: u64,
}

impl Arguments {
    /// Parses what clap leaves as text.
    ///
    /// # Errors
    /// When an owner, a file or their order cannot be understood.
    pub(crate) fn request(&self) -> Result<Request> {
        let owners = self.owner.iter().map(|text| owner(text)).collect::<Result<Vec<_>>>()?;
        let expected = self.expected.iter().map(|text| expected(text)).collect::<Result<Vec<_>>>()?;
        Ok(Request {
            bootstrap_servers: self.bootstrap_servers.clone(),
            topic: self.topic.clone(),
            deadline: Duration::from_secs(self.deadline_s),
            shape: Shape {
                key: self.key.clone(),
                time_field: self.time_field.clone(),
                time_offset_ms: self.time_offset_ms,
            },
            history: History::new(owners)?,
            expected,
        })
    }
}

fn owner(text: &str) -> Result<(i64, String)> {
    match text.split_once('@') {
        None => Ok((i64::MIN, text.to_owned())),
        Some((color, since)) => {
            let since = since
                .parse()
                .with_context(|| format!("--owner {text}: {since} is not epoch milliseconds"))?;
            Ok((since, color.to_owned()))
        }
    }
}

fn expected(text: &str) -> Result<(String, PathBuf)> {
    match text.split_once('=') {
        Some((color, file)) if !color.is_empty() && !file.is_empty() => Ok((color.to_owned(), file.into())),
        _ => bail!("--expected {text}: give it as COLOR=FILE"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(owners: &[&str]) -> Result<Request> {
        let mut line =
            vec!["verify", "--bootstrap-servers", "b:1", "--topic", "t", "--expected", "blue=b.jsonl"];
        line.extend([
            "--expected",
            "green=g.jsonl",
            "--key",
            "origin",
            "--key",
            "hour",
            "--time-field",
            "hour",
        ]);
        line.extend(owners.iter().flat_map(|owner| ["--owner", owner]));
        Cli::try_parse_from(line)?.arguments.request()
    }

    #[test]
    fn owners_files_and_keys_are_understood() {
        let request = parse(&["blue", "green@5000"]).unwrap();
        assert_eq!(request.history.owner(4_999), Some("blue"));
        assert_eq!(request.history.owner(5_000), Some("green"));
        assert_eq!(request.shape.key, ["origin", "hour"]);
        assert_eq!(request.expected[1], ("green".to_owned(), PathBuf::from("g.jsonl")));
    }

    #[test]
    fn an_owner_without_a_number_is_refused() {
        let error = parse(&["blue", "green@noon"]).unwrap_err();
        assert!(format!("{error:#}").contains("noon is not epoch milliseconds"), "{error:#}");
    }

    #[test]
    fn owners_out_of_order_are_refused() {
        assert!(parse(&["blue", "green@10", "blue@5"]).is_err());
    }
}
