//! Who did what, and which versions there were.

use serde_json::json;

use super::Live;
use crate::exit::{Exit, Failure};
use crate::output::{Lines, Output, show};
use crate::resource::status::{Revision, Status};

pub(crate) async fn show_all(live: &Live, revisions: bool, output: Output) -> Result<Exit, Failure> {
    let status = live.get().await?.status.unwrap_or_default();
    if revisions {
        let names: Vec<&str> = status.revisions.iter().map(|revision| revision.name.as_str()).collect();
        show(output, &status.revisions, names.join("\n"), revision_lines(&status))?;
    } else {
        show(output, &json!(status.history), live.full_name(), history_lines(&status))?;
    }
    Ok(Exit::Done)
}

fn history_lines(status: &Status) -> Lines {
    let mut lines = Lines::new(&["TIME", "ROLLOUT", "WHO", "WHAT", "WHY"]);
    for entry in &status.history {
        let crate::resource::status::Entry { time, who, what, why, attempt } = entry.clone();
        lines.push([time, attempt.to_string(), who, what, why]);
    }
    lines
}

fn revision_lines(status: &Status) -> Lines {
    let mut lines = Lines::new(&["REVISION", "IS", "IMAGE OR JAR", "PARALLELISM", "ARGUMENTS"]);
    let active = status.active.as_ref().map(|member| &member.revision);
    let target = status.target.as_ref().map(|member| &member.revision);
    for revision in &status.revisions {
        let Revision { name, image, jar, args, parallelism, .. } = revision;
        let is = match (active == Some(name), target == Some(name)) {
            (true, _) => "active",
            (false, true) => "target",
            (false, false) => "",
        };
        let program = image.as_ref().or(jar.as_ref()).cloned().unwrap_or_default();
        let parallelism = parallelism.map(|parallelism| parallelism.to_string()).unwrap_or_default();
        lines.push([name.clone(), is.to_owned(), program, parallelism, args.join(" ")]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_and_revisions_are_lists() {
        let status: Status = serde_json::from_value(json!({
            "active": {"member": "blue-1", "color": "blue", "generation": 1, "deployment": "orders-blue-1", "revision": "3f2a"},
            "history": [{"time": "2026-03-01T12:00:00Z", "who": "ann", "what": "asked for abort", "why": "wrong jar", "attempt": 2}],
            "revisions": [
                {"name": "3f2a", "jar": "/1.jar", "parallelism": 2, "args": ["--topic", "a"], "source": {}},
                {"name": "9c01", "image": "orders:2", "source": {}},
            ],
        }))
        .unwrap();
        assert_eq!(
            history_lines(&status).to_string(),
            "TIME                  ROLLOUT  WHO  WHAT             WHY\n\
             2026-03-01T12:00:00Z  2        ann  asked for abort  wrong jar"
        );
        assert_eq!(
            revision_lines(&status).to_string(),
            "REVISION  IS      IMAGE OR JAR  PARALLELISM  ARGUMENTS\n\
             3f2a      active  /1.jar        2            --topic a\n\
             9c01      -       orders:2      -            -"
        );
    }
}
