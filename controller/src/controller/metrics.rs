//! What the controller tells Prometheus. `docs/metrics.md` lists all of it, and a test compares the two.
//!
//! The series of a resource go with it, and with the lead: a controller that stands by has none. Nothing here decides.

mod sample;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, Result, TextEncoder,
};

pub(crate) use sample::Look;
use series::Series;

use crate::notify::Outcome;

/// What [`Metrics::text`] is, for the header of an answer.
pub(crate) const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// From a millisecond to a minute.
const BUCKETS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0];

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    leader: IntGauge,
    reconciles: IntCounterVec,
    duration: Histogram,
    /// By namespace and name. Held while the numbers are changed and while they are read, so that no phase is missing and
    /// none is there twice.
    resources: Mutex<BTreeMap<(String, String), Series>>,
}

impl Metrics {
    /// No resource is known yet, and somebody else leads.
    ///
    /// # Errors
    /// When two metrics have one name; never.
    pub(crate) fn new() -> Result<Metrics> {
        let registry = Registry::new();
        let build = Opts::new("tidegate_build_info", "The version of this controller; always 1.");
        let build = IntGauge::with_opts(build.const_label("version", env!("CARGO_PKG_VERSION")))?;
        build.set(1);
        let leader = IntGauge::new(
            "tidegate_controller_leader",
            "1 for the controller that leads, 0 for one that stands by.",
        )?;
        let reconciles =
            Opts::new("tidegate_controller_reconciles_total", "Looks at resources, by their result.");
        let reconciles = IntCounterVec::new(reconciles, &["result"])?;
        for result in ["ok", "error"] {
            reconciles.with_label_values(&[result]).reset();
        }
        let duration = HistogramOpts::new(
            "tidegate_controller_reconcile_duration_seconds",
            "How long one look at a resource takes, with the action that comes of it.",
        );
        let duration = Histogram::with_opts(duration.buckets(BUCKETS.to_vec()))?;
        registry.register(Box::new(build))?;
        registry.register(Box::new(leader.clone()))?;
        registry.register(Box::new(reconciles.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Metrics { registry, leader, reconciles, duration, resources: Mutex::default() })
    }

    /// Whether this controller leads. One that does not any more knows nothing of the resources.
    pub(crate) fn lead(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        if !leads {
            for (_, series) in std::mem::take(&mut *self.resources()) {
                self.unregister(series);
            }
        }
    }

    /// A look at a resource has ended.
    pub(crate) fn reconciled(&self, took: Duration, is_ok: bool) {
        self.reconciles.with_label_values(&[if is_ok { "ok" } else { "error" }]).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// What was seen of a resource, once the plan's record is persisted.
    pub(crate) fn observe(&self, namespace: &str, name: &str, look: &Look<'_>) {
        self.with(namespace, name, |series| series.observe(look));
    }

    /// A request to a rollout's store failed.
    pub(crate) fn store_error(&self, namespace: &str, name: &str) {
        self.with(namespace, name, |series| series.store_error());
    }

    /// The resource is there, though nothing may ever be seen of it.
    pub(crate) fn know(&self, namespace: &str, name: &str) {
        self.with(namespace, name, |_| {});
    }

    /// A request to a receiver of notifications went so. One of a resource that is gone is not counted.
    pub(crate) fn notified(&self, namespace: &str, name: &str, channel: &str, outcome: Outcome) {
        if let Some(series) = self.resources().get(&(namespace.to_owned(), name.to_owned())) {
            series.notified(channel, outcome);
        }
    }

    /// The resource is gone, and its series with it.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        let series = self.resources().remove(&(namespace.to_owned(), name.to_owned()));
        if let Some(series) = series {
            self.unregister(series);
        }
    }

    /// All of it, in Prometheus' text format.
    pub(crate) fn text(&self) -> Result<String> {
        let resources = self.resources();
        let families = self.registry.gather();
        drop(resources);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn with(&self, namespace: &str, name: &str, change: impl FnOnce(&mut Series)) {
        let mut resources = self.resources();
        let key = (namespace.to_owned(), name.to_owned());
        if !resources.contains_key(&key) {
            match self.register(namespace, name) {
                Ok(series) => drop(resources.insert(key.clone(), series)),
                Err(error) => {
                    tracing::warn!(namespace, name, %error, "the resource has no metrics");
                    return;
                }
            }
        }
        if let Some(series) = resources.get_mut(&key) {
            change(series);
        }
    }

    fn register(&self, namespace: &str, name: &str) -> Result<Series> {
        let series = Series::new(namespace, name)?;
        self.registry.register(Box::new(series.clone()))?;
        Ok(series)
    }

    fn unregister(&self, series: Series) {
        if let Err(error) = self.registry.unregister(Box::new(series)) {
            tracing::warn!(%error, "the metrics of a resource stay");
        }
    }

    /// A thread that panicked has left numbers that are as good as before.
    fn resources(&self) -> MutexGuard<'_, BTreeMap<(String, String), Series>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
