//! The store in ConfigMaps on a real API server: the laws, what a server does to them, people, and rights.

mod faults;
mod people;
mod process;
mod rights;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tidegate_integration_tests::kube::Shared;
use tidegate_integration_tests::{Observed, wait_until};
use tidegate_store::{Error, Keys, Object, Slot, Store, Stored, Watch, conformance};
use tidegate_store_configmap::{ConfigMapStore, Location};

/// Less than a watch lasts: what comes with the next watch only comes too late.
const DEADLINE: Duration = Duration::from_secs(50);

/// The store of rollout `orders`, `configmap://<namespace>/orders`.
fn open(kubeconfig: &Path, namespace: &str) -> Result<ConfigMapStore, Error> {
    open_rollout(kubeconfig, namespace, "orders")
}

fn open_rollout(kubeconfig: &Path, namespace: &str, rollout: &str) -> Result<ConfigMapStore, Error> {
    let url = format!("configmap://{namespace}/{rollout}?kubeconfig={}", kubeconfig.display());
    ConfigMapStore::open(&Location::parse(&url)?, rollout)
}

fn keys(pairs: &[(&str, &str)]) -> Keys {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn slot(name: &str) -> Slot {
    Slot::new(name).expect("a good name")
}

fn report() -> Object {
    Object::Report(slot("blue-1"))
}

async fn get(store: &ConfigMapStore, object: &Object) -> Result<Stored> {
    store.read(object).await?.with_context(|| format!("{object} is not there"))
}

/// Reads at hints only, until `holds`; a store that is away is asked again at the next hint.
async fn hinted(
    watch: &mut Watch,
    what: &str,
    mut holds: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<()> {
    let waiting = async {
        loop {
            watch.changed().await?;
            if holds().await.unwrap_or(false) {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.with_context(|| format!("no hint of {what}"))?
}

async fn hinted_bytes(
    store: &ConfigMapStore,
    watch: &mut Watch,
    object: &Object,
    bytes: &[u8],
) -> Result<()> {
    let what = format!("{object} being {:?}", String::from_utf8_lossy(bytes));
    hinted(watch, &what, async || Ok(store.read(object).await?.is_some_and(|stored| stored.bytes == bytes)))
        .await
}

#[tokio::test]
async fn all_laws_hold_on_one_thread() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("laws").await?;
    let admin = plane.admin();
    conformance::run_all(async |rollout: &str| {
        Arc::new(open_rollout(&admin, "laws", rollout).expect("a store")) as Arc<dyn Store>
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_laws_hold_on_many_threads_for_an_account_of_one_namespace() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("laws-job").await?;
    plane.apply("laws-job", rights::JOB).await?;
    let job = plane.create_account("laws-job", "job").await?;
    plane.grant("laws-job", "tidegate-job", "job").await?;
    rights::permitted(&open(&job, "laws-job")?).await?;
    conformance::run_all(async |rollout: &str| {
        Arc::new(open_rollout(&job, "laws-job", rollout).expect("a store")) as Arc<dyn Store>
    })
    .await;
    Ok(())
}

/// Each law's rollout gets a Role on names, and its ConfigMaps empty, when the law asks for its first client.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_laws_hold_for_an_account_of_named_config_maps() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("laws-named").await?;
    let job = plane.create_account("laws-named", "job").await?;
    let ready = Mutex::new(BTreeSet::new());
    conformance::run_all(async |rollout: &str| {
        let store = open_rollout(&job, "laws-named", rollout).expect("a store");
        if ready.lock().expect("no panic").insert(rollout.to_owned()) {
            let manifest = rights::by_name(rollout, "job", "laws-named");
            plane.create("laws-named", &manifest).await.expect("created");
            rights::permitted(&store).await.expect("permitted");
        }
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
    Ok(())
}

/// Until a store that was away answers again.
async fn answers(store: &ConfigMapStore) -> Result<()> {
    wait_until("the store answers", DEADLINE, async || {
        Ok(Observed::or_not_yet(store.reports().await.map(|_| Observed::Reached(())).map_err(Into::into)))
    })
    .await
}
