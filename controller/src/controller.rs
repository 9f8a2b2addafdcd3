//! `tidegate controller`: from a changed resource to a safe new version, and back by itself.
//!
//! All decisions are the planner's ([`tidegate_protocol::rollout::plan`]), on live reads. This shell observes, persists the
//! record in the status, executes the one action, and looks again. What creates, changes or ends something happens only while
//! this process holds the Lease. A watch and a poll say when to look, and nothing else.

pub(crate) mod alone;
mod arguments;
pub(crate) mod connect;
mod context;
mod deployment;
mod desk;
mod drivers;
mod events;
mod execute;
mod inventory;
mod lease;
mod listen;
mod metadata;
mod metrics;
mod notices;
mod observe;
mod problem;
mod reconcile;
mod source;
mod sources;
mod store;
mod subject;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::select;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, ReconcileRequest, applier, trigger_self};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Predicate as _, WatchStreamExt as _, predicates, reflector, watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

pub(crate) use arguments::Arguments;
use context::{Context, Key, Shared};
pub(crate) use drivers::jobs_of;
use lease::Leadership;
use listen::{Listener, Pulse};
use metrics::Metrics;
pub(crate) use problem::Problem;

use crate::exit::{Exit, Failure};
use crate::notify::Secrets;
use crate::resource::FlinkBlueGreenDeployment;

/// What is watched: the rest is read anew with each look.
type Watched = PartialObjectMeta<FlinkBlueGreenDeployment>;

/// How long a reconcile that is under way may take after the signal to end.
const GRACE: Duration = Duration::from_secs(20);
/// How often it is told that this process is alive.
const BEAT: Duration = Duration::from_secs(10);

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
    let listener = Listener::bind(arguments.listen).await?;
    let clients = connect::clients(None).await?;
    let (metrics, pulse) = (Arc::new(Metrics::new()?), Arc::new(Pulse::new(Instant::now())));
    info!(address = %listener.address(), "listens");
    let listening = tokio::spawn(listener.serve(Arc::clone(&metrics), Arc::clone(&pulse)));
    let home = arguments.namespace.clone().unwrap_or_else(|| clients.calls.default_namespace().to_owned());
    let (leadership, tenure) = Leadership::start(&clients.calls, &home, arguments).await?;
    let namespace = arguments.namespace.as_deref();
    info!(identity = leadership.identity(), namespace = namespace.unwrap_or("(all)"), "started");
    let (client, rest_address) = (clients.calls.clone(), arguments.flink_rest_address.clone());
    let secrets = match &arguments.secrets_directory {
        Some(folder) => Secrets::Folder(folder.clone()),
        None => Secrets::Cluster(client.clone()),
    };
    let shared = Shared { client, leadership, rest_address, metrics, pulse, secrets };
    let resources = match namespace {
        Some(namespace) => Api::namespaced(clients.watches.clone(), namespace),
        None => Api::all(clients.watches.clone()),
    };
    tokio::select! {
        result = take_turns(&shared, &resources, end.clone()) => result?,
        () = beat(&shared) => {}
        () = too_late(&mut end) => warn!("a look did not end in time; what it asked for is asked for again"),
    }
    info!("ends");
    listening.abort();
    drop(shared);
    tenure.end().await
}

/// Leads whenever the Lease can be had, until the end.
async fn take_turns(
    shared: &Shared,
    resources: &Api<Watched>,
    mut end: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    loop {
        shared.metrics.lead(false);
        shared.pulse.stand_by();
        tokio::select! {
            biased;
            _ = end.wait_for(|is_over| *is_over) => return Ok(()),
            () = shared.leadership.won() => info!("leads"),
        }
        shared.metrics.lead(true);
        shared.pulse.lead();
        let (mut over, leadership) = (end.clone(), shared.leadership.clone());
        let stop = async move {
            tokio::select! {
                _ = over.wait_for(|is_over| *is_over) => {}
                () = leadership.lost() => warn!("does not lead any more"),
            }
        };
        let (wake, woken) = mpsc::unbounded_channel();
        let context = Arc::new(Context::new(shared.clone(), wake)?);
        reconcile_all(resources.clone(), context, woken, stop).await;
    }
}

/// The signs of life that do not depend on there being anything to do.
async fn beat(shared: &Shared) {
    loop {
        shared.pulse.round(Instant::now());
        if shared.leadership.is_in_reach().await {
            shared.pulse.contact(Instant::now());
        }
        tokio::time::sleep(BEAT).await;
    }
}

async fn too_late(end: &mut watch::Receiver<bool>) {
    let _ = end.wait_for(|is_over| *is_over).await;
    tokio::time::sleep(GRACE).await;
}

/// Looks at every resource when it changes, when there is news of its checks, and when it has asked to be looked at again.
async fn reconcile_all(
    resources: Api<Watched>,
    context: Arc<Context>,
    mut woken: mpsc::UnboundedReceiver<Key>,
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
    let news = futures_util::stream::poll_fn(move |context| woken.poll_recv(context))
        .map(|key| Ok(ReconcileRequest::from(ObjectRef::from(&key))));
    let queue = select(trigger_self(changes, ()), news).take_until(Box::pin(stop)).boxed();
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
