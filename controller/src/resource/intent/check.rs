//! Checks as they are run.

use super::Reader;
use crate::resource::duration::Duration;
use crate::resource::spec;

/// A check that can be run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) name: String,
    /// How often it is looked at.
    pub(crate) interval_ms: u64,
    /// How many good results in a row it takes.
    pub(crate) count: u32,
    /// How many bad results are allowed in all.
    pub(crate) failure_limit: u32,
    /// What is looked at.
    pub(crate) probe: Probe,
}

/// What a check looks at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Probe {
    /// The share of time that the job's tasks are backpressured, at most.
    Backpressure {
        /// In percent.
        percent: u32,
    },
    /// An HTTP GET.
    Http {
        /// With `{member}` still in it.
        url: String,
        /// The good status.
        status: u16,
        /// How long the answer may take.
        timeout_ms: u64,
    },
    /// A Prometheus query.
    Prometheus {
        /// The server.
        url: String,
        /// With `{member}` still in it.
        query: String,
        /// The lowest good value.
        at_least: Option<f64>,
        /// The highest good value.
        at_most: Option<f64>,
        /// How long the answer may take.
        timeout_ms: u64,
    },
    /// A key that is set from outside.
    Key {
        /// The ConfigMap; the resource's annotations when there is none.
        config_map: Option<String>,
        /// The key in it.
        key: String,
    },
}

pub(super) fn read(reader: &mut Reader, checks: &[spec::Check], prove_ms: u64) -> Vec<Check> {
    let mut names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        reader.problem(
            "spec.checks",
            format!("the name {:?} comes twice", pair[0]),
            "give each check its own",
        );
    }
    checks.iter().filter_map(|check| read_one(reader, check, prove_ms)).collect()
}

fn read_one(reader: &mut Reader, check: &spec::Check, prove_ms: u64) -> Option<Check> {
    let field = format!("spec.checks[{}]", check.name);
    let interval_ms = reader.millis(&format!("{field}.interval"), &check.interval);
    if interval_ms == 0 {
        reader.problem(format!("{field}.interval"), "0s", "write at least 1s");
    }
    let takes_ms = interval_ms.saturating_mul(check.count.into());
    if takes_ms >= prove_ms {
        let what =
            format!("{} results, one each {}, take longer than the proof may", check.count, check.interval.0);
        reader.problem(format!("{field}.count"), what, "write fewer, or a longer spec.deadlines.prove");
    }
    let probe = probe(reader, &field, check)?;
    let spec::Check { name, count, failure_limit, .. } = check.clone();
    Some(Check { name, interval_ms, count, failure_limit, probe })
}

fn probe(reader: &mut Reader, field: &str, check: &spec::Check) -> Option<Probe> {
    let spec::Check { built_in, http, prometheus, key, .. } = check;
    Some(match (built_in, http, prometheus, key) {
        (Some(built_in), None, None, None) => Probe::Backpressure { percent: built_in.backpressure_percent },
        (None, Some(http), None, None) => Probe::Http {
            url: url(reader, &format!("{field}.http.url"), &http.url),
            status: http.status,
            timeout_ms: timeout(reader, &format!("{field}.http.timeout"), &http.timeout),
        },
        (None, None, Some(prometheus), None) => {
            let spec::Prometheus { query, at_least, at_most, .. } = prometheus.clone();
            let crossed = at_least.zip(at_most).is_some_and(|(least, most)| least > most);
            if crossed || at_least.or(at_most).is_none() {
                let what = if crossed { "atLeast is above atMost" } else { "there is no threshold" };
                reader.problem(format!("{field}.prometheus"), what, "write atLeast, atMost or both");
            }
            let timeout_ms = timeout(reader, &format!("{field}.prometheus.timeout"), &prometheus.timeout);
            let url = url(reader, &format!("{field}.prometheus.url"), &prometheus.url);
            Probe::Prometheus { url, query, at_least, at_most, timeout_ms }
        }
        (None, None, None, Some(key)) => {
            Probe::Key { config_map: key.config_map.clone(), key: key.key.clone() }
        }
        (_, _, _, _) => {
            reader.problem(
                field,
                "it is not of one kind",
                "write exactly one of builtIn, http, prometheus and key",
            );
            return None;
        }
    })
}

fn timeout(reader: &mut Reader, field: &str, timeout: &Duration) -> u64 {
    let millis = reader.millis(field, timeout);
    if millis == 0 {
        reader.problem(field, "0s", "write at least 1ms; 5s when left out");
    }
    millis
}

fn url(reader: &mut Reader, field: &str, url: &str) -> String {
    if !(url.starts_with("http://") || url.starts_with("https://")) || url.contains('@') {
        reader.problem(field, "it is no address", "write http://… or https://…, without credentials");
    }
    url.to_owned()
}
