//! Starting a job.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tidegate::flink::{JobId, JobSpec, Launch, Progress, StartFrom, Submission};
use tidegate_protocol::identity::{Color, Member};

use super::state::{Book, State};
use super::update::{absolute, remembered};
use super::{Session, done, is_named};
use crate::arguments::{Program, Waiting};
use crate::exit::{Exit, Failure};
use crate::output::{Output, progress, show};

/// What is to be started.
pub(crate) struct Order<'a> {
    pub(crate) name: &'a str,
    pub(crate) jar: &'a str,
    pub(crate) program: &'a Program,
    pub(crate) from: Option<&'a str>,
    pub(crate) allow_non_restored_state: bool,
    /// What its gates share with those of later versions.
    pub(crate) store: Option<&'a str>,
    pub(crate) url: &'a str,
    pub(crate) state: Option<&'a Path>,
    pub(crate) id: String,
}

impl Order<'_> {
    /// The job's id follows from the attempt: the same attempt is the same job.
    fn launch(&self) -> Launch {
        Launch {
            owner: format!("cli {}", self.id),
            rollout: self.name.to_owned(),
            member: Member::new(Color::Blue, 1),
            attempt: 1,
        }
    }

    /// As a resource would say it.
    fn source(&self) -> Value {
        let Program { jar: _, entry_class, arguments, parallelism, configuration } = self.program;
        let configuration: BTreeMap<&String, &String> =
            configuration.iter().map(|(key, value)| (key, value)).collect();
        json!({
            "url": self.url, "jar": absolute(self.jar), "entryClass": entry_class, "args": arguments, "parallelism": parallelism,
            "configuration": configuration,
        })
    }

    fn spec(&self) -> JobSpec {
        let Program { jar: _, entry_class, arguments, parallelism, configuration } = self.program;
        let mut configuration: BTreeMap<String, String> = configuration.iter().cloned().collect();
        if let Some(store) = self.store {
            let own = [("store", store), ("rollout", self.name), ("color", "blue"), ("generation", "1")];
            configuration.extend(own.map(|(key, value)| (format!("tidegate.{key}"), value.to_owned())));
        }
        JobSpec {
            name: Some(self.name.to_owned()),
            entry_class: entry_class.clone(),
            arguments: arguments.clone(),
            parallelism: *parallelism,
            configuration,
            allow_non_restored_state: self.allow_non_restored_state,
            ..JobSpec::new(absolute(self.jar))
        }
    }
}

impl Session {
    /// Starts the job, and waits until all of it runs. Refused when another job of that name does.
    pub(crate) async fn deploy(
        &self,
        order: &Order<'_>,
        waiting: Waiting,
        output: Output,
    ) -> Result<Exit, Failure> {
        let driver = self.driver.as_ref();
        let (launch, spec) = (order.launch(), order.spec());
        let job = driver.job_id(&launch);
        let jobs = driver.jobs().await?;
        let mut others = jobs.iter().filter(|other| !other.state.has_ended() && other.id != job);
        if let Some(other) = others.find(|other| is_named(&other.name, order.name)) {
            let message = format!(
                "{} runs already as {} ({}); change it with `tidegate update`, end it with `tidegate terminate`, or deploy under \
                 another --name",
                order.name, other.id, other.name
            );
            return Err(Failure::new(Exit::Refused, "NameTaken", message));
        }
        let memory = remember(order, &job)?;
        let from = order.from.map_or(StartFrom::Nothing, |path| StartFrom::Snapshot(path.to_owned()));
        let progress = progress("starting")?;
        // An answer that was lost is made certain by asking again.
        let submission = done("the start", waiting.timeout, &progress, async || {
            driver.start(&launch, &spec, &from).await.map(Progress::Done)
        })
        .await?;
        if let Some((book, state)) = &memory {
            book.write(state)?;
        }
        if !waiting.no_wait {
            let ended = done("the start", waiting.timeout, &progress, async || {
                let Some(status) = driver.status(&job).await? else { return Ok(Progress::Running) };
                progress.set_message(status.summary());
                Ok(match status.is_running() || status.state.has_ended() {
                    true => Progress::Done(status.state.has_ended().then(|| status.summary())),
                    false => Progress::Running,
                })
            })
            .await?;
            if let Some(summary) = ended {
                let cause = driver.failures(&job).await?.into_iter().next().map(|failure| failure.cause);
                let message =
                    format!("{summary}: {}", cause.unwrap_or_else(|| "its cause is not told".to_owned()));
                return Err(Failure::new(Exit::Failed, "JobEnded", message));
            }
        }
        let value = json!({
            "outcome": "done", "name": order.name, "job": job.as_str(), "id": order.id, "changed": submission == Submission::New,
        });
        let what = if waiting.no_wait { "is started as" } else { "runs as" };
        show(output, &value, &job, format!("{} {what} {job}", order.name))?;
        Ok(Exit::Done)
    }
}

/// What a later update needs to come back to this job; nothing when it is remembered already. That it cannot be remembered keeps no job
/// from being started.
fn remember(order: &Order<'_>, job: &JobId) -> Result<Option<(Book, State)>, Failure> {
    let prepare = || -> Result<Option<(Book, State)>, Failure> {
        let book = Book::open(order.state, order.url, order.name)?;
        let is_known = |state: &State| state.found().values().any(|known| known == job);
        if book.read()?.as_ref().is_some_and(is_known) {
            return Ok(None);
        }
        let state = remembered(order.name, &order.id, order.source(), job.as_str(), &book, order.store)?;
        Ok(Some((book, state)))
    };
    match prepare() {
        Err(failure) if failure.exit == Exit::Fenced => Err(failure),
        Err(failure) => {
            let Failure { code, message, .. } = failure;
            eprintln!("{} can be updated with --running only: {code}: {message}", order.name);
            Ok(None)
        }
        prepared => prepared,
    }
}
