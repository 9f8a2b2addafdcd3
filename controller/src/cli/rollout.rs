//! The verbs on a rollout, by its resource or by its store.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::{self, Member};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::When;

use crate::arguments::{Attempt, Chosen, Place, Resource, Server, Waiting};
use crate::exit::{Exit, Failure};
use crate::live::{self, Live, Wish};
use crate::output::Output;
use crate::{ask, status};

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,

    /// Show it again whenever it changes, until nothing is under way: 0 when the wanted version is live, 4 when it was given up
    #[arg(long)]
    watch: bool,

    /// Show only what is waited for, down to the subtask
    #[arg(long)]
    why: bool,

    /// With --watch, how long at most; without it as long as it takes
    #[arg(long, value_name = "DURATION", requires = "watch", value_parser = crate::arguments::duration)]
    timeout: Option<std::time::Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    #[command(flatten)]
    place: Place,

    /// By a store: the boundary in event time: now, +30s, an RFC 3339 time, or epoch milliseconds. A boundary that is named is
    /// refused when it has passed, never moved. For a resource the controller chooses it
    #[arg(long, value_name = "WHEN", default_value = "now")]
    at: When,

    /// By a store: who takes over, such as green-2; the one live standby when not given
    #[arg(long, value_name = "MEMBER")]
    to: Option<Member>,

    /// By a store: when the new member begins to emit; the rollout's own way when not given
    #[arg(long, value_enum)]
    hand_over: Option<HandOverArgument>,

    /// Of a resource: whatever lag, window and checks say
    #[arg(long)]
    waive: bool,

    #[command(flatten)]
    words: Words,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HandOverArgument {
    /// When all below the boundary is committed: an old value never follows a newer one
    Ordered,
    /// At once: no pause, both emit for a while
    Overlapped,
}

/// What a request carries along.
#[derive(Clone, Debug, Args)]
pub(crate) struct Words {
    /// Of a resource: why, for its history
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Abort {
    #[command(flatten)]
    place: Place,

    /// By a store: only this attempt; refused when another one is under way
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u64>,

    #[command(flatten)]
    words: Words,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    place: Place,

    /// Of a resource: make this revision the wanted one, as `tidegate history --revisions` names it; its beginning is enough
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,

    #[command(flatten)]
    words: Words,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    resource: Resource,

    #[command(flatten)]
    words: Words,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct Replace {
    #[command(flatten)]
    resource: Resource,

    /// The savepoint, or kept checkpoint, to launch it from; the last state that is known when not given
    #[arg(long, value_name = "PATH")]
    from: Option<String>,

    #[command(flatten)]
    words: Words,

    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    resource: Resource,

    /// Show the versions that were deployed instead, for rollback --to
    #[arg(long)]
    revisions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The name of the FlinkBlueGreenDeployment; the one in the file when not given
    #[arg(value_name = "NAME", required_unless_present = "file")]
    name: Option<String>,

    #[command(flatten)]
    server: Server,

    /// A resource to plan for, as it would be deployed; - for standard input. Without it the resource as it is
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub(crate) async fn run(&self, output: Output) -> Result<Exit, Failure> {
        match self.place.choose()? {
            Chosen::Resource(resource) if self.watch => {
                live::status::watch(&Live::open(&resource).await?, output, self.why, self.timeout).await
            }
            Chosen::Resource(resource) => {
                live::status::show_once(&Live::open(&resource).await?, output, self.why).await
            }
            Chosen::Store(rollout) if self.watch => {
                status::watch(&rollout, output, self.why, self.timeout).await
            }
            Chosen::Store(rollout) => status::show(&rollout, output, self.why).await,
        }
    }
}

impl Promote {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        match self.place.choose()? {
            Chosen::Resource(resource) => {
                if self.at != When::Now || self.to.is_some() || self.hand_over.is_some() {
                    return Err(Failure::usage(
                        "--at, --to and --hand-over are for a rollout by its store; for a resource the controller chooses boundary and \
                         member, and spec.handOver the way",
                    ));
                }
                let wish = self.words.of(attempt, Wish::promote(self.waive));
                live::ask::ask(&Live::open(&resource).await?, &wish, self.waiting, output).await
            }
            Chosen::Store(_) if self.waive => Err(Failure::usage("--waive is for a resource; leave it out")),
            Chosen::Store(rollout) => {
                let hand_over = self.hand_over.map(|argument| match argument {
                    HandOverArgument::Ordered => HandOver::Ordered,
                    HandOverArgument::Overlapped => HandOver::Overlapped,
                });
                let request = Request::Promote { at: self.at, to: self.to, hand_over };
                ask::promote(&rollout, &request, attempt, self.waiting, output).await
            }
        }
    }
}

impl Abort {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        match self.place.choose()? {
            Chosen::Resource(_) if self.attempt.is_some() => {
                Err(Failure::usage("--attempt is for a rollout by its store; leave it out"))
            }
            Chosen::Resource(resource) => {
                let wish = self.words.of(attempt, Wish::abort());
                live::ask::ask(&Live::open(&resource).await?, &wish, self.waiting, output).await
            }
            Chosen::Store(rollout) => {
                let request = Request::Abort { attempt: self.attempt.map(identity::Attempt) };
                ask::abort(&rollout, &request, attempt, self.waiting, output).await
            }
        }
    }
}

