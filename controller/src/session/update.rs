//! Another version of a job, without a controller: the controller's own planner and shell, in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::rollout::{Asked, Launch, Record, Start, Verb, Version};
use tokio::time::Instant;

use super::Session;
use super::state::{Book, State};
use crate::arguments::{Program, Strategy, Waiting};
use crate::controller::Problem;
use crate::controller::alone::{Alone, Came, Memory};
use crate::exit::{Exit, Failure};
use crate::output::{Output, progress, show};
use crate::resource::intent::Intent;
use crate::resource::spec::Spec;

/// What is wanted.
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    pub(crate) program: &'a Program,
    pub(crate) strategy: Option<Strategy>,
    /// What gates of both versions share.
    pub(crate) store: Option<&'a str>,
    pub(crate) settling: &'a str,
    pub(crate) window: &'a str,
    pub(crate) lag: &'a str,
    pub(crate) watch: &'a str,
    pub(crate) savepoint_directory: Option<&'a str>,
    /// What the job that runs is made from, when nothing is remembered of it.
    pub(crate) running: Option<&'a Path>,
    pub(crate) state: Option<PathBuf>,
    pub(crate) id: String,
}

impl Session {
    /// Takes up what an earlier command has begun, or begins; ends when the new version is live, or was given up.
    pub(crate) async fn update(
        &self,
        wanted: &Wanted<'_>,
        waiting: Waiting,
        output: Output,
    ) -> Result<Exit, Failure> {
        if waiting.no_wait {
            let message =
                "--no-wait: an update without a controller is done by this very process; leave it out";
            return Err(Failure::new(Exit::Usage, "Usage", message));
        }
        let book = Book::open(wanted.state.as_deref(), wanted.url, wanted.name)?;
        let known = book.read()?;
        let mut state = match known {
            Some(state) => state,
            None => self.adopt(wanted, &book).await?,
        };
        let mut retry = None;
        if state.id != wanted.id {
            state.spec = changed(&state.spec, wanted, &book)?;
            state.id.clone_from(&wanted.id);
            // What was given up is tried again when another attempt asks for it.
            let (id, who) = (wanted.id.clone(), std::env::var("USER").unwrap_or_default());
            retry = state.record.failed.is_some().then(|| Asked {
                id,
                who,
                why: String::new(),
                verb: Verb::Retry,
            });
        }
        let intent = read(wanted.name, &state.spec)?;
        state.remember(intent.source.describe());
        book.write(&state)?;
        let end = self.drive(&book, &mut state, &intent, retry.as_ref(), waiting.timeout).await?;
        let active = state.record.active.as_ref().map(|active| active.launch.to_string()).unwrap_or_default();
        if let Came::GivenUp(failure) = end {
            let message =
                format!("the new version was given up, {active} has the output: {}", failure.message);
            return Err(Failure::new(Exit::RolledBack, failure.cause.code(), message));
        }
        let value = json!({
            "outcome": "done", "name": wanted.name, "active": active, "revision": intent.revision, "id": wanted.id,
            "attempt": state.record.attempt, "state": book.place(),
        });
        let text = format!("{} is live as {active}, revision {}", wanted.name, intent.revision);
        show(output, &value, wanted.name, text)?;
        Ok(Exit::Done)
    }

