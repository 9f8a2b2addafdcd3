//! One look at one resource: observe, plan, persist, act.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::{Api, Resource as _, ResourceExt as _};
use tidegate_protocol::rollout::{self, Asked, Phase, Plan, plan};
use tidegate_protocol::time::WallTime;
use tracing::{debug, info, warn};

use super::context::Context;
use super::desk::Desk;
use super::metadata::{self, FINALIZER, Kept};
use super::observe::Subject;
use super::problem::Problem;
use super::source::Sources;
use super::{Watched, write};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::ask;
use crate::resource::intent::Intent;

/// Something was done just now.
const SOON: Duration = Duration::from_millis(200);
/// Something is under way. Flink tells nothing by itself.
const POLL: Duration = Duration::from_secs(1);
/// How long it may take beyond the deadline until a resource that is deleted is let go.
const MORE: Duration = Duration::from_secs(60);
/// Nothing is.
const REST: Duration = Duration::from_secs(5);

/// Looks at the resource of that name, as it is now.
pub(super) async fn reconcile(watched: Arc<Watched>, context: Arc<Context>) -> Result<Action, Problem> {
    let uid = watched.uid().unwrap_or_default();
    if !context.leadership.is_held().await? {
        return Ok(Action::requeue(POLL));
    }
    let namespace = watched.namespace().unwrap_or_default();
    let resources: Api<FlinkBlueGreenDeployment> = Api::namespaced(context.client.clone(), &namespace);
    let live = resources.get_opt(&watched.name_any()).await?;
    let Some(resource) = live.filter(|live| live.uid().as_deref() == Some(&uid)) else {
        context.forget(&uid);
        return Ok(Action::await_change());
    };
    let desk = context.desk(&uid);
    let mut desk = desk.lock().await;
    let result = match is_overdue(&mut desk, &resource) {
        true => leave_behind(&context, &resources, &resource).await,
        false => round(&context, &mut desk, &resources, &resource).await,
    };
    match &result {
        Ok(_) => context.go_on(&uid),
        Err(problem) if problem.is_conflict() => return Ok(Action::requeue(SOON)),
        Err(problem) => {
            if desk.has_trouble(problem) {
                context.complain(&resource, problem).await;
            }
        }
    }
    result
}

/// After a problem: sooner at first, then more rarely.
pub(super) fn back_off(watched: Arc<Watched>, problem: &Problem, context: Arc<Context>) -> Action {
    warn!(resource = watched.name_any(), code = problem.code(), "{problem}");
    Action::requeue(context.pause(&watched.uid().unwrap_or_default()).unwrap_or(REST))
}

/// The plan ends at its deadline; whatever else keeps the controller from letting a resource go, does so for a minute more.
fn is_overdue(desk: &mut Desk, resource: &FlinkBlueGreenDeployment) -> bool {
    if resource.meta().deletion_timestamp.is_none() {
        return false;
    }
    let since = *desk.leaving.get_or_insert_with(Instant::now);
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    let settings = Intent::read(&namespace, &name, &resource.spec).map(|intent| intent.settings);
    let limit = Duration::from_millis(settings.unwrap_or_default().deadlines.leave_ms);
    since.elapsed() > limit + MORE
}

async fn leave_behind(
    context: &Context,
    resources: &Api<FlinkBlueGreenDeployment>,
    resource: &FlinkBlueGreenDeployment,
) -> Result<Action, Problem> {
    let problem = Problem::LeftBehind(resource.name_any());
    warn!(resource = resource.name_any(), code = problem.code(), "{problem}");
    context.complain(resource, &problem).await;
    if context.leadership.is_held().await? {
        metadata::release(resources, resource).await?;
    }
    Ok(Action::requeue(POLL))
}

