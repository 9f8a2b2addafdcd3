//! From a spec as it is written to what the planner takes, once, at the edge.

pub(crate) mod channel;
pub(crate) mod check;
pub(crate) mod source;

use tidegate_protocol::document;
use tidegate_protocol::rollout::{self, Revision, Start, Wanted};
use tidegate_protocol::time::WallTime;

use super::duration::Duration;
use super::problem::{Invalid, Problem};
use super::spec::{HandOver, LatePolicy, Promotion, PromotionMode, Proof, Savepoints, Spec, Strategy};
use check::Check;
use source::Source;

/// The longest name of a resource: deployments are named after it, and Apache's operator takes 45 characters.
const NAME: usize = 30;

/// The longest lateness that the agent of a job takes.
const LATENESS_MS: u64 = u32::MAX as u64;

/// A spec that can be followed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Intent {
    /// The digest of the source, without its state and its triggers.
    pub(crate) revision: Revision,
    /// What the job is made from.
    pub(crate) source: Source,
    /// No job is to run.
    pub(crate) suspended: bool,
    /// Nothing new is to begin.
    pub(crate) paused: bool,
    /// How.
    pub(crate) settings: rollout::Settings,
    /// The URL of the store that jobs and controller share.
    pub(crate) store: String,
    /// What the jobs are told of late records.
    pub(crate) late: document::LatePolicy,
    /// How far behind the frontier a record may come.
    pub(crate) lateness_ms: i64,
    /// The checks.
    pub(crate) checks: Vec<Check>,
    /// Where savepoints go, when not by Flink's own setting.
    pub(crate) savepoint_directory: Option<String>,
    /// How many replaced versions are remembered.
    pub(crate) revision_history_limit: usize,
}

/// Collects what is wrong, so that a user sees all of it at once.
pub(super) struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn problem(
        &mut self,
        field: impl Into<String>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        self.problems.push(Problem::new(field, what, way_out));
    }

    fn has(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    pub(super) fn millis(&mut self, field: &str, duration: &Duration) -> u64 {
        duration.millis().unwrap_or_else(|error| {
            let text = error.to_string();
            let (what, way_out) = text.split_once("; ").unwrap_or((&text, "write 30s"));
            self.problem(field, what, way_out);
            0
        })
    }
}

impl Intent {
    /// Reads the spec of the resource of that name.
    pub(crate) fn read(namespace: &str, name: &str, spec: &Spec) -> Result<Intent, Invalid> {
        let mut reader = Reader { problems: Vec::new() };
        if name.len() > NAME {
            reader.problem(
                "metadata.name",
                format!("{name:?} has {} characters, and deployments are named after it", name.len()),
                format!("write at most {NAME}"),
            );
        }
        let source = source::read(&mut reader, spec);
        check_strategy(&mut reader, spec);
        let settings = settings(&mut reader, spec);
        let checks = check::read(&mut reader, &spec.checks, settings.deadlines.prove_ms);
        channel::read(&mut reader, &spec.notifications);
        let lateness = spec.allowed_lateness.as_ref();
        let lateness_ms = lateness.map_or(0, |lateness| reader.millis("spec.allowedLateness", lateness));
        if let Some(lateness) = lateness.filter(|_| lateness_ms > LATENESS_MS) {
            let what = format!("{:?} is longer than the jobs can take", lateness.0);
            reader.problem("spec.allowedLateness", what, "write at most 1193h");
        }
        let store = store(&mut reader, namespace, name, spec);
        match (source, reader.problems.is_empty()) {
            (Some(source), true) => Ok(Intent {
                revision: source.revision(),
                suspended: source.is_suspended(),
                source,
                paused: spec.paused,
                settings,
                store,
                late: match spec.late_policy {
                    Some(LatePolicy::Drop) => document::LatePolicy::Drop,
                    Some(LatePolicy::SideOutput) => document::LatePolicy::SideOutput,
                    Some(LatePolicy::Emit) | None => document::LatePolicy::Emit,
                },
                lateness_ms: i64::try_from(lateness_ms).unwrap_or(i64::MAX),
                checks,
                savepoint_directory: spec.savepoint_directory.clone(),
                revision_history_limit: spec.revision_history_limit as usize,
            }),
            (None | Some(_), _) => Err(Invalid(reader.problems)),
        }
    }

