//! What was asked for against what Flink tells of the job that it made of it.
//!
//! Flink accepts fields and keys that it does not know without a word. Not everything can be read back: of the
//! configuration, the keys below; the rest shows only in what the job does.

use super::http::Http;
use super::{answer, looks};
use crate::flink::{Difference, Error, JobId, JobSpec, StartFrom};

pub(super) async fn differences(
    http: &Http,
    job: &JobId,
    spec: &JobSpec,
    from: &StartFrom,
) -> Result<Vec<Difference>, Error> {
    let asked = format!("read the settings of job {job}");
    let details: answer::Job = looks::of_job(http, &asked, job, "").await?;
    let config: answer::JobConfig = looks::of_job(http, &asked, job, "/config").await?;
    let checkpoints: answer::Checkpoints = looks::of_job(http, &asked, job, "/checkpoints").await?;
    let checkpointing = looks::checkpoint_config(http, &asked, job).await?;
    let mut found = Vec::new();
    let parallelism = config.execution.map(|execution| execution.parallelism.to_string());
    compare(&mut found, "parallelism", spec.parallelism.map(|asked| asked.to_string()), parallelism);
    compare(&mut found, "name", spec.name.clone(), Some(details.name));
    let maximum = details.max_parallelism.map(|maximum| maximum.to_string());
    compare(
        &mut found,
        "pipeline.max-parallelism",
        spec.configuration.get("pipeline.max-parallelism").cloned(),
        maximum,
    );
    for (key, value) in checkpointing.iter().flat_map(readable) {
        let asked = spec.configuration.get(key).map(|asked| canonical(asked));
        compare(&mut found, key, asked, Some(value));
    }
    if let (None, Some(interval)) =
        (&checkpointing, spec.configuration.get("execution.checkpointing.interval"))
    {
        compare(&mut found, "execution.checkpointing.interval", Some(interval.clone()), None);
    }
    found.extend(restored(&checkpoints, from));
    Ok(found)
}

fn compare(differences: &mut Vec<Difference>, setting: &str, asked: Option<String>, found: Option<String>) {
    let Some(asked) = asked.filter(|asked| found.as_ref() != Some(asked)) else { return };
    let found = found.unwrap_or_else(|| "none".to_owned());
    differences.push(Difference { setting: setting.to_owned(), asked, found });
}

fn readable(config: &answer::CheckpointConfig) -> [(&'static str, String); 7] {
    let milliseconds = |value: u64| format!("{value} ms");
    [
        ("execution.checkpointing.interval", milliseconds(config.interval)),
        ("execution.checkpointing.timeout", milliseconds(config.timeout)),
        ("execution.checkpointing.min-pause", milliseconds(config.min_pause)),
        ("execution.checkpointing.mode", config.mode.to_lowercase()),
        ("execution.checkpointing.max-concurrent-checkpoints", config.max_concurrent.to_string()),
        ("execution.checkpointing.unaligned.enabled", config.unaligned_checkpoints.to_string()),
        ("execution.checkpointing.unaligned", config.unaligned_checkpoints.to_string()),
    ]
}

/// A value as [`readable`] writes it: durations in milliseconds, words in lower case.
fn canonical(value: &str) -> String {
    match milliseconds(value.trim()) {
        Some(value) => format!("{value} ms"),
        None => value.trim().to_lowercase(),
    }
}

/// A number with one of Flink's units. A number alone is left as it is: it may be a count.
fn milliseconds(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim() {
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A job that was restored more than once is restored from its own checkpoints: the first time is no longer told.
fn restored(checkpoints: &answer::Checkpoints, from: &StartFrom) -> Option<Difference> {
    let difference = |asked: &str, found: &str| {
        Some(Difference { setting: "state".to_owned(), asked: asked.to_owned(), found: found.to_owned() })
    };
    let latest = checkpoints.latest.restored.as_ref();
    let path = latest.and_then(|restored| restored.external_path.as_deref());
    match (from, checkpoints.counts.restored) {
        (StartFrom::Nothing, 0) | (_, 2..) => None,
        (StartFrom::Nothing, _) if latest.is_some_and(|restored| !restored.is_savepoint) => None,
        (StartFrom::Nothing, _) => difference("none", path.unwrap_or("a snapshot")),
        (StartFrom::Snapshot(asked), 0) => difference(asked, "none"),
        (StartFrom::Snapshot(asked), _) => match path {
            Some(found) if place(found) != place(asked) => difference(asked, found),
            Some(_) | None => None,
        },
    }
}

/// Flink writes `file:/x` for `file:///x`, and for `/x` on its default file system.
fn place(path: &str) -> &str {
    let path = path.strip_prefix("file:").unwrap_or(path);
    let path = path.strip_prefix("//").unwrap_or(path);
    path.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoints(restored: u64, path: &str, is_savepoint: bool) -> answer::Checkpoints {
        let latest = answer::Restored { id: 1, external_path: Some(path.into()), is_savepoint };
        answer::Checkpoints {
            counts: answer::Counts { restored, in_progress: 0, completed: 0, failed: 0 },
            latest: answer::Latest {
                restored: (restored > 0).then_some(latest),
                ..answer::Latest::default()
            },
            history: Vec::new(),
        }
    }

    #[test]
    fn a_job_that_did_not_begin_with_its_snapshot_is_told() {
        let from = StartFrom::Snapshot("file:///s/1".into());
        assert_eq!(restored(&checkpoints(1, "file:/s/1", true), &from), None);
        assert_eq!(restored(&checkpoints(0, "", true), &from).unwrap().found, "none");
        assert_eq!(restored(&checkpoints(1, "file:/s/2", true), &from).unwrap().found, "file:/s/2");
        assert_eq!(restored(&checkpoints(2, "file:/c/9", false), &from), None, "it has restarted since");
        assert_eq!(restored(&checkpoints(1, "file:/s/1", true), &StartFrom::Nothing).unwrap().asked, "none");
        assert_eq!(
            restored(&checkpoints(1, "file:/c/1", false), &StartFrom::Nothing),
            None,
            "its own checkpoint"
        );
    }

    #[test]
    fn values_are_compared_however_they_are_written() {
        for (written, read) in [
            ("500ms", "500 ms"),
            ("2 s", "2000 ms"),
            ("1 min", "60000 ms"),
            ("EXACTLY_ONCE", "exactly_once"),
            ("3", "3"),
            ("99999999999999999999 s", "99999999999999999999 s"),
        ] {
            assert_eq!(canonical(written), read, "{written}");
        }
    }
}
