//! What befalls the controller's requests.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use reqwest::StatusCode;
use serde_json::Value;
use tidegate_integration_tests::http_proxy::{After, Before, Bytes, Request, Script};
use tidegate_protocol::rollout::ActionKind;
use tokio::sync::watch;

use super::case::DEADLINE;
use super::controller::Controller;
use super::points::{Point, Points};

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    ApiServer,
    Flink,
}

/// Something that is done to a request first; `None`: as if nothing had been.
pub(crate) type Trick =
    Arc<dyn Fn(Side, &Request) -> Pin<Box<dyn Future<Output = Option<Before>> + Send>> + Send + Sync>;

/// The fates of one controller's requests.
pub(crate) struct Fates {
    controller: OnceLock<Arc<Controller>>,
    state: Mutex<State>,
    outage: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    points: Points,
    is_killing: bool,
    killed: Vec<Killed>,
    trick: Option<Trick>,
    requests: BTreeMap<(Side, String), u64>,
    launches: Vec<Launched>,
}

/// What became of the controller at one point.
#[derive(Clone, Debug)]
pub(crate) struct Killed {
    pub(crate) point: Point,
    pub(crate) before: bool,
    pub(crate) after: bool,
}

/// A submission of a job, as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Launched {
    pub(crate) member: String,
    pub(crate) job: String,
}

/// A request on its way.
pub(crate) struct Held {
    has_come: watch::Receiver<bool>,
    go: watch::Sender<bool>,
}

/// The fates at one of the servers.
pub(crate) struct At(pub(crate) Side, pub(crate) Arc<Fates>);

impl Fates {
    pub(crate) fn new() -> Fates {
        Fates { controller: OnceLock::new(), state: Mutex::default(), outage: watch::Sender::new(false) }
    }

    /// Whose they are.
    pub(crate) fn befall(&self, controller: Arc<Controller>) {
        assert!(self.controller.set(controller).is_ok(), "the fates have a controller");
    }

    /// Whether it is killed at each point that it was not killed at.
    pub(crate) fn kill(&self, is_killing: bool) {
        self.state().is_killing = is_killing;
    }

    /// Cuts the API server off, or not.
    pub(crate) fn cut_off(&self, is_cut: bool) {
        self.outage.send_replace(is_cut);
    }

    /// From now on; `None` for none.
    pub(crate) fn play(&self, trick: Option<Trick>) {
        self.state().trick = trick;
    }

    /// The next request like this is held until it is let go; the ones after it are not.
    pub(crate) fn hold(&self, wanted: impl Fn(Side, &Request) -> bool + Send + Sync + 'static) -> Held {
        let (come, has_come) = watch::channel(false);
        let (go, may_go) = watch::channel(false);
        self.play(Some(Arc::new(move |side, request| {
            let is_it = wanted(side, request) && !come.send_replace(true);
            let mut may_go = may_go.clone();
            Box::pin(async move {
                if is_it {
                    // Whoever has forgotten it lets it go.
                    let _ = may_go.wait_for(|may_go| *may_go).await;
                }
                None
            })
        })));
        Held { has_come, go }
    }

    /// Where it was killed, in this order.
    pub(crate) fn killed(&self) -> Vec<Killed> {
        self.state().killed.clone()
    }

    /// The Flink ids of a member's jobs, in the order of their launches.
    pub(crate) fn jobs(&self, member: &str) -> Vec<String> {
        let state = self.state();
        let mut jobs: Vec<String> = Vec::new();
        for launched in state.launches.iter().filter(|launched| launched.member == member) {
            if !jobs.contains(&launched.job) {
                jobs.push(launched.job.clone());
            }
        }
        jobs
    }

    /// How many requests of each kind there were since the last time that this was asked.
    pub(crate) fn take_requests(&self) -> BTreeMap<(Side, String), u64> {
        std::mem::take(&mut self.state().requests)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill_and_start(&self) {
        let controller = self.controller.get().expect("the fates have a controller");
        // It may have died at another request a moment ago.
        let _ = controller.kill();
        controller.start().expect("it has been started before");
    }
}

impl Held {
    /// Waits until it has come.
    pub(crate) async fn come(&mut self) -> Result<()> {
        let come = tokio::time::timeout(DEADLINE, self.has_come.wait_for(|has_come| *has_come)).await;
        come.context("the request that is to be held has not come")??;
        Ok(())
    }

    /// Lets it go.
    pub(crate) fn let_go(&self) {
        self.go.send_replace(true);
    }
}

impl State {
    fn count(&mut self, side: Side, request: &Request) {
        let path = request.path.split('?').next().unwrap_or_default();
        let watched = if request.path.contains("watch=true") { "WATCH" } else { request.method.as_str() };
        let kind = |word: &str| word.len() < 20 || !word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path: Vec<&str> = path.split('/').map(|word| if kind(word) { word } else { "ID" }).collect();
        *self.requests.entry((side, format!("{watched} {}", path.join("/")))).or_default() += 1;
        if request.path.ends_with("/run") {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let option = |key: &str| body["flinkConfiguration"][key].as_str().unwrap_or("1").to_owned();
            let member = format!("{}-{}", option("tidegate.color"), option("tidegate.generation"));
            let job = body["jobId"].as_str().unwrap_or_default().to_owned();
            self.launches.push(Launched { member, job });
        }
    }

    /// Whether it dies now, before the request is passed on.
    fn dies_before(&mut self, request: &Request) -> bool {
        if !self.is_killing || !request.may_change() {
            return false;
        }
        let Some(point) = self.points.name(request) else { return false };
        let is_new = !self.killed.iter().any(|killed| killed.point == point);
        if is_new {
            self.killed.push(Killed { point, before: true, after: false });
        }
        is_new
    }

    /// Whether it dies now, before it hears the answer.
    fn dies_after(&mut self, request: &Request, status: StatusCode) -> bool {
        if !status.is_success() {
            return false;
        }
        let point = self.points.name(request);
        self.points.done(request);
        let Some(point) = point.filter(|_| self.is_killing) else { return false };
        let killed = self.killed.iter_mut().find(|killed| killed.point == point && !killed.after);
        killed.map(|killed| killed.after = true).is_some()
    }
}

#[async_trait]
impl Script for At {
    async fn before(&self, request: &Request) -> Before {
        let At(side, fates) = self;
        fates.state().count(*side, request);
        let trick = fates.state().trick.clone();
        if let Some(trick) = trick
            && let Some(before) = trick(*side, request).await
        {
            return before;
        }
        if !fates.state().dies_before(request) {
            return Before::Forward;
        }
        fates.kill_and_start();
        Before::Drop
    }

    async fn after(&self, request: &Request, status: StatusCode, _body: &Bytes) -> After {
        let At(_, fates) = self;
        if !fates.state().dies_after(request, status) {
            return After::Pass;
        }
        fates.kill_and_start();
        After::Drop
    }

    async fn cut(&self) {
        let At(side, fates) = self;
        match side {
            // An error says that the sender is gone, and it is in the fates.
            Side::ApiServer => drop(fates.outage.subscribe().wait_for(|is_cut| *is_cut).await),
            Side::Flink => std::future::pending().await,
        }
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match (self.before, self.after) {
            (true, true) => "before and after",
            (true, false) => "before",
            (false, _) => "never",
        };
        let action = self.point.action.map_or("-", ActionKind::name);
        write!(f, "{:<40} {action:<10} {when}", self.point.name)
    }
}
