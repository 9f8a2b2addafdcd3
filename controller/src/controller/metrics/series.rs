//! The series of one resource. They come and go with it.

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Result,
};
use tidegate_protocol::rollout::{Phase, Verdict};
use tidegate_protocol::time::WallTime;

use super::sample::{self, Look};
use crate::notify::Outcome;

/// From half a minute to a day.
const BUCKETS: [f64; 12] =
    [30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0];

/// A clone shares the numbers.
#[derive(Clone)]
pub(super) struct Series {
    phase: IntGaugeVec,
    condition: IntGaugeVec,
    check: IntGaugeVec,
    /// These have no labels, and no value while there is none.
    boundary: GaugeVec,
    lag: GaugeVec,
    missing: GaugeVec,
    duration: HistogramVec,
    paused: Counter,
    store_errors: IntCounter,
    notifications: IntCounterVec,
    last: Option<WallTime>,
}

impl Series {
    pub(super) fn new(namespace: &str, name: &str) -> Result<Series> {
        let resource: HashMap<String, String> =
            [("namespace", namespace), ("name", name)].map(|(key, value)| (key.into(), value.into())).into();
        let options = |name: &str, help: &str| Opts::new(name, help).const_labels(resource.clone());
        let states = |name: &str, help: &str, labels: &[&str]| IntGaugeVec::new(options(name, help), labels);
        let gauge = |name: &str, help: &str| GaugeVec::new(options(name, help), &[]);
        let duration = HistogramOpts::new(
            "tidegate_rollout_duration_seconds",
            "How long rollouts took that have ended, less the time that a person held them.",
        );
        Ok(Series {
            phase: states(
                "tidegate_rollout_phase",
                "The phase of the rollout: 1 for the one that it is in, 0 for the others.",
                &["phase"],
            )?,
            condition: states(
                "tidegate_rollout_condition",
                "The conditions of the resource: 1 where it is so, 0 where it is not.",
                &["condition"],
            )?,
            check: states(
                "tidegate_rollout_check",
                "The verdicts of the checks: 1 for the one that it is, 0 for the others.",
                &["check", "verdict"],
            )?,
            boundary: gauge(
                "tidegate_cutover_boundary_timestamp_seconds",
                "The boundary in event time of the cutover that is under way, else of the last one that was done.",
            )?,
            lag: gauge(
                "tidegate_rollout_lag_seconds",
                "Event time that the version beside the active one is behind it.",
            )?,
            missing: gauge(
                "tidegate_cutover_acknowledgements_missing",
                "Subtasks of both versions that have not acknowledged the cutover that is proposed.",
            )?,
            duration: HistogramVec::new(
                duration.buckets(BUCKETS.to_vec()).const_labels(resource.clone()),
                &["outcome"],
            )?,
            paused: Counter::with_opts(options(
                "tidegate_rollout_paused_seconds_total",
                "Time for which a person has held the rollout.",
            ))?,
            store_errors: IntCounter::with_opts(options(
                "tidegate_store_errors_total",
                "Requests to the rollout's store that failed.",
            ))?,
            notifications: IntCounterVec::new(
                options(
                    "tidegate_notifications_total",
                    "Notifications that their receiver has taken, requests that failed, and notifications that were given up.",
                ),
                &["channel", "result"],
            )?,
            last: None,
        })
    }

    pub(super) fn store_error(&self) {
        self.store_errors.inc();
    }

    pub(super) fn notified(&self, channel: &str, outcome: Outcome) {
        self.notifications.with_label_values(&[channel, outcome.name()]).inc();
    }

    pub(super) fn observe(&mut self, look: &Look<'_>) {
        let Look { before, plan, document, reports, checks, now } = *look;
        let phase = plan.record.phase.name();
        for name in Phase::NAMES {
            self.phase.with_label_values(&[name]).set(i64::from(name == phase));
        }
        for condition in &plan.conditions {
            let gauge = self.condition.with_label_values(&[condition.kind.name()]);
            gauge.set(i64::from(condition.status));
        }
        self.check.reset();
        for (check, verdict) in checks {
            let found = verdict_name(verdict);
            for name in ["pending", "passed", "failed"] {
                self.check.with_label_values(&[check.as_str(), name]).set(i64::from(name == found));
            }
        }
        set(&self.boundary, document.and_then(sample::boundary_seconds));
        set(&self.lag, plan.lag_ms.map(|millis| millis as f64 / 1_000.0));
        let missing = document.and_then(|document| sample::acknowledgements_missing(document, reports));
        set(&self.missing, missing.map(|missing| missing as f64));
        let ended = sample::outcome(before, &plan.record).zip(sample::duration_ms(&plan.record, now));
        if let Some((outcome, millis)) = ended {
            self.duration.with_label_values(&[outcome.name()]).observe(millis as f64 / 1_000.0);
        }
        self.paused.inc_by(sample::paused_ms(look, self.last) as f64 / 1_000.0);
        self.last = Some(now);
    }

    fn collectors(&self) -> [&dyn Collector; 10] {
        [
            &self.phase,
            &self.condition,
            &self.check,
            &self.boundary,
            &self.lag,
            &self.missing,
            &self.duration,
            &self.paused,
            &self.store_errors,
            &self.notifications,
        ]
    }
}

impl Collector for Series {
    fn desc(&self) -> Vec<&Desc> {
        self.collectors().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.collectors().into_iter().flat_map(Collector::collect).collect()
    }
}

fn set(gauge: &GaugeVec, value: Option<f64>) {
    match value {
        None => gauge.reset(),
        Some(value) => gauge.with_label_values::<&str>(&[]).set(value),
    }
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pending(_) => "pending",
        Verdict::Passed => "passed",
        Verdict::Failed(_) => "failed",
    }
}