impl Pause {
    pub(crate) async fn run(&self, paused: bool, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        match self.place.choose()? {
            Chosen::Resource(resource) => {
                live::change::pause(&Live::open(&resource).await?, paused, attempt, output).await
            }
            Chosen::Store(rollout) => ask::pause(&rollout, paused, output).await,
        }
    }
}

impl Rollback {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        match (self.place.choose()?, &self.to) {
            (Chosen::Resource(resource), Some(revision)) => {
                let live = Live::open(&resource).await?;
                live::change::to_revision(&live, revision, attempt, self.waiting, output).await
            }
            (Chosen::Resource(resource), None) => {
                let wish = self.words.of(attempt, Wish::rollback());
                live::ask::ask(&Live::open(&resource).await?, &wish, self.waiting, output).await
            }
            (Chosen::Store(_), Some(_)) => Err(Failure::usage("--to is for a resource; leave it out")),
            (Chosen::Store(rollout), None) => ask::rollback(&rollout, attempt, self.waiting, output).await,
        }
    }
}

impl Retry {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        let wish = self.words.of(attempt, Wish::retry());
        live::ask::ask(&Live::open(&self.resource).await?, &wish, self.waiting, output).await
    }
}

impl Replace {
    pub(crate) async fn run(&self, attempt: &Attempt, output: Output) -> Result<Exit, Failure> {
        let wish = self.words.of(attempt, Wish::replace(self.from.clone()));
        live::ask::ask(&Live::open(&self.resource).await?, &wish, self.waiting, output).await
    }
}

impl History {
    pub(crate) async fn run(&self, output: Output) -> Result<Exit, Failure> {
        live::history::show_all(&Live::open(&self.resource).await?, self.revisions, output).await
    }
}

impl Plan {
    pub(crate) async fn run(&self, output: Output) -> Result<Exit, Failure> {
        let file = self.file.as_deref();
        live::plan::show_steps(self.name.as_deref(), &self.server, file, output).await
    }
}

impl Doctor {
    pub(crate) async fn run(&self, output: Output) -> Result<Exit, Failure> {
        match self.place.choose()? {
            Chosen::Resource(resource) => live::doctor::examine(&Live::open(&resource).await?, output).await,
            Chosen::Store(rollout) => status::show(&rollout, output, true).await,
        }
    }
}

impl Words {
    fn of(&self, attempt: &Attempt, wish: Wish) -> Wish {
        Wish { id: attempt.id(), why: self.why.clone(), ..wish }
    }
}