    /// Looks, writes, acts, until there is an end.
    async fn drive(
        &self,
        book: &Book,
        state: &mut State,
        intent: &Intent,
        asked: Option<&Asked>,
        timeout: Duration,
    ) -> Result<Came, Failure> {
        let progress = progress("looking")?;
        let deadline = Instant::now() + timeout;
        let mut memory = Memory::new(Arc::clone(&self.driver), intent);
        let mut is_first = true;
        let found = state.found();
        loop {
            let mut record = state.record.clone();
            let alone = Alone {
                owner: &state.owner,
                name: &state.name,
                intent,
                revisions: &state.revisions,
                found: &found,
                asked,
            };
            let persist = |record: &Record| -> Result<(), Failure> {
                book.write(&State { record: record.clone(), ..state.clone() })
            };
            let came = alone.look(&mut memory, &mut record, persist).await;
            state.record = record;
            let (what, wait) = match came {
                Ok(Came::UnderWay(what, wait)) => (what, wait),
                Ok(end @ (Came::Live | Came::GivenUp(_))) => return Ok(end),
                Err(failure) if failure.exit == Exit::Unreachable && !is_first => {
                    (failure.message, super::POLL)
                }
                Err(failure) => return Err(failure),
            };
            is_first = false;
            progress.set_message(what.clone());
            if Instant::now() + wait > deadline {
                let message = format!(
                    "not done in time ({what}); nobody goes on with it until the same command is typed again, with --id {}",
                    state.id
                );
                return Err(Failure::new(Exit::Timeout, "Timeout", message));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// A job that runs, and of which nothing is remembered: whoever wants another version must be able to come back to it.
    async fn adopt(&self, wanted: &Wanted<'_>, book: &Book) -> Result<State, Failure> {
        let found = self.find(wanted.name).await?;
        let Some(file) = wanted.running else {
            let message = format!(
                "nothing is remembered of {} ({}), and so it could not be brought back; say what it is made from with --running FILE: \
                 jar, entryClass, args, parallelism, configuration",
                wanted.name,
                book.place()
            );
            return Err(Failure::new(Exit::Refused, "NoWayBack", message));
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("--running {}: {error}", file.display())))?;
        let mut job: Value = serde_saphyr::from_str(&text)
            .map_err(|error| Failure::usage(format!("--running {}: {error}", file.display())))?;
        job["url"] = wanted.url.into();
        remembered(wanted.name, "", job, found.job.as_str(), book, wanted.store)
    }
}

/// The state of a job that runs.
pub(super) fn remembered(
    name: &str,
    id: &str,
    job: Value,
    job_id: &str,
    book: &Book,
    store: Option<&str>,
) -> Result<State, Failure> {
    let store = store.map_or_else(|| book.store(), |store| Ok(store.to_owned()))?;
    let spec = json!({"job": job, "strategy": "stop-start", "store": store});
    let spec: Spec = serde_json::from_value(spec)
        .map_err(|error| Failure::new(Exit::Refused, "SpecInvalid", format!("what runs: {error}")))?;
    let source = read(name, &spec)?.source.describe();
    let launch = Launch::first(Member::new(Color::Blue, 1));
    let mut record = Record::default();
    record.generations.blue = 1;
    record.active = Some(Version {
        launch,
        revision: tidegate_protocol::rollout::Revision(source.name.clone()),
        start: Start::Empty,
        scale: None,
        ran: true,
        rooted: true,
    });
    let mut state = State::of(name, id, spec, source, record);
    state.found.insert(launch, job_id.to_owned());
    Ok(state)
}

fn read(name: &str, spec: &Spec) -> Result<Intent, Failure> {
    Intent::read("", name, spec).map_err(|invalid| Failure::new(Exit::Refused, "SpecInvalid", invalid))
}

/// The spec that is wanted now: what is named differs, and all else is as it was.
fn changed(spec: &Spec, wanted: &Wanted<'_>, book: &Book) -> Result<Spec, Failure> {
    let mut value = serde_json::to_value(spec).map_err(anyhow::Error::from)?;
    let Program { jar, entry_class, arguments, parallelism, configuration } = wanted.program;
    let job = &mut value["job"];
    job["url"] = wanted.url.into();
    if let Some(jar) = jar {
        job["jar"] = absolute(jar).into();
    }
    if let Some(class) = entry_class {
        job["entryClass"] = class.as_str().into();
    }
    if !arguments.is_empty() {
        job["args"] = json!(arguments);
    }
    if let Some(parallelism) = parallelism {
        job["parallelism"] = (*parallelism).into();
    }
    for (key, entry) in configuration {
        if !job["configuration"].is_object() {
            job["configuration"] = Value::Object(Map::new());
        }
        job["configuration"][key] = entry.as_str().into();
    }
    let own = value["store"].as_str().unwrap_or_default().to_owned();
    if let Some(store) = wanted.store {
        value["store"] = store.into();
    }
    let is_blue_green = wanted.strategy != Some(Strategy::StopStart);
    if is_blue_green && wanted.store.is_none() && own == book.store()? {
        return Err(Failure::new(
            Exit::Refused,
            "StoreMissing",
            "blue-green needs gates in both versions, and the store that they share: write --store, or --strategy stop-start",
        ));
    }
    value["strategy"] = if is_blue_green { "blue-green" } else { "stop-start" }.into();
    value["proof"] = json!({"settling": wanted.settling, "window": wanted.window});
    if is_blue_green {
        value["proof"]["lag"] = json!({"allowed": wanted.lag, "hold": wanted.settling});
    }
    value["watch"] = wanted.watch.into();
    value["deletionDelay"] = "0s".into();
    if let Some(directory) = wanted.savepoint_directory {
        value["savepointDirectory"] = directory.into();
    }
    serde_json::from_value(value)
        .map_err(|error| Failure::new(Exit::Refused, "SpecInvalid", format!("spec: {error}")))
}

/// A path that means the same to a command in another folder.
pub(super) fn absolute(jar: &str) -> String {
    let is_path = !jar.starts_with("file:");
    let path = std::path::absolute(jar).ok().filter(|_| is_path);
    path.map_or_else(|| jar.to_owned(), |path| path.display().to_string())
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        match problem {
            Problem::Flink(error) => error.into(),
            Problem::Store(error) => error.into(),
            other @ (Problem::Api(_)
            | Problem::Invalid(_)
            | Problem::Ask(_)
            | Problem::Record(_)
            | Problem::OtherRollout { .. }
            | Problem::Source { .. }
            | Problem::Different { .. }
            | Problem::LeftBehind(_)
            | Problem::NoServer
            | Problem::Name(_)
            | Problem::NotAllowed(_)
            | Problem::Notification { .. }
            | Problem::Status(_)) => Failure::new(Exit::Failed, other.code(), &other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(program: &'a Program, strategy: Option<Strategy>, store: Option<&'a str>) -> Wanted<'a> {
        Wanted {
            url: "http://flink:8081",
            name: "orders",
            program,
            strategy,
            store,
            settling: "0s",
            window: "5s",
            lag: "1m",
            watch: "1m",
            savepoint_directory: None,
            running: None,
            state: None,
            id: "2".to_owned(),
        }
    }

    #[test]
    fn what_is_not_named_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(Some(&folder.path().join("s")), "", "orders").unwrap();
        let job = json!({"url": "http://flink:8081", "jar": "/1.jar", "args": ["a"], "parallelism": 2});
        let state = remembered("orders", "1", job, "4f", &book, None).unwrap();
        let program = Program { jar: Some("/2.jar".to_owned()), ..Program::default() };
        let spec = changed(&state.spec, &wanted(&program, Some(Strategy::StopStart), None), &book).unwrap();
        let job = spec.job.clone().unwrap();
        assert_eq!((job.jar.as_str(), job.args.len(), job.parallelism), ("/2.jar", 1, Some(2)));
        assert_ne!(read("orders", &spec).unwrap().revision.0, state.revisions[0].name);
        // Two versions beside each other need gates, and those a store.
        let refused = changed(&state.spec, &wanted(&program, None, None), &book).unwrap_err();
        assert_eq!((refused.exit, refused.code.as_str()), (Exit::Refused, "StoreMissing"));
        let both =
            changed(&state.spec, &wanted(&program, None, Some("zookeeper://zk:2181/t")), &book).unwrap();
        assert_eq!(both.store.as_deref(), Some("zookeeper://zk:2181/t"));
    }

    #[test]
    fn a_job_that_runs_is_the_active_version() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(Some(&folder.path().join("s")), "", "orders").unwrap();
        let state = remembered(
            "orders",
            "1",
            json!({"url": "http://flink:8081", "jar": "/1.jar"}),
            "4f",
            &book,
            None,
        );
        let state = state.unwrap();
        let active = state.record.active.clone().unwrap();
        assert_eq!((active.launch.to_string().as_str(), active.ran), ("blue-1", true));
        assert_eq!(active.revision.0, state.revisions[0].name);
        assert_eq!(state.found()[&active.launch], tidegate::flink::JobId::new("4f"));
        let bad =
            remembered("orders", "1", json!({"url": "http://flink:8081", "ja": "/1.jar"}), "4f", &book, None);
        assert!(bad.unwrap_err().message.contains("ja"));
    }
}
