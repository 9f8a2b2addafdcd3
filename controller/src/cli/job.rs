//! The verbs on jobs: of a resource, or of a Flink cluster without a controller.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::arguments::{Attempt, Cluster, Job, Program, RestAddress, Server, Strategy, Waiting};
use crate::exit::{Exit, Failure};
use crate::live::{self, Live};
use crate::output::Output;
use crate::session::{self, Session};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    server: Server,

    /// The resources of all namespaces
    #[arg(long, short = 'A', conflicts_with_all = ["namespace", "url"])]
    all_namespaces: bool,

    #[command(flatten)]
    cluster: Cluster,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["file", "url"]))]
pub(crate) struct Deploy {
    /// A file with the FlinkBlueGreenDeployment to apply; - for standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "name")]
    file: Option<PathBuf>,

    #[command(flatten)]
    server: Server,

    #[command(flatten)]
    cluster: Cluster,

    /// With --url: the job's name
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    name: Option<String>,

    #[command(flatten)]
    program: Program,

    /// With --url: the savepoint, or kept checkpoint, to start from
    #[arg(long, value_name = "PATH")]
    from: Option<String>,

    /// With --url: go on when the savepoint has state that the job has no operator for
    #[arg(long)]
    allow_non_restored_state: bool,

    #[command(flatten)]
    memory: Remembered,

    #[command(flatten)]
    waiting: Waiting,
}

/// What is kept of a job that no controller looks after.
#[derive(Clone, Debug, Args)]
struct Remembered {
    /// With --url: the store that the gates of this job and of its later versions share, as in tidegate.store; for jobs with gates
    #[arg(long, value_name = "URL", requires = "url")]
    store: Option<String>,

    /// With --url: the file that remembers what the job is made from, and how far an update is; one below XDG_STATE_HOME when not given
    #[arg(long, value_name = "FILE", requires = "url")]
    state: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    job: Job,

    #[command(flatten)]
    program: Program,

    /// Of a resource: the image
    #[arg(long, value_name = "IMAGE", conflicts_with = "url")]
    image: Option<String>,

    /// How it is replaced; the resource's own way when not given, blue-green with --url
    #[arg(long, value_enum)]
    strategy: Option<Strategy>,

    #[command(flatten)]
    memory: Remembered,

    /// With --url, of a job that nothing is remembered of: a YAML file that says what it is made from (jar, entryClass, args, parallelism,
    /// configuration), so that it can be brought back
    #[arg(long, value_name = "FILE", requires = "url")]
    running: Option<PathBuf>,

    /// With --url: what the new version does for this long after it runs is not counted
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    settling: String,

    /// With --url: then its restarts and checkpoints are counted for this long
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    window: String,

    /// With --url and blue-green: how far the new version may be behind the old one in event time, for as long as --settling, to take over
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    lag: String,

    /// With --url and blue-green: how long the old version stands by after the cutover
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    watch: String,

    /// With --url: where savepoints are put; where Flink's own configuration says when not given
    #[arg(long, value_name = "PATH", requires = "url")]
    directory: Option<String>,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Terminate {
    #[command(flatten)]
    job: Job,

    /// Without a savepoint: what its sinks have not committed is lost
    #[arg(long)]
    cancel: bool,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    job: Job,

    #[command(flatten)]
    address: RestAddress,
}

#[derive(Debug, Args)]
pub(crate) struct Savepoint {
    #[command(flatten)]
    job: Job,

    #[command(flatten)]
    address: RestAddress,

    /// Take one now, and another one each time that this long has passed, until a signal ends this command
    #[arg(long, value_name = "DURATION", value_parser = every)]
    every: Option<Duration>,

    /// With --every: delete all but the newest that this command has taken
    #[arg(long, value_name = "NUMBER", requires = "every", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    keep: Option<u32>,

    /// With --every: end after this many
    #[arg(long, value_name = "NUMBER", requires = "every", value_parser = clap::value_parser!(u32).range(1..))]
    times: Option<u32>,

    /// Where it is put; where Flink's own configuration says when not given
    #[arg(long, value_name = "PATH", requires = "url")]
    directory: Option<String>,