    /// For a resource that is deleted and whose spec cannot be followed: as it was followed last, with the usual deadlines.
    pub(crate) fn parting(namespace: &str, name: &str, source: Source, store: Option<String>) -> Intent {
        Intent {
            revision: source.revision(),
            suspended: source.is_suspended(),
            source,
            paused: false,
            settings: rollout::Settings::default(),
            store: store.unwrap_or_else(|| format!("configmap://{namespace}/{name}")),
            late: document::LatePolicy::Emit,
            lateness_ms: 0,
            checks: Vec::new(),
            savepoint_directory: None,
            revision_history_limit: 1,
        }
    }

    /// For the planner.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            revision: self.revision.clone(),
            initial: self.source.initial_savepoint().map_or(Start::Empty, Start::Given),
            suspended: self.suspended,
            paused: self.paused,
            settings: self.settings,
        }
    }
}

/// The same as the rules of the schema, for those who come by another way.
fn check_strategy(reader: &mut Reader, spec: &Spec) {
    if spec.strategy == Strategy::BlueGreen {
        return;
    }
    let lag = spec.proof.as_ref().is_some_and(|proof| proof.lag.is_some());
    for (is_there, field, why) in [
        (spec.hand_over.is_some(), "spec.handOver", "nothing is handed over"),
        (spec.late_policy.is_some(), "spec.latePolicy", "no event time changes hands"),
        (spec.allowed_lateness.is_some(), "spec.allowedLateness", "no event time changes hands"),
        (lag, "spec.proof.lag", "there is no old job to be behind of"),
        (spec.promotion.is_some(), "spec.promotion", "the new version has the output from its start"),
    ] {
        if is_there {
            reader.problem(
                field,
                format!("with strategy stop-start {why}"),
                "leave it out, or use blue-green",
            );
        }
    }
}

fn settings(reader: &mut Reader, spec: &Spec) -> rollout::Settings {
    let proof = spec.proof.clone().unwrap_or_default();
    let lag = proof.lag.clone().unwrap_or_default();
    let allowed_ms = reader.millis("spec.proof.lag.allowed", &lag.allowed);
    let settings = rollout::Settings {
        strategy: match spec.strategy {
            Strategy::BlueGreen => rollout::Strategy::BlueGreen,
            Strategy::StopStart => rollout::Strategy::StopStart,
        },
        hand_over: spec.hand_over.map(|hand_over| match hand_over {
            HandOver::Ordered => document::HandOver::Ordered,
            HandOver::Overlapped => document::HandOver::Overlapped,
        }),
        promotion: promotion(reader, spec.promotion.as_ref()),
        settling_ms: reader.millis("spec.proof.settling", &proof.settling),
        window_ms: reader.millis("spec.proof.window", &proof.window),
        limits: limits(&proof),
        lag: rollout::Lag {
            allowed_ms: i64::try_from(allowed_ms).unwrap_or(i64::MAX),
            hold_ms: reader.millis("spec.proof.lag.hold", &lag.hold),
        },
        deadlines: deadlines(reader, spec),
        tries: spec.tries.clamp(1, 10),
        watch_ms: reader.millis("spec.watch", &spec.watch),
        deletion_delay_ms: reader.millis("spec.deletionDelay", &spec.deletion_delay),
        savepoint_on_deletion: spec.savepoint_on_deletion,
        savepoints: spec.savepoints.as_ref().map(|savepoints| schedule(reader, savepoints)),
    };
    if !(1..=10).contains(&spec.tries) {
        reader.problem("spec.tries", format!("{} tries", spec.tries), "write a number from 1 to 10");
    }
    let needed = settings.settling_ms + settings.window_ms.max(settings.lag.hold_ms);
    if settings.deadlines.prove_ms <= needed {
        let what = format!(
            "{} s are over before the settling time, the window and the lag's hold can be ({} s)",
            settings.deadlines.prove_ms / 1_000,
            needed / 1_000
        );
        reader.problem("spec.deadlines.prove", what, "write a longer one, or a shorter proof");
    }
    settings
}

fn schedule(reader: &mut Reader, savepoints: &Savepoints) -> rollout::Schedule {
    let Savepoints { every, keep } = savepoints;
    let every_ms = reader.millis("spec.savepoints.every", every);
    if every_ms < 1_000 && !reader.has("spec.savepoints.every") {
        reader.problem(
            "spec.savepoints.every",
            format!("{:?} is too short", every.0),
            "write at least 1s, such as 6h",
        );
    }
    if !(1..=100).contains(keep) {
        reader.problem("spec.savepoints.keep", format!("{keep} savepoints"), "write a number from 1 to 100");
    }
    rollout::Schedule { every_ms, keep: *keep }
}

