//! One look at one resource: observe, plan, persist, act.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::{Api, Resource as _, ResourceExt as _};
use tidegate_protocol::rollout::{self, Asked, Phase, Plan, Record, plan};
use tidegate_protocol::time::WallTime;
use tracing::{debug, info, warn};

use super::context::{Context, Key};
use super::desk::Desk;
use super::metadata::{self, FINALIZER};
use super::observe::World;
use super::problem::Problem;
use super::sources::{Kept, Sources};
use super::subject::{Home, Subject};
use super::{Watched, write};
use crate::checks;
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::ask;
use crate::resource::intent::Intent;
use crate::resource::intent::source::Source;
use crate::resource::status::Status;

/// Something was done just now.
const SOON: Duration = Duration::from_millis(200);
/// Something is under way. Flink tells nothing by itself.
const POLL: Duration = Duration::from_secs(1);
/// Nothing is.
const REST: Duration = Duration::from_secs(5);

/// Looks at the resource of that name, as it is now.
pub(super) async fn reconcile(watched: Arc<Watched>, context: Arc<Context>) -> Result<Action, Problem> {
    let begun = Instant::now();
    let result = reconcile_once(&watched, &context).await;
    context.shared.metrics.reconciled(begun.elapsed(), result.is_ok());
    result
}

/// After a problem: sooner at first, then more rarely.
pub(super) fn back_off(watched: Arc<Watched>, problem: &Problem, context: Arc<Context>) -> Action {
    warn!(resource = watched.name_any(), code = problem.code(), "{problem}");
    Action::requeue(context.pause(&watched.uid().unwrap_or_default()).unwrap_or(REST))
}

async fn reconcile_once(watched: &Watched, context: &Context) -> Result<Action, Problem> {
    if !context.leads().await? {
        return Ok(Action::requeue(POLL));
    }
    let uid = watched.uid().unwrap_or_default();
    let key = Key { namespace: watched.namespace().unwrap_or_default(), name: watched.name_any() };
    let resources: Api<FlinkBlueGreenDeployment> =
        Api::namespaced(context.shared.client.clone(), &key.namespace);
    let live = resources.get_opt(&key.name).await?;
    let Some(resource) = live.filter(|live| live.uid().as_deref() == Some(&uid)) else {
        context.forget(&key, &uid);
        return Ok(Action::await_change());
    };
    let is_leaving = resource.meta().deletion_timestamp.is_some();
    if is_leaving && !resource.finalizers().iter().any(|there| there == FINALIZER) {
        context.forget(&key, &uid);
        return Ok(Action::await_change());
    }
    let desk = context.desk(&uid);
    let mut desk = desk.lock().await;
    let look = Look { context, resources: &resources, resource: &resource, key: &key, uid: &uid, is_leaving };
    let result = match is_overdue(&mut desk, &resource) {
        true => look.leave_behind().await,
        false => look.go(&mut desk).await,
    };
    match result {
        Ok(action) => {
            context.go_on(&uid);
            Ok(action)
        }
        Err(problem) if problem.is_conflict() => Ok(Action::requeue(SOON)),
        Err(problem) => {
            look.notice(&mut desk, &problem).await;
            Err(problem)
        }
    }
}

/// The plan ends at its deadline; whatever else keeps the controller from letting a resource go, does so for as long once more.
fn is_overdue(desk: &mut Desk, resource: &FlinkBlueGreenDeployment) -> bool {
    if resource.meta().deletion_timestamp.is_none() {
        return false;
    }
    let since = *desk.leaving.get_or_insert_with(Instant::now);
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    let settings = Intent::read(&namespace, &name, &resource.spec).map(|intent| intent.settings);
    let limit = Duration::from_millis(settings.unwrap_or_default().deadlines.leave_ms);
    since.elapsed() > limit * 2
}

/// One look.
struct Look<'a> {
    context: &'a Context,
    resources: &'a Api<FlinkBlueGreenDeployment>,
    resource: &'a FlinkBlueGreenDeployment,
    key: &'a Key,
    uid: &'a str,
    is_leaving: bool,
}

