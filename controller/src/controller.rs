//! `tidegate controller`: from a changed resource to a safe new version, and back by itself.
//!
//! All decisions are the planner's ([`tidegate_protocol::rollout::plan`]), on live reads. This shell observes, persists the
//! record in the status, executes the one action, and looks again. What creates, changes or ends something happens only while
//! this process holds the Lease. A watch and a poll say when to look, and nothing else.

mod arguments;
mod connect;
mod context;
mod deployment;
mod desk;
mod events;
mod execute;
mod inventory;
mod lease;
#[cfg_attr(not(test), expect(dead_code, reason = "comes with the drivers"))]
mod listen;
mod metadata;
#[cfg_attr(not(test), expect(dead_code, reason = "comes with the drivers"))]
mod metrics;
mod observe;
mod problem;
mod reconcile;
mod source;
mod store;
mod write;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, applier, trigger_self};
use kube::runtime::{Predicate as _, WatchStreamExt as _, predicates, reflector, watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{debug, info, warn};

pub(crate) use arguments::Arguments;
use context::Context;
use lease::Leadership;

use crate::exit::{Exit, Failure};
use crate::resource::FlinkBlueGreenDeployment;

/// What is watched: the rest is read anew with each look.
type Watched = PartialObjectMeta<FlinkBlueGreenDeployment>;

/// How long a reconcile that is under way may take after the signal to end.
const GRACE: Duration = Duration::from_secs(20);

/// Runs until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    arguments.install_log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)?;
    let result = runtime.block_on(serve(arguments));
    // A program that is just being submitted is not waited for: its start is asked for again.
    runtime.shutdown_background();
    result.map(|()| Exit::Done).map_err(Failure::from)
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let mut end = end_signal()?;
    let clients = connect::clients().await?;
    let home = arguments.namespace.clone().unwrap_or_else(|| clients.calls.default_namespace().to_owned());
    let (leadership, tenure) = Leadership::start(&clients.calls, &home, arguments).await?;
    let namespace = arguments.namespace.as_deref();
    info!(identity = leadership.identity(), namespace = namespace.unwrap_or("(all)"), "started");
    let context = Arc::new(Context::new(clients.calls.clone(), leadership.clone()));
    let resources = match namespace {
        Some(namespace) => Api::namespaced(clients.watches.clone(), namespace),
        None => Api::all(clients.watches.clone()),
    };
    while !*end.borrow() {
        tokio::select! {
            _ = end.wait_for(|is_over| *is_over) => break,
            () = leadership.won() => info!("leads"),
        }
        let (mut over, lost) = (end.clone(), leadership.clone());
        let stop = async move {
            tokio::select! {
                _ = over.wait_for(|is_over| *is_over) => {}
                () = lost.lost() => warn!("does not lead any more"),
            }
        };
        let too_long = async {
            let _ = end.wait_for(|is_over| *is_over).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = reconcile_all(resources.clone(), Arc::clone(&context), stop) => {}
            () = too_long => warn!("a reconcile did not end in time; what it asked for is asked for again"),
        }
        context.forget_all();
    }
    info!("ends");
    drop((context, leadership));
    tenure.end().await
}

/// Looks at every resource when it changes, and when it has asked to be looked at again.
async fn reconcile_all(
    resources: Api<Watched>,
    context: Arc<Context>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let (store, writer) = reflector::store::<Watched>();
    // The controller's own writes of the status do not make it look.
    let of_people = predicates::generation.combine(predicates::annotations).combine(predicates::finalizers);
    let changes = watcher(resources, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .touched_objects()
        .predicate_filter(of_people, kube::runtime::PredicateConfig::default());
    let queue = trigger_self(changes, ()).take_until(Box::pin(stop)).boxed();
    let config = controller::Config::default().concurrency(16);
    let reconciled = applier(
        |object, context| Box::pin(reconcile::reconcile(object, context)),
        reconcile::back_off,
        context,
        store,
        queue,
        config,
    );
    reconciled
        .for_each(async |result| {
            if let Err(controller::Error::QueueError(error)) = result {
                debug!(%error, "the watch broke; it is opened again");
            }
        })
        .await;
}

/// True from the first SIGTERM or SIGINT on.
fn end_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (tell, told) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell.send_replace(true);
    });
    Ok(told)
}