fn limits(proof: &Proof) -> rollout::Limits {
    rollout::Limits {
        restarts: proof.limits.restarts.into(),
        failed_checkpoints: proof.limits.failed_checkpoints.into(),
        completed_checkpoints: proof.limits.completed_checkpoints.into(),
    }
}

fn deadlines(reader: &mut Reader, spec: &Spec) -> rollout::Deadlines {
    let deadlines = spec.deadlines.clone().unwrap_or_default();
    let mut millis =
        |name: &str, duration: &Duration| reader.millis(&format!("spec.deadlines.{name}"), duration);
    rollout::Deadlines {
        snapshot_ms: millis("snapshot", &deadlines.snapshot),
        start_ms: millis("start", &deadlines.start),
        prove_ms: millis("prove", &deadlines.prove),
        promotion_ms: millis("promotion", &deadlines.promotion),
        cutover_ms: millis("cutover", &deadlines.cutover),
        stop_ms: millis("stop", &deadlines.stop),
        leave_ms: millis("leave", &deadlines.leave),
    }
}

fn promotion(reader: &mut Reader, promotion: Option<&Promotion>) -> rollout::Promotion {
    let Some(Promotion { mode, after, at }) = promotion else { return rollout::Promotion::Automatic };
    if after.is_some() && *mode != PromotionMode::After {
        reader.problem(
            "spec.promotion.after",
            "only mode after takes a duration",
            "leave it out, or write mode: after",
        );
    }
    if at.is_some() && *mode != PromotionMode::At {
        reader.problem("spec.promotion.at", "only mode at takes a time", "leave it out, or write mode: at");
    }
    match (mode, after, at) {
        (PromotionMode::Automatic, _, _) => rollout::Promotion::Automatic,
        (PromotionMode::Manual, _, _) => rollout::Promotion::Manual,
        (PromotionMode::After, Some(after), _) => {
            rollout::Promotion::After(reader.millis("spec.promotion.after", after))
        }
        (PromotionMode::After, None, _) => {
            reader.problem("spec.promotion.after", "mode after needs a duration", "write one, such as 10m");
            rollout::Promotion::Manual
        }
        (PromotionMode::At, _, at) => {
            let time: Option<jiff::Timestamp> = at.as_ref().and_then(|text| text.parse().ok());
            let millis = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
            let Some(millis) = millis else {
                let what = match at {
                    None => "mode at needs a time".to_owned(),
                    Some(text) => format!("{text:?} is no time"),
                };
                reader.problem(
                    "spec.promotion.at",
                    what,
                    "write an RFC 3339 time, such as 2026-03-01T12:00:00Z",
                );
                return rollout::Promotion::Manual;
            };
            rollout::Promotion::At(WallTime::from_millis(millis))
        }
    }
}

fn store(reader: &mut Reader, namespace: &str, name: &str, spec: &Spec) -> String {
    let Some(store) = &spec.store else {
        if spec.job.is_some() && spec.strategy == Strategy::BlueGreen {
            reader.problem(
                "spec.store",
                "a job on a cluster of its own needs a store that it can reach",
                "write zookeeper://host:port/path, configmap://namespace/name or directory:///path",
            );
        }
        return format!("configmap://{namespace}/{name}");
    };
    let rest = |scheme: &str| store.strip_prefix(scheme).map(str::to_owned);
    let forms = "write configmap://namespace/name, zookeeper://host:port,host:port/path or directory:///path";
    if store.contains('@') {
        reader.problem("spec.store", "a URL with credentials in it", "name a file with auth-file= instead");
    } else if let Some(rest) = rest("zookeeper://") {
        let address = rest.split_once('/').filter(|(hosts, path)| hosts.contains(':') && !path.is_empty());
        if address.is_none() {
            reader.problem("spec.store", format!("{store:?} names no address or no path"), forms);
        }
    } else if rest("configmap://").or(rest("directory://")).is_none_or(|rest| rest.is_empty()) {
        reader.problem("spec.store", format!("{store:?} is no store"), forms);
    }
    store.clone()
}