impl Look<'_> {
    async fn go(&self, desk: &mut Desk) -> Result<Action, Problem> {
        let now = tidegate_agent::now();
        let (record, intent) = match self.read() {
            Ok(read) => read,
            // Nothing was ever started.
            Err(_) if self.is_leaving && self.status().record.is_none() => {
                return self.release(self.resource).await;
            }
            Err(problem) => return self.refuse(desk, problem, now).await,
        };
        let asked = asked(self.resource);
        if let Err(problem) = &asked {
            self.notice(desk, problem).await;
        }
        let is_readable = asked.is_ok();
        let asked = asked.unwrap_or_default();
        let sources = Sources::new(&metadata::read(self.resource), &self.status(), Some(&intent.source));
        let wanted = intent.wanted();
        let shared = &self.context.shared;
        let (namespace, rest_address) = (self.key.namespace.as_str(), shared.rest_address.as_deref());
        let subject = Subject {
            home: Home { client: Some(&shared.client), namespace, rest_address },
            uid: self.uid,
            name: &self.key.name,
            intent: &intent,
            wanted: &wanted,
            sources: &sources,
            record: &record,
            asked: asked.as_ref(),
            deleting: self.is_leaving,
            now,
        };
        let world = self.observe(desk, &subject).await?;
        let plan = plan(&world.observation(&subject), now);
        let written = self.write(desk, &subject, &world, &plan).await?;
        let Some(current) = written else { return Ok(Action::requeue(POLL)) };
        if let Some(action) = &plan.action {
            if !self.context.leads().await? {
                return Ok(Action::requeue(POLL));
            }
            if matches!(action, rollout::Action::Release) {
                return self.release(&current).await;
            }
            desk.execute(&Subject { record: &plan.record, ..subject }, &world, action).await?;
        }
        if world.problems.is_empty() && is_readable {
            desk.trouble.clear();
        }
        debug!(resource = subject.name, phase = plan.record.phase.name(), waiting = ?plan.waiting, "looked");
        Ok(Action::requeue(next(&plan, plan.record != record, now)))
    }

    /// What was persisted, and what is wanted.
    fn read(&self) -> Result<(Record, Intent), Problem> {
        let record = write::record(self.resource)?;
        let intent = Intent::read(&self.key.namespace, &self.key.name, &self.resource.spec);
        Ok((record, intent.or_else(|invalid| self.parting().ok_or(invalid))?))
    }

    fn status(&self) -> Status {
        self.resource.status.clone().unwrap_or_default()
    }

    async fn observe(&self, desk: &mut Desk, subject: &Subject<'_>) -> Result<World, Problem> {
        let mut world = desk.observe(subject).await?;
        let checked = checks::Subject::of(subject.record).map(|checked| {
            let (driver, job) = desk.job(subject, checked.launch)?;
            let (namespace, name) = (self.key.namespace.clone(), self.key.name.clone());
            Ok::<_, Problem>((checked, checks::Place { namespace, name, driver, job }))
        });
        world.checks = self.context.checks().look(self.key, &subject.intent.checks, checked.transpose()?);
        world.problems.extend(self.context.unheard(self.key));
        for problem in &world.problems {
            self.count(problem);
        }
        if let Some(problem) = world.problems.iter().find(|problem| !problem.is_conflict())
            && self.notice(desk, problem).await
        {
            warn!(resource = subject.name, code = problem.code(), "{problem}");
        }
        Ok(world)
    }

    /// Persists what has changed, and tells of it. `None`: somebody else leads now.
    async fn write(
        &self,
        desk: &mut Desk,
        subject: &Subject<'_>,
        world: &World,
        plan: &Plan,
    ) -> Result<Option<FlinkBlueGreenDeployment>, Problem> {
        let (before, record) = (self.status(), subject.record);
        let mut status = write::status(self.resource, subject, world, plan, &desk.trouble)?;
        self.context.put(self.key, self.resource, &plan.record, &mut status, subject.now);
        let kept = Kept::of(&plan.record, subject.sources, &subject.wanted.revision);
        let is_due = plan.record != *record || write::is_due(&before, &status, desk.written);
        let mut current = self.resource.clone();
        if is_due || !metadata::is_kept(self.resource, &kept)? {
            if !self.context.leads().await? {
                return Ok(None);
            }
            current = metadata::keep(self.resources, self.resource, &kept).await?.unwrap_or(current);
        }
        if is_due {
            current = desk.persist(self.resources, &current, status).await?;
            if plan.record.phase.name() != record.phase.name() {
                info!(
                    resource = subject.name,
                    from = record.phase.name(),
                    to = plan.record.phase.name(),
                    "phase"
                );
            }
            self.context.tell(self.resource, record, plan).await;
        }
        self.context.send(self.key, &current);
        let (namespace, name) = (&self.key.namespace, &self.key.name);
        self.context.shared.metrics.observe(namespace, name, &world.measure(subject, plan));
        Ok(Some(current))
    }

    /// Says that the resource cannot be followed.
    async fn refuse(&self, desk: &mut Desk, problem: Problem, now: WallTime) -> Result<Action, Problem> {
        let mut status = write::stuck(self.resource, &problem, &write::time(now));
        let record = write::record(self.resource).unwrap_or_default();
        self.context.put(self.key, self.resource, &record, &mut status, now);
        let mut current = None;
        if self.resource.status.as_ref() != Some(&status) && self.context.leads().await? {
            current = Some(desk.persist(self.resources, self.resource, status).await?);
        }
        self.context.send(self.key, current.as_ref().unwrap_or(self.resource));
        Err(problem)
    }

    async fn release(&self, current: &FlinkBlueGreenDeployment) -> Result<Action, Problem> {
        if self.context.leads().await? {
            metadata::release(self.resources, current).await?;
            info!(resource = self.key.name, "let go");
            self.context.forget(self.key, self.uid);
        }
        Ok(Action::requeue(REST))
    }

    async fn leave_behind(&self) -> Result<Action, Problem> {
        let problem = Problem::LeftBehind(self.key.name.clone());
        warn!(resource = self.key.name, code = problem.code(), "{problem}");
        self.context.complain(self.resource, &problem).await;
        self.release(self.resource).await
    }

    /// Tells of a problem, unless it was told already; returns whether it is news.
    async fn notice(&self, desk: &mut Desk, problem: &Problem) -> bool {
        let is_news = desk.has_trouble(problem);
        if is_news {
            self.context.complain(self.resource, problem).await;
        }
        is_news
    }

    fn count(&self, problem: &Problem) {
        if matches!(problem, Problem::Store(_)) {
            self.context.shared.metrics.store_error(&self.key.namespace, &self.key.name);
        }
    }

    /// A resource that cannot be followed can be deleted nevertheless: as it was followed last, with the usual deadlines.
    fn parting(&self) -> Option<Intent> {
        if !self.is_leaving {
            return None;
        }
        let status = self.status();
        let told = status.revisions.iter().rev().find_map(|revision| Source::from_value(&revision.source));
        let source = told.or_else(|| metadata::read(self.resource).sources().into_values().last())?;
        let store = self.resource.spec.store.clone();
        Some(Intent::parting(&self.key.namespace, &self.key.name, source, store))
    }
}