    #[command(flatten)]
    waiting: Waiting,
}

impl List {
    pub(crate) async fn run(&self, output: Output) -> Result<Exit, Failure> {
        match Session::open(&self.cluster, None)? {
            Some(session) => session.list(output).await,
            None => live::list::show_all(&self.server, self.all_namespaces, output).await,
        }
    }
}

impl Deploy {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        if let Some(file) = &self.file {
            if self.cluster.url.is_some() || self.program.is_given() || self.from.is_some() {
                return Err(Failure::usage(
                    "a file says all about the job; leave --url, --jar and the like out",
                ));
            }
            return live::change::deploy(&self.server, file, attempt, self.waiting, output).await;
        }
        let session = Session::open(&self.cluster, None)?;
        let (Some(session), Some(name), Some(jar)) = (session, &self.name, &self.program.jar) else {
            return Err(Failure::usage("a job on a cluster needs --url, --name and --jar"));
        };
        let order = session::deploy::Order {
            name,
            jar,
            program: &self.program,
            from: self.from.as_deref(),
            allow_non_restored_state: self.allow_non_restored_state,
            store: self.memory.store.as_deref(),
            url: self.cluster.url.as_deref().unwrap_or_default(),
            state: self.memory.state.as_deref(),
            id: attempt.id(),
        };
        session.deploy(&order, self.waiting, output).await
    }
}

impl Update {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        if !self.program.is_given() && self.image.is_none() && self.strategy.is_none() {
            return Err(Failure::usage(
                "nothing to change; write --jar, --image, --arg, --parallelism or --config",
            ));
        }
        let Job { name, server, cluster } = &self.job;
        if let (Some(session), Some(url)) = (Session::open(cluster, self.directory.as_deref())?, &cluster.url)
        {
            let wanted = session::update::Wanted {
                url,
                name,
                program: &self.program,
                strategy: self.strategy,
                store: self.memory.store.as_deref(),
                settling: &self.settling,
                window: &self.window,
                lag: &self.lag,
                watch: &self.watch,
                savepoint_directory: self.directory.as_deref(),
                running: self.running.as_deref(),
                state: self.memory.state.clone(),
                id: attempt.id(),
            };
            return session.update(&wanted, self.waiting, output).await;
        }
        let live = Live::by_name(server, name).await?;
        let change = live::change::Change {
            program: &self.program,
            image: self.image.as_deref(),
            strategy: self.strategy,
        };
        live::change::update(&live, &change, attempt, self.waiting, output).await
    }
}

impl Terminate {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        let Job { name, server, cluster } = &self.job;
        match Session::open(cluster, None)? {
            Some(session) => {
                let id = attempt.id();
                session.terminate(name, self.cancel, &id, self.waiting, output).await
            }
            None => {
                let live = Live::by_name(server, name).await?;
                live::change::terminate(&live, self.cancel, self.waiting, output).await
            }
        }
    }
}

impl Query {
    pub(crate) async fn run(&self, output: Output) -> Result<Exit, Failure> {
        let jobs = jobs(&self.job, &self.address, None).await?;
        session::query::show_jobs(&self.job.name, &jobs, output).await
    }
}

impl Savepoint {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        let jobs = jobs(&self.job, &self.address, self.directory.as_deref()).await?;
        let Some(job) = jobs.first() else {
            let message = format!("{} has no job that runs", self.job.name);
            return Err(Failure::new(Exit::Refused, "NoJob", message));
        };
        let schedule = session::savepoint::Schedule {
            every: self.every,
            keep: self.keep.map(|keep| keep as usize),
            times: self.times,
            id: attempt.id(),
        };
        session::savepoint::take(job, &schedule, self.waiting, output).await
    }
}

/// The jobs of that name: one on a cluster; of a resource the active one first.
async fn jobs(
    job: &Job,
    address: &RestAddress,
    directory: Option<&str>,
) -> Result<Vec<session::Found>, Failure> {
    match Session::open(&job.cluster, directory)? {
        Some(session) => Ok(vec![session.find(&job.name).await?]),
        None => {
            let live = Live::by_name(&job.server, &job.name).await?;
            live.jobs(address.flink_rest_address.as_deref()).await
        }
    }
}

/// Not so often that one would begin before the last one is complete on every cluster.
fn every(text: &str) -> Result<Duration, String> {
    let every = crate::arguments::duration(text)?;
    if every.is_zero() { Err("write 1s or more, such as 15m".to_owned()) } else { Ok(every) }
}