async fn round(
    context: &Context,
    desk: &mut Desk,
    resources: &Api<FlinkBlueGreenDeployment>,
    resource: &FlinkBlueGreenDeployment,
) -> Result<Action, Problem> {
    let (name, namespace) = (resource.name_any(), resource.namespace().unwrap_or_default());
    let deleting = resource.meta().deletion_timestamp.is_some();
    if deleting && !resource.finalizers().iter().any(|there| there == FINALIZER) {
        return Ok(Action::await_change());
    }
    let now = tidegate_agent::now();
    let read = write::record(resource).and_then(|record| {
        let intent = Intent::read(&namespace, &name, &resource.spec);
        Ok((record, intent.or_else(|invalid| parting(resource, deleting).ok_or(invalid))?))
    });
    let (record, intent) = match read {
        Ok(read) => read,
        // Nothing was ever started.
        Err(_) if deleting && resource.status.as_ref().is_none_or(|status| status.record.is_none()) => {
            metadata::release(resources, resource).await?;
            return Ok(Action::await_change());
        }
        Err(problem) => {
            let status = write::stuck(resource, &problem, &write::time(now));
            if resource.status.as_ref() != Some(&status) {
                desk.persist(resources, resource, status).await?;
            }
            return Err(problem);
        }
    };
    let asked = match asked(resource) {
        Ok(asked) => asked,
        Err(problem) => {
            if desk.has_trouble(&problem) {
                context.complain(resource, &problem).await;
            }
            None
        }
    };
    let kept = Kept::read(resource);
    let before = resource.status.clone().unwrap_or_default();
    let sources = Sources::new(&kept, &before, Some(&intent.source));
    let uid = resource.uid().unwrap_or_default();
    let wanted = intent.wanted();
    let subject = Subject {
        uid: &uid,
        name: &name,
        intent: &intent,
        wanted: &wanted,
        sources: &sources,
        record: &record,
        asked: asked.as_ref(),
        deleting,
        now,
    };
    let world = desk.observe(&subject).await?;
    let trouble = world.problems.iter().find(|problem| !problem.is_conflict());
    match trouble {
        Some(problem) => {
            if desk.has_trouble(problem) {
                warn!(resource = name, code = problem.code(), "{problem}");
                context.complain(resource, problem).await;
            }
        }
        None => {}
    }
    let plan = plan(&world.observation(&subject), now);
    let status = write::status(resource, &subject, &world, &plan, desk.trouble.as_ref())?;
    let changed = plan.record != record;
    let mut current = resource.clone();
    if changed || !deleting {
        let kept = Kept::of(&plan.record, &sources, &wanted.revision);
        current = metadata::keep(resources, resource, &kept).await?.unwrap_or(current);
    }
    if changed || write::is_due(&before, &status, desk.written) {
        if !context.leadership.is_held().await? {
            return Ok(Action::requeue(POLL));
        }
        current = desk.persist(resources, &current, status).await?;
        if plan.record.phase.name() != record.phase.name() {
            info!(resource = name, from = record.phase.name(), to = plan.record.phase.name(), "phase");
        }
        context.tell(resource, &record, &plan).await;
    }
    if let Some(action) = &plan.action {
        if !context.leadership.is_held().await? {
            return Ok(Action::requeue(POLL));
        }
        if matches!(action, rollout::Action::Release) {
            info!(resource = name, "let go");
            metadata::release(resources, &current).await?;
            context.forget(&uid);
            return Ok(Action::await_change());
        }
        let after = Subject { record: &plan.record, ..subject };
        desk.execute(&after, &world, action).await?;
    }
    if trouble.is_none() {
        desk.trouble = None;
    }
    debug!(resource = name, phase = plan.record.phase.name(), waiting = ?plan.waiting, "looked");
    Ok(Action::requeue(next(&plan, changed, now)))
}

/// When to look again.
fn next(plan: &Plan, changed: bool, now: WallTime) -> Duration {
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

/// A resource that cannot be followed can be deleted nevertheless: as it was followed last, with the usual deadlines.
fn parting(resource: &FlinkBlueGreenDeployment, deleting: bool) -> Option<Intent> {
    if !deleting {
        return None;
    }
    let status = resource.status.clone().unwrap_or_default();
    let kept = Kept::read(resource).sources().into_values();
    let source = status
        .revisions
        .iter()
        .rev()
        .find_map(|revision| crate::resource::intent::source::Source::from_value(&revision.source));
    let source = source.or(kept.last())?;
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    Some(Intent::parting(&namespace, &name, source, resource.spec.store.clone()))
}