/// When to look again.
pub(super) fn next(plan: &Plan, changed: bool, now: WallTime) -> Duration {
    let at_rest = matches!(plan.record.phase, Phase::Idle | Phase::Suspended { .. } | Phase::Left)
        && plan.record.leftovers.is_empty();
    let poll = match (changed, plan.action.is_some(), at_rest) {
        (true, _, _) => SOON,
        (false, true, _) | (false, false, false) => POLL,
        (false, false, true) => REST,
    };
    let wake = plan.wake.map_or(poll, |at| Duration::from_millis(at.since(now)).max(SOON));
    poll.min(wake)
}

/// What people ask for by the annotation.
fn asked(resource: &FlinkBlueGreenDeployment) -> Result<Option<Asked>, Problem> {
    let Some(text) = resource.annotations().get(ask::ANNOTATION) else { return Ok(None) };
    ask::read(text, &editor(resource)).map(Some).map_err(Problem::Ask)
}

/// Who has written the annotation, as far as the API server knows.
fn editor(resource: &FlinkBlueGreenDeployment) -> String {
    let field = format!("f:{}", ask::ANNOTATION);
    let has_it = |fields: &k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1| {
        fields.0.get("f:metadata").and_then(|metadata| metadata.get("f:annotations")?.get(&field)).is_some()
    };
    let managers = resource.metadata.managed_fields.iter().flatten();
    let manager = managers
        .filter(|entry| entry.fields_v1.as_ref().is_some_and(has_it))
        .find_map(|entry| entry.manager.clone());
    manager.unwrap_or_else(|| "somebody".to_owned())
}
